"""What PostgreSQL alone has: an end to every wait, turns among daemons, LISTEN and NOTIFY, one clock for all.

A daemon that dies in a transaction is noticed by the server at once if its connection ends, and after
`IDLE_IN_TRANSACTION` or the keepalives if its whole machine went: for so long at most it holds what it locked.
"""

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

CONNECT_WITHIN = 5.0
ANSWER_WITHIN = 20.0
"""Seconds for one statement; more than another daemon may hold a lock."""
IDLE_IN_TRANSACTION = 8.0
"""Seconds after which the server ends a transaction whose daemon says nothing more."""
CHANNEL = "ami_planfix"
CHECK_EVERY = 10.0
"""Seconds between two looks at the listening connection, and at the server's clock."""
PARTING = 1.0
"""Seconds that it may take to say that we follow no more."""
SETTLED = 5.0
"""Seconds after the server's start until all who follow something have said so again, on a busy machine too."""
_TURNS, _BUCKETS = 0x616D6970, 256
_LOCK = text("SELECT count(pg_advisory_xact_lock(:turns, bucket)) FROM unnest(CAST(:buckets AS integer[])) AS bucket")
_SINCE_BITS = 39
"""Of an advisory lock's 63: hundredths of a second since 1970, until 2144. The others tell what is followed."""
_FOLLOW = "SELECT pg_advisory_lock_shared($1)"
_UNFOLLOW = "SELECT pg_advisory_unlock_shared($1)"
_COMPANY = (
    "SELECT count(*) FILTER (WHERE (key, pid) < ($1::bigint, pg_backend_pid())) AS seniors, "
    "count(*) FILTER (WHERE (key, pid) > ($1::bigint, pg_backend_pid())) AS juniors FROM ("
    "SELECT CAST(classid AS bigint) << 32 | CAST(objid AS bigint) AS key, pid FROM pg_locks "
    "WHERE locktype = 'advisory' AND objsubid = 1 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS following "
    "WHERE key >> $3 = $1::bigint >> $3 "
    "HAVING clock_timestamp() > pg_postmaster_start_time() + make_interval(secs => $2)"
)
_NOTIFY = text("SELECT pg_notify(:channel, :payload)")
_AWAY = ("08", "57P", "53300")
"""SQLSTATEs: the connection fails; the server ends, crashes or begins; it has too many connections."""
_CLOCK = "SELECT extract(epoch from clock_timestamp())::float8"


class Company(NamedTuple):
    """Those who follow the same thing as we do."""

    seniors: int
    """Have followed it for longer."""
    juniors: int


def connect_args(patient: bool = False) -> dict[str, Any]:
    """Tell how asyncpg connects; `patient`: statements may take as long as they do."""
    settings = {
        "application_name": "ami-planfix",
        "idle_in_transaction_session_timeout": str(int(IDLE_IN_TRANSACTION * 1000)),
        "tcp_keepalives_idle": "5",
        "tcp_keepalives_interval": "2",
        "tcp_keepalives_count": "3",
    }
    return {
        "timeout": CONNECT_WITHIN,
        "command_timeout": None if patient else ANSWER_WITHIN,
        "server_settings": settings,
    }


def reader(engine: AsyncEngine) -> AsyncEngine:
    """Give what reads all of a transaction as it was at one moment: by itself each statement has one of its own."""
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def is_away(fault: BaseException) -> bool:
    """Tell whether a server is not there just now, rather than refuses or fails what it was asked."""
    cause = fault.orig if isinstance(fault, DBAPIError) and fault.orig is not None else fault
    state = str(getattr(cause, "sqlstate", None) or "")
    return isinstance(cause, OSError) or state.startswith(_AWAY)


async def take_turns(connection: AsyncConnection, names: Iterable[str]) -> None:
    """Wait until no other transaction has the turn of one of these names; keep it to the end of this one.

    Names share a bounded number of turns, so that a backlog of any size fits the server's table of locks; taken in
    one order by all, so that nobody waits in a circle.
    """
    buckets = sorted({zlib.crc32(name.encode()) % _BUCKETS for name in names})
    if buckets:
        await connection.execute(_LOCK, {"turns": _TURNS, "buckets": buckets})


async def notify(connection: AsyncConnection, payload: str) -> None:
    """Tell all who listen, once this transaction is committed."""
    await connection.execute(_NOTIFY, {"channel": CHANNEL, "payload": payload})


@asynccontextmanager
async def listening(
    url: URL, heard: Callable[[str], None], measured: Callable[[float], None]
) -> AsyncIterator["asyncio.Future[None]"]:
    """Listen; gives what is done when the connection is lost. `measured` is told the server's clock now and then."""
    async with _kept(url) as (driver, gone):
        await driver.add_listener(CHANNEL, lambda *told: heard(str(told[3])))
        watching = asyncio.create_task(_watch(driver, measured, gone))
        try:
            yield gone
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


@asynccontextmanager
async def following(
    url: URL, what: str, since: float
) -> AsyncIterator[tuple[Callable[[], Awaitable[Company]], "asyncio.Future[None]"]]:
    """Follow something as long as the context lasts, and have done so `since` (of the server's clock, in seconds).

    Gives what counts the others, and what is done when the connection is lost. The server itself sees who is gone, at
    once: it is a lock of a connection of its own. One that has just started again is given `SETTLED` seconds for all
    to come back before they are counted.
    """
    key = zlib.crc32(what.encode()) >> (32 - 63 + _SINCE_BITS) << _SINCE_BITS | round(100 * since)
    async with _kept(url) as (driver, gone):
        await driver.execute(_FOLLOW, key)
        turn = asyncio.Lock()

        async def company() -> Company:
            while True:
                async with turn:
                    found = await driver.fetchrow(_COMPANY, key, SETTLED, _SINCE_BITS)
                if found is not None:
                    return Company(*found)
                await asyncio.sleep(SETTLED / 10)

        try:
            yield company, gone
        finally:
            # To end the connection is enough, but takes a moment in which we would take ourselves for a senior.
            with suppress(Exception):
                async with asyncio.timeout(PARTING), turn:
                    await driver.execute(_UNFOLLOW, key)


@asynccontextmanager
async def _kept(url: URL) -> AsyncIterator[tuple[Any, "asyncio.Future[None]"]]:
    """Give a connection of its own, the driver's, and what is done when it is lost."""
    engine = create_async_engine(url, poolclass=NullPool, connect_args=connect_args())
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def end(*_: object) -> None:
        _done(gone)

    try:
        async with engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            driver.add_termination_listener(end)
            try:
                yield driver, gone
            finally:
                driver.remove_termination_listener(end)
                driver.terminate()
    finally:
        await engine.dispose()


async def ahead(connection: AsyncConnection) -> float:
    """Tell how many seconds the server's clock is ahead of our monotonic one."""
    before = time.monotonic()
    now = (await connection.exec_driver_sql(_CLOCK)).scalar_one()
    return float(now) - (before + time.monotonic()) / 2


async def _watch(driver: Any, measured: Callable[[float], None], gone: "asyncio.Future[None]") -> None:
    """A host that is gone ends no connection: ask now and then."""
    while True:
        await asyncio.sleep(CHECK_EVERY)
        before = time.monotonic()
        try:
            now = await driver.fetchval(_CLOCK, timeout=CONNECT_WITHIN)
        except Exception:
            _done(gone)
            return
        measured(now - (before + time.monotonic()) / 2)


def _done(gone: "asyncio.Future[None]") -> None:
    if not gone.done():
        gone.set_result(None)
