"""What became of today's calls: by hour, direction and outcome, read from the outbox as it grows."""

import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ami_planfix.calls.reports import Outcome, Stage
from ami_planfix.storage.database import Database
from ami_planfix.storage.tables import outbox as rows

STEP = 2000
"""Rows of one query."""
OVERLAP = 200
"""Rows that are read once more: in PostgreSQL a lower id may be committed after a higher one."""
_WORTH = (
    Outcome.CANCELED,
    Outcome.NOT_AVAILABLE,
    Outcome.NOT_ALLOWED,
    Outcome.NO_ANSWER,
    Outcome.BUSY,
    Outcome.MISSED,
    Outcome.SUCCESS,
)
"""A call has several parts; the one whose outcome comes last here tells how the call ended."""


class Ended(NamedTuple):
    """How one call ended."""

    hour: int
    """Of the local day, 0 to 23."""
    direction: str
    outcome: Outcome


class Today:
    """The calls of one PBX (`ami.name`) that have ended since midnight, local time."""

    def __init__(self, database: Database, pbx: str = "", clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._pbx = pbx
        self._clock = clock
        self._overlap = 0 if database.is_sqlite else OVERLAP
        self._midnight = 0.0
        self._read_to = 0
        self._ended: dict[str, Ended] = {}

    async def count(self) -> Counter[Ended]:
        """Count the calls; raise StorageError."""
        midnight = _midnight(self._clock())
        async with self._database.read() as connection:
            if midnight != self._midnight:
                self._ended.clear()
                self._read_to = await _first_since(connection, midnight)
                self._midnight = midnight
            while await self._read_step(connection) == STEP:
                pass
        return Counter(self._ended.values())

    async def _read_step(self, connection: AsyncConnection) -> int:
        """Read on; tell how many rows there were."""
        query = (
            select(rows.c.id, rows.c.pbx, rows.c.callid, rows.c.at, rows.c.payload)
            .where(rows.c.id > self._read_to - self._overlap, rows.c.stage == Stage.COMPLETED)
            .order_by(rows.c.id)
            .limit(STEP)
        )
        found = list(await connection.execute(query))
        for row in found:
            if row.pbx == self._pbx and row.at >= self._midnight:
                self._take(row.callid, row.at, json.loads(row.payload))
        if found:
            self._read_to = max(self._read_to, found[-1].id)
        return len(found)

    def _take(self, callid: str, at: float, report: dict[str, str]) -> None:
        try:
            outcome = Outcome(report["outcome"])
        except (KeyError, ValueError):
            return  # written by another version
        before = self._ended.get(callid)
        if before is None or _WORTH.index(outcome) > _WORTH.index(before.outcome):
            hour = datetime.fromtimestamp(at, UTC).astimezone().hour
            self._ended[callid] = Ended(hour, report.get("direction", ""), outcome)


async def _first_since(connection: AsyncConnection, moment: float) -> int:
    """Find the id before the first row written since a moment; ids grow with time, and no index is needed."""
    low, high = (await connection.execute(select(func.min(rows.c.id), func.max(rows.c.id)))).one()
    if low is None:
        return 0
    after = int(low) - 1
    beyond = int(high) + 1
    while beyond - after > 1:
        middle = (after + beyond) // 2
        query = select(rows.c.id, rows.c.created).where(rows.c.id >= middle).order_by(rows.c.id).limit(1)
        found = (await connection.execute(query)).first()
        if found is not None and found.created < moment:
            after = max(found.id, middle)
        else:
            beyond = middle
    return after


def _midnight(now: float) -> float:
    local = datetime.fromtimestamp(now, UTC).astimezone()
    return local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
