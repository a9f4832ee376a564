"""Statements that are executed again and again: written once, and on SQLite past SQLAlchemy.

SQLAlchemy looks each statement up, makes a context and a result, and changes greenlets: 0.1 ms of processor time, many
times what SQLite needs for most of ours. On PostgreSQL, where the way over the network is dearer, it is left to it.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Select
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import UpdateBase

from ami_planfix.storage.short_way import FEW, ShortConnection, short_way

Values = Mapping[str, object]
"""Of its parameters, by name."""


class Prepared:
    """One statement; a list of values in it would make another one of it each time."""

    def __init__(self, statement: Select[Any] | UpdateBase) -> None:
        self.statement = statement
        self._short: _Short | None = None

    async def rows(self, connection: AsyncConnection, values: Values) -> Sequence[Any]:
        """Execute it; all rows that it gives, their columns by name."""
        if connection.dialect.name == "sqlite":
            return await self._in_sqlite(connection, (values,))
        return (await connection.execute(self.statement, values)).all()

    async def each(self, connection: AsyncConnection, many: Sequence[Values]) -> Sequence[Any]:
        """Execute it with each of these, at least one; all rows that they give, in their order."""
        if connection.dialect.name == "sqlite":
            return await self._in_sqlite(connection, many)
        if isinstance(self.statement, Select):
            return [row for values in many for row in await self.rows(connection, values)]
        result = await connection.execute(self.statement, many)
        return result.all() if result.returns_rows else ()

    async def _in_sqlite(self, connection: AsyncConnection, many: Sequence[Values]) -> Sequence[Any]:
        if self._short is None:
            self._short = _Short(self.statement, connection.dialect)
        return await self._short.each(short_way(connection), many)


class _Short:
    """A statement in SQLite's own words."""

    def __init__(self, statement: Select[Any] | UpdateBase, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self._words = str(compiled)
        if compiled.post_compile_params:
            raise ValueError(f"a list of values makes another statement of it each time: {self._words}")
        self._order: list[str] = compiled.positiontup
        self._fixed = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        self._row: Callable[[Iterable[object]], Any] | None = None

    async def each(self, short: ShortConnection, many: Sequence[Values]) -> Sequence[Any]:
        fixed, order, words = self._fixed, self._order, self._words
        parameters = [[given[name] for name in order] for given in ({**fixed, **values} for values in many)]

        def work(raw: sqlite3.Connection) -> Sequence[Any]:
            found: list[Any] = []
            for one in parameters:
                cursor = raw.execute(words, one)
                if cursor.description:
                    found += map(self._made(cursor), cursor)
            return found

        found: Sequence[Any] = await short.do(words, work, few=len(many) <= FEW)
        return found

    def _made(self, cursor: sqlite3.Cursor) -> Callable[[Iterable[object]], Any]:
        if self._row is None:
            columns = " ".join(column[0] for column in cursor.description)
            row: Any = namedtuple("Row", columns, rename=True)  # type: ignore[misc]
            self._row = row._make
        return self._row
