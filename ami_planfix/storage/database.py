"""The database: read and written in transactions, its faults put into words.

SQLite in one file (WAL) or PostgreSQL; all that is above this module is the same for both. SQLite has one
writer at a time: ours take turns here, without SQLite's own waiting, which is coarse; its `busy_timeout` is
for other processes (`ami-planfix deliveries`).
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Self

from sqlalchemy import Table, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from ami_planfix.errors import StorageError

BUSY_TIMEOUT = 5000
"""Milliseconds to wait for another process that writes."""
STUCK_FILE, STUCK_SERVER = 60.0, 1200.0
"""Seconds after which a write that neither ends nor fails never will: a file's at once, a server's when TCP too has
given it up (a quarter of an hour), since what memory holds until then is not lost."""
_BEGIN = "ami_planfix_begin"

_REMEDIES = {
    "SQLITE_FULL": "the disk is full; make room",
    "SQLITE_READONLY": "it cannot be written; check the owner of the file and of its folder, and the mount",
    "SQLITE_CANTOPEN": "it cannot be opened; its folder must exist and belong to the daemon's user",
    "SQLITE_PERM": "its permissions forbid it; it must belong to the daemon's user",
    "SQLITE_CORRUPT": "the file is damaged; stop the daemon, put the file aside, restore a copy or start anew",
    "SQLITE_NOTADB": "the file is no SQLite database; is storage.url right?",
    "SQLITE_BUSY": "another process keeps it locked",
    "SQLITE_LOCKED": "another process keeps it locked",
    "SQLITE_IOERR": "the disk fails; the system's log (dmesg) has more",
}


class Database:
    """An open database; `schema.open_database` makes one whose tables are up to date."""

    def __init__(self, url: str, durable: bool = False) -> None:
        parsed = _with_driver(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.patience = STUCK_FILE if self.is_sqlite else STUCK_SERVER
        """Seconds that a write may take."""
        self._where = (parsed.database or "") if self.is_sqlite else parsed.render_as_string()
        self._turn: asyncio.Lock | nullcontext[None] = asyncio.Lock() if self.is_sqlite else nullcontext()
        if self.is_sqlite:
            self._make_file()
        self._engine = create_async_engine(
            parsed, pool_size=5, max_overflow=5, hide_parameters=True, pool_pre_ping=not self.is_sqlite
        )
        if self.is_sqlite:
            self._tune_sqlite("FULL" if durable else "NORMAL")
        self._writer = self._engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection within a transaction: all of it or nothing; raise StorageError."""
        with self._in_words():
            async with self._turn, self._writer.begin() as connection:
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection that sees one moment of the database; raise StorageError."""
        with self._in_words():
            async with self._engine.connect() as connection:
                yield connection

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Begin an INSERT that may say `ON CONFLICT`, which both have and standard SQL has not."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    async def sync(self) -> None:
        """Wait until all that was written is on the disk itself (PostgreSQL does in each commit)."""
        if self.is_sqlite:
            with self._in_words():
                outside = self._engine.execution_options(**{_BEGIN: ""})
                async with self._turn, outside.connect() as connection:
                    await connection.exec_driver_sql("PRAGMA wal_checkpoint(FULL)")

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _make_file(self) -> None:
        # It holds telephone numbers and a token: for its owner alone. Its -wal and -shm are made alike.
        with self._in_words():
            os.close(os.open(self._where, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def _tune_sqlite(self, synchronous: str) -> None:
        pragmas = (
            f"busy_timeout={BUSY_TIMEOUT}",
            "journal_mode=WAL",
            f"synchronous={synchronous}",
            "foreign_keys=ON",
        )

        @event.listens_for(self._engine.sync_engine, "connect")
        def connected(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
            # Transactions begin where we say, not where Python's sqlite3 guesses.
            connection.isolation_level = None
            cursor = connection.cursor()
            for pragma in pragmas:
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        @event.listens_for(self._engine.sync_engine, "begin")
        def begun(connection: Connection) -> None:
            # IMMEDIATE takes the lock at once: a reader that turns writer may fail where a writer waits.
            begin = connection.get_execution_options().get(_BEGIN, "BEGIN")
            if begin:
                connection.exec_driver_sql(begin)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, PoolTimeoutError, sqlite3.Error, OSError) as fault:
            raise StorageError(f"database {self._where}: {_words(fault)}") from fault


def exists(url: str) -> bool:
    """Tell whether there is something to open: a server always, a file once it has been made."""
    parsed = make_url(url)
    return parsed.get_backend_name() != "sqlite" or os.path.exists(parsed.database or "")


def _with_driver(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError):
        backend = ""
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
    if backend not in drivers:
        raise StorageError("storage.url must be sqlite:////PATH or postgresql://USER:PASSWORD@HOST/DATABASE")
    return parsed.set(drivername=drivers[backend])


def _words(fault: Exception) -> str:
    cause = fault.orig if isinstance(fault, DBAPIError) and fault.orig is not None else fault
    name = getattr(cause, "sqlite_errorname", "")
    for prefix, remedy in _REMEDIES.items():
        if isinstance(name, str) and name.startswith(prefix):
            return remedy
    if isinstance(cause, OSError) and cause.strerror:
        return f"{cause.strerror}; it must exist and belong to the daemon's user"
    lines = str(cause).splitlines()
    return lines[0][:200] if lines else type(cause).__name__
