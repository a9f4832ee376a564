"""What is known of each call's recording: a row that says which files, how far it is, and why."""

import asyncio
import json
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import ColumnElement, Row, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ami_planfix.calls.reports import CallId, Report
from ami_planfix.storage.database import Database
from ami_planfix.storage.tables import recordings as rows

_Row = Row[tuple[object, ...]]
_STEP = 200
_BREATH = 0.05


class Progress(StrEnum):
    """How far a recording has come."""

    WAITING = "waiting"
    """Its files are not final yet."""
    LINKED = "linked"
    """Planfix has, or gets, its link."""
    MISSING = "missing"
    """Its files did not appear."""


class Entry(NamedTuple):
    """One call's recording; times in seconds since the epoch."""

    callid: CallId
    at: float
    """When the conversation ended."""
    files: tuple[str, ...]
    """Names as Asterisk told them, in order; never empty."""
    progress: Progress
    detail: str
    """For a person: what it waits for, what is missing."""
    expires: float | None
    """When its link ends; None: never."""


class Ledger:
    """The recordings of one PBX (`ami.name`)."""

    def __init__(self, database: Database, pbx: str = "") -> None:
        self.database = database
        self._pbx = pbx

    async def put(self, connection: AsyncConnection, reports: Iterable[Report]) -> int:
        """Note the recordings of completed parts, in the transaction of their reports; tell how many are new.

        The same report once more changes nothing; a later one of the same call (`calls.transfers: each`) adds files.
        """
        noted = 0
        for report in reports:
            files = _named_once(report.recordings)
            if not files:
                continue
            values = {"pbx": self._pbx, "callid": report.callid, "at": report.at, "files": json.dumps(files)}
            insert = self.database.insert(rows).values(values | {"state": Progress.WAITING})
            if (await connection.execute(insert.on_conflict_do_nothing())).rowcount == 1:
                noted += 1
                continue
            query = select(rows).where(self._is(report.callid)).with_for_update()
            known = (await connection.execute(query)).one()
            if known.state == Progress.WAITING:
                more = _named_once((*json.loads(known.files), *files))
                values = {"files": json.dumps(more), "at": max(known.at, report.at)}
                await connection.execute(update(rows).where(self._is(report.callid)).values(values))
        return noted

    async def waiting(self) -> list[Entry]:
        """Tell those that are waited for, oldest first."""
        query = select(rows).where(rows.c.pbx == self._pbx, rows.c.state == Progress.WAITING).order_by(rows.c.at)
        async with self.database.read() as connection:
            return [_entry(row) for row in await connection.execute(query)]

    async def find(self, callid: str) -> Entry | None:
        """Find the recording of a call."""
        async with self.database.read() as connection:
            row = (await connection.execute(select(rows).where(self._is(callid)))).first()
        return _entry(row) if row is not None else None

    async def troubles(self, limit: int) -> list[Entry]:
        """Tell those that wait or are missing, newest first."""
        query = (
            select(rows)
            .where(rows.c.pbx == self._pbx, rows.c.state.in_((Progress.WAITING, Progress.MISSING)))
            .order_by(rows.c.at.desc())
            .limit(limit)
        )
        async with self.database.read() as connection:
            return [_entry(row) for row in await connection.execute(query)]

    async def newest(self) -> Entry | None:
        """Find the newest recording whose link Planfix has."""
        query = select(rows).where(rows.c.pbx == self._pbx, rows.c.state == Progress.LINKED).order_by(rows.c.at.desc())
        async with self.database.read() as connection:
            row = (await connection.execute(query.limit(1))).first()
        return _entry(row) if row is not None else None

    async def counts(self) -> dict[Progress, int]:
        """Count."""
        query = select(rows.c.state, func.count()).where(rows.c.pbx == self._pbx).group_by(rows.c.state)
        async with self.database.read() as connection:
            return dict.fromkeys(Progress, 0) | {Progress(s): n for s, n in await connection.execute(query)}

    async def waiting_and_missing(self) -> dict[Progress, int]:
        """Count those that wait or are missing; quick, however many links there are."""
        troubled = (Progress.WAITING, Progress.MISSING)
        of_these = (rows.c.pbx == self._pbx, rows.c.state.in_(troubled))
        query = select(rows.c.state, func.count()).where(*of_these).group_by(rows.c.state)
        async with self.database.read() as connection:
            return dict.fromkeys(troubled, 0) | {Progress(s): n for s, n in await connection.execute(query)}

    async def explain(self, callid: str, detail: str) -> None:
        """Write down what a recording waits for."""
        change = update(rows).where(self._is(callid), rows.c.state == Progress.WAITING)
        async with self.database.write() as connection:
            await connection.execute(change.values(detail=detail))

    async def settle(
        self,
        connection: AsyncConnection,
        callid: str,
        progress: Progress,
        now: float,
        detail: str = "",
        expires: float | None = None,
    ) -> bool:
        """End the waiting; False if somebody else has ended it before."""
        change = update(rows).where(self._is(callid), rows.c.state == Progress.WAITING)
        values = {"state": progress, "detail": detail, "expires": expires, "settled": now}
        return (await connection.execute(change.values(values))).rowcount == 1

    async def remove_old(self, now: float, before: float) -> int:
        """Forget links that have ended and what was given up before `before`; tell how many."""
        old = or_(rows.c.expires < now, and_(rows.c.state == Progress.MISSING, rows.c.settled < before))
        some = select(rows.c.callid).where(rows.c.pbx == self._pbx, old).limit(_STEP)
        removed = 0
        while True:
            async with self.database.write() as connection:
                change = delete(rows).where(rows.c.pbx == self._pbx, rows.c.callid.in_(some))
                step = (await connection.execute(change)).rowcount
            removed += step
            if step < _STEP:
                return removed
            await asyncio.sleep(_BREATH)  # no report waits for this

    def _is(self, callid: str) -> ColumnElement[bool]:
        return and_(rows.c.pbx == self._pbx, rows.c.callid == callid)


def _entry(row: _Row) -> Entry:
    files = tuple(map(str, json.loads(row.files)))
    return Entry(CallId(row.callid), row.at, files, Progress(row.state), row.detail, row.expires)


def _named_once(files: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(files))
