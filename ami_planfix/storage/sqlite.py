"""What SQLite alone has: one file, for its owner only, its settings, and what its faults mean."""

import asyncio
import errno
import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiosqlite
from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor, Dialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util.concurrency import await_

from ami_planfix.storage.short_way import BUSY_TIMEOUT, Pace, ShortConnection, is_lock, short_way

AGAIN = 0.02
"""Seconds until a lock for which SQLite does not wait is tried again."""
PAGE = 4096
"""Bytes of a page, as in every file that SQLite makes."""
LONGEST_LOG = 4000
"""Pages (16 MB) to which the log may grow; with pauses between transactions it begins anew long before."""
BEGIN = "ami_planfix_begin"
"""The execution option that says how a transaction begins; empty: not at all."""
IMMEDIATE = "BEGIN IMMEDIATE"
"""Takes the lock at once: a reader that turns writer may fail where a writer waits."""

REMEDIES = {
    "SQLITE_FULL": "the disk is full; make room",
    "SQLITE_READONLY": "it cannot be written; check the owner of the file and of its folder, and the mount",
    "SQLITE_CANTOPEN": "it cannot be opened; its folder must exist and belong to the daemon's user",
    "SQLITE_PERM": "its permissions forbid it; it must belong to the daemon's user",
    "SQLITE_CORRUPT": "the file is damaged; the daemon sets it aside and begins a new one",
    "SQLITE_NOTADB": "the file is no SQLite database, or damaged; is storage.url right?",
    "SQLITE_BUSY": "another process keeps it locked",
    "SQLITE_LOCKED": "another process keeps it locked",
    "SQLITE_IOERR": "the disk fails; the system's log (dmesg) has more",
}

LIKEWISE = {errno.EROFS: "SQLITE_READONLY", errno.ENOSPC: "SQLITE_FULL"}
"""What the system says where SQLite has not been asked yet."""


def is_damage(fault: BaseException) -> bool:
    """Tell whether a fault means that the file is no whole database any more."""
    name = getattr(fault, "sqlite_errorname", None) or ""
    # Tables that were there when it was opened are gone if the file was cut to nothing.
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or "no such table: " in str(fault)


def make_file(path: Path) -> None:
    """Make the file if there is none: it holds telephone numbers and a token. Its -wal and -shm are made alike."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


async def checkpoint(engine: AsyncEngine, how: str = "PASSIVE") -> int:
    """Carry what was committed from the log into the file; tell how many pages the log has."""
    async with engine.execution_options(**{BEGIN: ""}).connect() as connection:
        _, pages, _ = await short_way(connection).wait_for(f"PRAGMA wal_checkpoint({how})")
    return int(pages)


def begin(connection: AsyncConnection) -> None:
    """Begin to write, with the first statement; without SQLAlchemy, if that does not go through it."""
    short_way(connection).due = IMMEDIATE


async def commit(connection: AsyncConnection) -> None:
    """Commit what was begun; without SQLAlchemy, if no statement went through it."""
    await (connection.commit() if connection.in_transaction() else short_way(connection).end())


def _set(cursor: DBAPICursor, pragma: str) -> None:
    """Set a pragma. For `journal_mode` the file must be all ours for a moment: SQLite itself does not wait for that."""
    deadline = time.monotonic() + BUSY_TIMEOUT / 1000
    while True:
        try:
            cursor.execute(f"PRAGMA {pragma}")
        except sqlite3.OperationalError as fault:
            if not is_lock(fault) or time.monotonic() > deadline:
                raise
            await_(asyncio.sleep(AGAIN))
        else:
            return


async def _open(*args: Any, **options: Any) -> aiosqlite.Connection:
    """Open the file. Who gives up waits for the thread: it would tell an event loop that may be closed by then."""
    connection = aiosqlite.connect(*args, **options)
    connection._thread.daemon = True  # as SQLAlchemy has it
    opening = asyncio.ensure_future(connection)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        with suppress(sqlite3.Error):
            await opening
            await connection.close()
        raise


def tune(engine: AsyncEngine, durable: bool, most: int = 0) -> None:
    """Have each new connection set up as we need it; the file grows to `most` bytes, 0: without limit."""
    pragmas = [
        f"busy_timeout={BUSY_TIMEOUT}",
        "journal_mode=WAL",
        f"synchronous={'FULL' if durable else 'NORMAL'}",
        "foreign_keys=ON",
        "wal_autocheckpoint=0",  # a commit would wait for the disk; `checkpoint` does it beside
    ]
    if most:
        pragmas.append(f"max_page_count={most // PAGE}")
    pace = Pace()

    @event.listens_for(engine.sync_engine, "do_connect")
    def connecting(dialect: Dialect, _entry: ConnectionPoolEntry, args: Any, options: Any) -> DBAPIConnection:
        options["async_creator_fn"] = _open
        options["check_same_thread"] = False  # one at a time, here or there
        options["cached_statements"] = 500  # prepared ones; each number of values in an IN is another statement
        made: Any = dialect.connect(*args, **options)
        short: Any = ShortConnection(made.dbapi, made.driver_connection, pace)
        return short  # type: ignore[no-any-return]

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # Transactions begin where we say, not where Python's sqlite3 guesses.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            _set(cursor, pragma)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Connection) -> None:
        short: Any = connection.connection.dbapi_connection
        short.due = connection.get_execution_options().get(BEGIN, "BEGIN")
