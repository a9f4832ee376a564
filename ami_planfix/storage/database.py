"""The database: read and written in transactions, its faults put into words.

SQLite in one file (WAL) or PostgreSQL; all that is above this module is the same for both. SQLite has one
writer at a time: ours take turns here, without SQLite's own waiting, which is coarse; its `busy_timeout` is
for other processes (`ami-planfix deliveries`). What was committed is carried from SQLite's log into the file beside
them, so that no commit waits for the disk (but with `durable`).

Whatever fails is said once, here, and once more when it is over: those who read and write try again by themselves.
"""

import asyncio
import json
import secrets
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Self

import structlog
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql as postgresql_dialect
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from ami_planfix.errors import StorageAway, StorageDamaged, StorageError, StorageRefused
from ami_planfix.storage import postgresql, sqlite
from ami_planfix.storage.postgresql import Company

log = structlog.get_logger("ami_planfix.storage")

STUCK_FILE, STUCK_SERVER = 60.0, 300.0
"""Seconds after which a write that neither ends nor fails never will; a server's statements have a limit each."""
CHECKPOINT_EVERY = 100
"""Transactions; about a thousand pages of the log."""
READERS_WITHIN = 10.0
"""Seconds for which a file that is to be replaced waits for who reads it."""


class Database:
    """An open database; `schema.open_database` makes one whose tables are up to date."""

    def __init__(self, url: str, durable: bool = False, most: int = 0) -> None:
        """`most`: bytes to which a file may grow, 0: without limit."""
        self._url = _with_driver(url)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        self.patience = STUCK_FILE if self.is_sqlite else STUCK_SERVER
        """Seconds that a write may take."""
        self._where = (self._url.database or "") if self.is_sqlite else self._url.set(query={}).render_as_string()
        self._turn: asyncio.Lock | nullcontext[None] = asyncio.Lock() if self.is_sqlite else nullcontext()
        self._readers = 0
        self._nobody_reads, self._may_read = asyncio.Event(), asyncio.Event()
        self._nobody_reads.set()
        self._may_read.set()
        self.trouble = ""
        """What is wrong, as long as nothing can be written."""
        self.failing_since: float | None = None
        """Since when nothing can be written (`time.monotonic`)."""
        self.damaged = asyncio.Event()
        """The file turned out to be no whole database."""
        self._listeners: list[Callable[[str], None]] = []
        self._restorers: list[Callable[[], Awaitable[None]]] = []
        self._uncarried = 0
        """Transactions since what was committed was carried into the file."""
        self._carrying: asyncio.Task[None] | None = None
        self._me = secrets.token_hex(8)
        self._ahead: float | None = None
        """How much the server's clock is ahead of our monotonic one."""
        if self.is_sqlite:
            with self._in_words():
                sqlite.make_file(Path(self._where))
        self._durable, self._most = durable, most
        self._writing: AsyncConnection | None = None
        """SQLite's only writer; to fetch it from the pool and bring it back is dearer than most transactions."""
        self._connect()

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with what is wrong when writing begins to fail, and with `""` when it works again."""
        self._listeners.append(listener)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection within a transaction: all of it or nothing; raise StorageError."""
        try:
            with self._in_words():
                async with self._turn, self._transaction() as connection:
                    yield connection
        except StorageError as fault:
            self._fails(str(fault))
            raise
        self._works()
        self._carry_later()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection that sees one moment of the database; raise StorageError."""
        async with self._reading(), self._reader.connect() as connection:
            yield connection

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[None]:
        await self._may_read.wait()
        self._readers += 1
        self._nobody_reads.clear()
        try:
            with self._in_words():
                yield
        finally:
            self._readers -= 1
            if not self._readers:
                self._nobody_reads.set()

    @asynccontextmanager
    async def set_down(self) -> AsyncIterator[Path]:
        """Let nobody read or write for a while, in which the file may be replaced (SQLite)."""
        async with self._turn:
            self._may_read.clear()
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(READERS_WITHIN):
                        await self._nobody_reads.wait()
                await self._disconnect()
                yield self.path
            finally:
                self._may_read.set()

    @property
    def path(self) -> Path:
        """Tell which file it is (SQLite)."""
        return Path(self._where)

    def when_renewed(self, restore: Callable[[], Awaitable[None]]) -> None:
        """Have `restore` write again what memory knows, after a damaged file has been replaced."""
        self._restorers.append(restore)

    async def tell_renewed(self) -> None:
        """Take note that what was unreadable is missing in the new file; raises StorageError."""
        for restore in self._restorers:
            await restore()

    async def use(self, path: Path, most: int = 0) -> None:
        """Read and write another file from now on, within `set_down`."""
        await self._disconnect()
        self._url = self._url.set(database=str(path))
        self._where, self._most = str(path), most
        self.failing_since, self.trouble = None, ""
        self._connect()

    @asynccontextmanager
    async def change_tables(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection within a transaction that may take its time; raise StorageError."""
        if self.is_sqlite:
            async with self.write() as connection:
                yield connection
            return
        engine = self._make_engine(patient=True)
        try:
            with self._in_words():
                async with engine.begin() as connection:
                    yield connection
        finally:
            await engine.dispose()

    def insert(self, table: Table) -> sqlite_dialect.Insert | postgresql_dialect.Insert:
        """Begin an INSERT that may say `ON CONFLICT`, which both have and standard SQL has not."""
        return sqlite_dialect.insert(table) if self.is_sqlite else postgresql_dialect.insert(table)

    async def take_turns(self, connection: AsyncConnection, names: Iterable[str]) -> None:
        """Let other daemons' transactions about the same names end first, and wait for this one's end."""
        if not self.is_sqlite:
            await postgresql.take_turns(connection, names)

    async def sync(self) -> None:
        """Wait until all that was written is on the disk itself (PostgreSQL does in each commit)."""
        if self.is_sqlite:
            with self._in_words():
                async with self._turn:
                    await sqlite.checkpoint(self._engine, "FULL")

    # Other daemons on the same database: a server's only

    @property
    def is_shared(self) -> bool:
        """Tell whether other daemons may use it too."""
        return not self.is_sqlite

    @property
    def skew(self) -> float:
        """Tell how many seconds the clock that leases go by is ahead of this machine's."""
        return 0.0 if self._ahead is None else self._ahead + time.monotonic() - time.time()

    async def measure_clock(self) -> None:
        """Compare the server's clock with ours."""
        if not self.is_sqlite:
            async with self.read() as connection:
                self._ahead = await postgresql.ahead(connection)

    async def notify(self, connection: AsyncConnection, topic: str, pbx: str) -> None:
        """Tell the other daemons that something was written, once it is committed."""
        if not self.is_sqlite:
            await postgresql.notify(connection, json.dumps([topic, pbx, self._me]))

    @asynccontextmanager
    async def listening(self, heard: Callable[[str, str], None]) -> AsyncIterator["asyncio.Future[None]"]:
        """Have `heard` told topic and pbx of what others write; gives what is done when it hears nothing any more."""

        def take(payload: str) -> None:
            try:
                topic, pbx, whose = json.loads(payload)
            except (ValueError, TypeError, RecursionError):
                return  # not from one of us: whoever may connect may notify
            if whose != self._me:
                heard(topic, pbx)

        def measured(ahead: float) -> None:
            self._ahead = ahead

        with self._in_words():
            async with postgresql.listening(self._url, take, measured) as gone:
                yield gone

    @asynccontextmanager
    async def following(
        self, what: str, since: float
    ) -> AsyncIterator[tuple[Callable[[], Awaitable[Company]], "asyncio.Future[None]"]]:
        """Follow something for others to see, `since` a time of the clock that all share.

        Gives what counts those others, and what is done when nobody can see it any more.
        """
        if self.is_sqlite:
            yield _nobody, asyncio.get_running_loop().create_future()
            return
        with self._in_words():
            async with postgresql.following(self._url, what, since) as (company, gone):

                async def in_words() -> Company:
                    with self._in_words():
                        return await company()

                yield in_words, gone

    async def close(self) -> None:
        """Close all connections."""
        if self._carrying is not None:
            await self._carrying
        await self._disconnect()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _carry_later(self) -> None:
        self._uncarried += 1
        if self.is_sqlite and self._uncarried >= CHECKPOINT_EVERY and (not self._carrying or self._carrying.done()):
            self._uncarried = 0
            self._carrying = asyncio.create_task(self._carry())

    async def _carry(self) -> None:
        """Carry what was committed into the file while others write; if the log grows nevertheless, without others."""
        with suppress(StorageError):  # as the next commit will find
            async with self._reading():
                pages = await sqlite.checkpoint(self._engine)
            if pages > sqlite.LONGEST_LOG:
                async with self._turn, self._reading():
                    await sqlite.checkpoint(self._engine)

    def _connect(self) -> None:
        self._engine = self._make_engine()
        if self.is_sqlite:
            sqlite.tune(self._engine, self._durable, self._most)
        self._writer = self._engine.execution_options(**{sqlite.BEGIN: sqlite.IMMEDIATE})
        self._reader = self._engine if self.is_sqlite else postgresql.reader(self._engine)

    async def _disconnect(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing.close()
        await self._engine.dispose()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        if not self.is_sqlite:
            async with self._engine.begin() as connection:
                yield connection
            return
        connection, self._writing = self._writing or await self._writer.connect(), None
        try:
            sqlite.begin(connection)
            yield connection
            await sqlite.commit(connection)
        except BaseException:
            await asyncio.shield(connection.close())  # back to the pool, which undoes what was done
            raise
        self._writing = connection

    def _fails(self, words: str) -> None:
        if self.failing_since is None:
            self.failing_since = time.monotonic()
        if words != self.trouble:
            self.trouble = words
            log.error("database not written", error=words, consequence="tried again until it works")
            self._tell()

    def _works(self) -> None:
        if self.failing_since is not None:
            log.info("database written again", after=round(time.monotonic() - self.failing_since, 1))
            self.failing_since, self.trouble = None, ""
            self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener(self.trouble)

    def _make_engine(self, patient: bool = False) -> AsyncEngine:
        if self.is_sqlite:
            return create_async_engine(self._url, pool_size=5, max_overflow=5, pool_use_lifo=True, hide_parameters=True)
        return create_async_engine(
            self._url,
            pool_size=5,
            max_overflow=5,
            pool_timeout=postgresql.ANSWER_WITHIN,
            hide_parameters=True,
            pool_pre_ping=True,
            connect_args=postgresql.connect_args(patient),
        )

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except _faults() as fault:
            words = f"database {self._where}: {in_words(fault)}"
            if self.is_sqlite and sqlite.is_damage(_cause(fault)):
                self.damaged.set()
                raise StorageDamaged(words) from fault
            away = not self.is_sqlite and postgresql.is_away(fault)
            raise (StorageAway if away else StorageError)(words) from fault


async def _nobody() -> Company:
    return Company(seniors=0, juniors=0)


def exists(url: str) -> bool:
    """Tell whether there is something to open: a server always, a file once it has been made."""
    parsed = make_url(url)
    return parsed.get_backend_name() != "sqlite" or Path(parsed.database or "").exists()


def _with_driver(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError):
        backend = ""
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
    if backend not in drivers:
        raise StorageRefused("storage.url must be sqlite:////PATH or postgresql://USER:PASSWORD@HOST/DATABASE")
    return parsed.set(drivername=drivers[backend])


def _faults() -> tuple[type[Exception], ...]:
    driver = sys.modules.get("asyncpg")  # what fails while it connects, SQLAlchemy passes on as it is
    own = (driver.PostgresError, driver.InterfaceError) if driver is not None else ()
    return DBAPIError, PoolTimeoutError, sqlite3.Error, OSError, *own


def _cause(fault: BaseException) -> BaseException:
    return fault.orig if isinstance(fault, DBAPIError) and fault.orig is not None else fault


def in_words(fault: BaseException) -> str:
    """Say what a fault means and what to do."""
    cause = _cause(fault)
    name = getattr(cause, "sqlite_errorname", "")
    for prefix, remedy in sqlite.REMEDIES.items():
        if isinstance(name, str) and name.startswith(prefix):
            return remedy
    if isinstance(cause, TimeoutError):
        return "the server did not answer in time"
    if isinstance(cause, ConnectionError):
        return f"{cause.strerror or cause}; is the server running, and does it listen there?"
    if isinstance(cause, OSError) and cause.errno in sqlite.LIKEWISE:
        return sqlite.REMEDIES[sqlite.LIKEWISE[cause.errno]]
    if isinstance(cause, OSError) and cause.strerror:
        return f"{cause.strerror}; it must exist and belong to the daemon's user"
    lines = str(cause).splitlines()
    return lines[0][:200] if lines else type(cause).__name__
