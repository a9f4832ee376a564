"""What SQLite alone has: one file, for its owner only, its settings, and what its faults mean.

SQLite runs in a thread of its own. SQLAlchemy goes there four times for each statement (for a cursor, to execute, to
fetch, to close), and each way there and back costs more than most of our statements: here it goes once.
"""

import os
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection, AsyncAdapt_aiosqlite_cursor
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import immutabledict

BUSY_TIMEOUT = 5000
"""Milliseconds to wait for another process that writes."""
BEGIN = "ami_planfix_begin"
"""The execution option that says how a transaction begins; empty: not at all."""

REMEDIES = {
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


def make_file(path: Path) -> None:
    """Make the file if there is none: it holds telephone numbers and a token. Its -wal and -shm are made alike."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def tune(engine: AsyncEngine, durable: bool) -> None:
    """Have each new connection set up as we need it."""
    pragmas = (
        f"busy_timeout={BUSY_TIMEOUT}",
        "journal_mode=WAL",
        f"synchronous={'FULL' if durable else 'NORMAL'}",
        "foreign_keys=ON",
    )

    @event.listens_for(engine.sync_engine, "do_connect")
    def connecting(dialect: Dialect, _entry: ConnectionPoolEntry, args: Any, options: Any) -> DBAPIConnection:
        made: Any = dialect.connect(*args, **options)
        one_way: Any = _OneWayConnection(made.dbapi, made.driver_connection)
        return one_way  # type: ignore[no-any-return]

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # Transactions begin where we say, not where Python's sqlite3 guesses.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Connection) -> None:
        # IMMEDIATE takes the lock at once: a reader that turns writer may fail where a writer waits.
        begin = connection.get_execution_options().get(BEGIN, "BEGIN")
        if begin:
            connection.exec_driver_sql(begin)


class _OneWayCursor(AsyncAdapt_aiosqlite_cursor):
    """Executes a statement and fetches all that it gives on one way to SQLite's thread."""

    __slots__ = ("_description", "_lastrowid", "_rowcount")

    def __init__(self, adapt_connection: "_OneWayConnection") -> None:
        self._adapt_connection = adapt_connection
        self._connection = adapt_connection._connection
        self._soft_closed_memoized = immutabledict()
        self._rows = deque()
        self._description: Any = None
        self._rowcount = -1
        self._lastrowid = 0

    @property
    def description(self) -> Any:
        """Name the columns (DBAPI)."""
        return self._description

    @property
    def rowcount(self) -> int:
        """Count the rows that were changed (DBAPI)."""
        return self._rowcount

    @property
    def lastrowid(self) -> int:
        """Tell the number of the row that was added last (DBAPI)."""
        return self._lastrowid

    def close(self) -> None:
        """Forget what was fetched (DBAPI); SQLite's cursor is closed already."""
        self._rows.clear()

    async def _async_soft_close(self) -> None:
        pass

    async def _execute_async(self, operation: Any, parameters: Any) -> None:
        await self._go(lambda raw: raw.execute(operation, parameters or ()))

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> None:
        await self._go(lambda raw: raw.executemany(operation, seq_of_parameters))

    async def _go(self, execute: Callable[[sqlite3.Connection], sqlite3.Cursor]) -> None:
        def there() -> Sequence[Any]:
            cursor = execute(connection._conn)
            try:
                rows = cursor.fetchall() if cursor.description else ()
                self._description = cursor.description
                self._rowcount, self._lastrowid = cursor.rowcount, cursor.lastrowid or 0
                return rows
            finally:
                cursor.close()

        connection: Any = self._connection
        async with self._adapt_connection._execute_mutex:
            self._rows = deque(await connection._execute(there))


class _OneWayConnection(AsyncAdapt_aiosqlite_connection):
    __slots__ = ()
    _cursor_cls: type[AsyncAdapt_aiosqlite_cursor] = _OneWayCursor

    def rollback(self) -> None:
        """Roll back, if there is something (DBAPI): the pool asks for it after each commit."""
        if self.driver_connection.in_transaction:
            super().rollback()
