"""A connection to SQLite whose statements take the shortest way.

SQLite's driver has a thread of its own, SQLAlchemy goes there four times for each statement (for a cursor, to execute,
to fetch, to close), and each way there and back costs more processor time than most of our statements. So a statement
that was quick the last time is executed here, at once. One that is new, large or slow, or that finds the file locked by
another process, goes to the thread, once; and so does the commit of a change, if the last one had to wait for the disk.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from time import perf_counter
from typing import Any

from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection, AsyncAdapt_aiosqlite_cursor
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.util import immutabledict
from sqlalchemy.util.concurrency import await_

BUSY_TIMEOUT = 5000
"""Milliseconds to wait for another process that writes."""
QUICK = 0.001
"""Seconds; what takes longer goes to the thread the next time: nothing else happens here meanwhile."""
FEW = 200
"""Rows of parameters; with more a statement goes to the thread."""
SHORT = 4000
"""Characters of a statement; a longer one has many values in it."""
MOST_KNOWN = 1000
"""Statements of which it is known that they are quick."""
_COMMIT = "COMMIT"
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class Pace:
    """Which statements were quick the last time."""

    def __init__(self) -> None:
        self._quick: set[str] = set()

    def is_quick(self, statement: str) -> bool:
        """Tell whether it was."""
        return statement in self._quick

    def took(self, statement: str, seconds: float) -> None:
        """Take note."""
        if seconds > QUICK or len(statement) > SHORT:
            self._quick.discard(statement)
        elif statement not in self._quick:
            if len(self._quick) >= MOST_KNOWN:
                self._quick.clear()
            self._quick.add(statement)


class ShortCursor(AsyncAdapt_aiosqlite_cursor):
    """Executes a statement and fetches all that it gives in one step."""

    __slots__ = ("_description", "_lastrowid", "_rowcount")

    def __init__(self, adapt_connection: "ShortConnection") -> None:
        self._adapt_connection: ShortConnection = adapt_connection
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
        await self._do(operation, lambda raw: raw.execute(operation, parameters or ()), few=True)

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> None:
        few = len(seq_of_parameters) <= FEW
        await self._do(operation, lambda raw: raw.executemany(operation, seq_of_parameters), few=few)

    async def _do(self, statement: str, execute: Callable[[sqlite3.Connection], sqlite3.Cursor], *, few: bool) -> None:
        def work(raw: sqlite3.Connection) -> Sequence[Any]:
            cursor = execute(raw)
            try:
                rows = cursor.fetchall() if cursor.description else ()
                self._description = cursor.description
                self._rowcount, self._lastrowid = cursor.rowcount, cursor.lastrowid or 0
                return rows
            finally:
                cursor.close()

        async with self._adapt_connection._execute_mutex:
            self._rows = deque(await self._adapt_connection.do(statement, work, few=few))


class ShortConnection(AsyncAdapt_aiosqlite_connection):
    """Chooses the way. What begins a transaction goes with its first statement."""

    __slots__ = ("_changes", "_pace", "_returned", "_sent", "due")
    _cursor_cls: type[AsyncAdapt_aiosqlite_cursor] = ShortCursor

    def __init__(self, dbapi: Any, connection: Any, pace: Pace) -> None:
        super().__init__(dbapi, connection)
        self.due = ""
        """What begins the transaction, until it was said."""
        self._pace = pace
        self._changes = 0
        """Rows that had ever been changed when the transaction began."""
        self._sent = self._returned = 0
        """Ways to the thread; who gave up waiting does not know whether the thread is done."""

    async def do(self, statement: str, work: Callable[[sqlite3.Connection], Any], *, few: bool) -> Any:
        """Do what a statement needs, here or in the thread."""
        begin, self.due = self.due, ""

        def step() -> Any:
            raw = self._raw
            started = perf_counter()
            if begin and not raw.in_transaction:
                raw.execute(begin)
                self._changes = raw.total_changes
            found = work(raw)
            self._pace.took(statement, perf_counter() - started if few else inf)
            return found

        if few and self._is_back and self._pace.is_quick(statement):
            try:
                return self._unless_locked(step) if begin else step()
            except sqlite3.OperationalError as fault:
                if not is_lock(fault):
                    raise
        return await self._there(step)

    def cursor(self, server_side: bool = False) -> Any:
        """Make a cursor (DBAPI)."""
        if server_side and self.due:
            begin, self.due = self.due, ""
            super().cursor().execute(begin)
        return super().cursor(server_side)

    def commit(self) -> None:
        """Commit (DBAPI)."""
        try:
            await_(self.end())
        except Exception as error:
            self._handle_exception(error)

    def rollback(self) -> None:
        """Roll back, if there is something (DBAPI): the pool asks for it after each commit."""
        self.due = ""
        if not self._raw.in_transaction:
            return
        if self._is_back:
            self._raw.rollback()
        else:
            super().rollback()

    async def end(self) -> None:
        """Commit."""
        if self.due:
            self.due = ""
            return
        raw = self._raw
        changes = raw.total_changes - self._changes

        def step() -> None:
            started = perf_counter()
            raw.commit()
            if changes:
                self._pace.took(_COMMIT, perf_counter() - started)

        if self._is_back and (not changes or (changes <= FEW and self._pace.is_quick(_COMMIT))):
            step()
        else:
            await self._there(step)

    async def wait_for(self, statement: str) -> Any:
        """Execute what waits for the disk, in the thread; the first row that it gives."""

        def step() -> Any:
            return self._raw.execute(statement).fetchone()

        return await self._there(step)

    @property
    def _raw(self) -> sqlite3.Connection:
        raw: sqlite3.Connection = self.driver_connection._conn
        return raw

    @property
    def _is_back(self) -> bool:
        return self._sent == self._returned

    def _unless_locked(self, step: Callable[[], Any]) -> Any:
        """Do it, or fail at once: SQLite must not wait here."""
        self._raw.execute("PRAGMA busy_timeout=0")
        try:
            return step()
        finally:
            self._raw.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT}")

    async def _there(self, work: Callable[[], Any]) -> Any:
        def counted() -> Any:
            try:
                return work()
            finally:
                self._returned += 1

        self._sent += 1
        return await self.driver_connection._execute(counted)


def is_lock(fault: sqlite3.OperationalError) -> bool:
    """Tell whether it says that somebody else keeps the file locked."""
    return fault.sqlite_errorcode & 0xFF in _LOCKED


def short_way(connection: AsyncConnection) -> ShortConnection:
    """Find what is below a connection to SQLite."""
    short: Any = connection.sync_connection.connection.dbapi_connection  # type: ignore[union-attr]
    return short  # type: ignore[no-any-return]
