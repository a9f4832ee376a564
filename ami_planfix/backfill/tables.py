"""Records from a table of a database: MySQL or MariaDB (FreePBX), PostgreSQL, SQLite; only ever read."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from sqlalchemy import Column, Connection, DateTime, MetaData, Numeric, Select, Table, Text, cast, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from ami_planfix.backfill.records import Value
from ami_planfix.backfill.times import WallClock
from ami_planfix.errors import BackfillError

MOST_ROWS = 500_000
"""Rows that are read at most, the newest ones are left out."""
HOUR = 3600.0
CONNECT = 10
"""Seconds that a server may take to accept us."""

SOME = 100
Order = list[Column[Any]]
Query = Callable[[AsyncConnection, Column[Any], Order], Awaitable[Select[tuple[Any, ...]]]]

_DRIVERS = {"mysql": "mysql+aiomysql", "mariadb": "mysql+aiomysql", "postgresql": "postgresql+asyncpg"}
_EXTRAS = {"mysql": "mysql", "mariadb": "mysql", "postgresql": "postgresql"}
_TIMES = ("eventtime", "calldate", "start")
_ORDERS = ("id", "sequence", "acctid")


class RecordsTable:
    """One table of records; `kind` is `cdr` or `cel` for what people are told."""

    def __init__(self, url: str, table: str, clock: WallClock) -> None:
        self._url = _with_driver(url)
        self._name = table
        self._clock = clock
        self.where = f"table {table} of {self._url.set(query={}).render_as_string()}".replace("+aiosqlite", "")

    async def rows(self, since: float, until: float) -> AsyncIterator[Mapping[str, Value]]:
        """Tell the rows of a time, in their order; raise BackfillError."""
        async for row in self._stream(
            lambda connection, time, order: self._between(connection, time, order, since, until)
        ):
            yield row

    async def newest(self) -> AsyncIterator[Mapping[str, Value]]:
        """Tell some of the newest rows; raise BackfillError."""

        async def newest(_: AsyncConnection, time: Column[Any], _order: Order) -> Select[tuple[Any, ...]]:
            return select(time.table).order_by(time.desc()).limit(SOME)

        async for row in self._stream(newest):
            yield row

    async def _stream(self, query: Query) -> AsyncIterator[Mapping[str, Value]]:
        try:
            engine = create_async_engine(
                self._url, poolclass=NullPool, hide_parameters=True, connect_args=_arguments(self._url)
            )
        except (ImportError, SQLAlchemyError) as fault:
            extra = _EXTRAS.get(self._url.get_backend_name(), "")
            raise BackfillError(f"{self.where}: a driver is missing; `pip install ami-planfix[{extra}]`") from fault
        try:
            async with engine.connect() as connection:
                table = await connection.run_sync(self._describe)
                found = await connection.stream(await self._query(connection, table, query))
                async for row in found.mappings():
                    yield {str(name).casefold(): _value(value) for name, value in row.items()}
        except (TimeoutError, SQLAlchemyError, OSError, RuntimeError) as fault:
            raise BackfillError(f"{self.where}: {_words(fault)}") from fault
        finally:
            await engine.dispose()

    def _describe(self, connection: Connection) -> Table:
        columns = inspect(connection).get_columns(self._name)
        return Table(self._name, MetaData(), *(Column(one["name"], one["type"]) for one in columns))

    async def _query(self, connection: AsyncConnection, table: Table, query: Query) -> Select[tuple[Any, ...]]:
        names = {column.name.casefold(): column for column in table.columns}
        time = next((names[name] for name in _TIMES if name in names), None)
        if time is None:
            raise BackfillError(f"{self.where}: it has no column eventtime, calldate or start")
        order = [names[name] for name in _ORDERS if name in names]
        return await query(connection, time, order)

    async def _between(
        self, connection: AsyncConnection, time: Column[Any], order: Order, since: float, until: float
    ) -> Select[tuple[Any, ...]]:
        low, high = await self._bounds(connection, time, since - HOUR, until + HOUR)
        return select(time.table).where(time >= low, time <= high).order_by(time, *order).limit(MOST_ROWS)

    async def _bounds(
        self, connection: AsyncConnection, time: Column[Any], since: float, until: float
    ) -> tuple[object, object]:
        """Write two moments as the column has them; hours that come twice have an hour's margin."""
        if isinstance(time.type, DateTime):
            return (
                (self._clock.aware(since), self._clock.aware(until))
                if time.type.timezone
                else self._shown(since, until)
            )
        if isinstance(time.type, Numeric) or str(time.type).upper().startswith(("INT", "BIGINT")):
            return since, until
        sample = (await connection.execute(select(cast(time, Text)).where(time.is_not(None)).limit(1))).scalar()
        if sample and sample.partition(".")[0].isdecimal():
            return f"{since:.6f}", f"{until:.6f}"
        low, high = self._shown(since, until)
        return str(low), str(high)

    def _shown(self, since: float, until: float) -> tuple[object, object]:
        return self._clock.shown(since).replace(microsecond=0), self._clock.shown(until)


def _with_driver(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError, NoSuchModuleError) as fault:
        raise BackfillError("a database of records must be mysql://, postgresql:// or sqlite:///") from fault
    if backend == "sqlite":
        # Never made, never locked, never written.
        return parsed.set(
            drivername="sqlite+aiosqlite", database=f"file:{parsed.database}", query={"mode": "ro", "uri": "true"}
        )
    if backend in _DRIVERS:
        return parsed.set(drivername=_DRIVERS[backend])
    raise BackfillError("a database of records must be mysql://, postgresql:// or sqlite:///")


def _arguments(url: URL) -> dict[str, object]:
    match url.get_backend_name():
        case "mysql":
            return {"connect_timeout": CONNECT, "charset": "utf8mb4"}
        case "postgresql":
            return {"timeout": CONNECT}
        case _:
            return {}


def _value(value: object) -> Value:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def _words(fault: BaseException) -> str:
    cause = getattr(fault, "orig", None) or fault
    lines = str(cause).splitlines()
    return lines[0][:200] if lines else type(cause).__name__
