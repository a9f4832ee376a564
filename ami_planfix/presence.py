"""Presence: when which daemon listened to which PBX; what lies between is a gap.

A row is one connection: from its first snapshot until Asterisk was last heard on it. It is moved on every few
seconds, so that a crash leaves it a few seconds short, never long: who reads a gap reads a little too much.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

import structlog
from sqlalchemy import Row, delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ami_planfix.ami.connection import Status
from ami_planfix.errors import AmiError, StorageError
from ami_planfix.storage.database import Database
from ami_planfix.storage.tables import presence as rows

log = structlog.get_logger("ami_planfix.presence")

EVERY = 5.0
"""Seconds between two movements of a row."""
LOOK_EVERY = 0.5
"""Seconds between two looks at the connection."""
ALIVE = 20.0
"""Seconds without a movement after which a daemon does not count as listening any more."""


class Listening(NamedTuple):
    """One daemon's connection to one PBX; times in seconds since the epoch."""

    pbx: str
    owner: str
    since: float
    until: float

    def is_alive(self, now: float) -> bool:
        """Tell whether it counts as listening now."""
        return abs(now - self.until) < ALIVE


class Gap(NamedTuple):
    """A time in which no daemon listened, seconds since the epoch."""

    since: float
    until: float


class Source(Protocol):
    """What is listened to: the connection to Asterisk."""

    @property
    def status(self) -> Status:
        """Tell how the connection is."""

    async def act(self, action: str) -> object:
        """Do an action; raises AmiError."""


class Presence:
    """The rows of one PBX (`ami.name`); `owner` is this daemon among those that share the database."""

    def __init__(
        self, database: Database, pbx: str = "", owner: str = "daemon", clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._pbx = pbx
        self._owner = owner
        self._clock = clock
        self._session: float | None = None
        """`connected_since` of the connection that has the row."""
        self._row = Gap(0.0, 0.0)
        self._moved = 0.0

    async def run(self, source: Source) -> None:
        """Keep this daemon's rows, until cancelled."""
        while True:
            await self._look(source)
            await asyncio.sleep(LOOK_EVERY)

    async def end(self, source: Source) -> None:
        """Move the row on a last time, after what was heard has been written."""
        if self._session is not None:
            await self._move(source.status.heard_at or self._row.until)

    async def others(self) -> tuple[Listening, ...]:
        """Tell the other daemons that listen to this PBX now; raise StorageError."""
        now = self._clock()
        return tuple(
            one
            for one in await self.everywhere()
            if one.pbx == self._pbx and one.owner != self._owner and one.is_alive(now)
        )

    async def everywhere(self) -> tuple[Listening, ...]:
        """Tell each daemon's latest row for each PBX of this database, alive or not; raise StorageError."""
        latest = select(rows.c.pbx, rows.c.owner, func.max(rows.c.since).label("since"))
        last = latest.group_by(rows.c.pbx, rows.c.owner).subquery()
        same = [rows.c[name] == last.c[name] for name in ("pbx", "owner", "since")]
        query = select(rows).where(*same).order_by(rows.c.pbx, rows.c.owner)
        async with self._database.read() as connection:
            return tuple(_listening(row) for row in await connection.execute(query))

    async def gaps(self, since: float, doubt: float = 0.0, *, connecting: bool = False) -> tuple[Gap, ...]:
        """Tell when no daemon listened to this PBX, from `since` until now; raise StorageError.

        Of the end of a listening that is over, `doubt` seconds count as not heard. Before the first row that there is
        nobody was meant to listen: that is no gap. `connecting`: this daemon's own listening is still to begin.
        """
        query = select(rows).where(rows.c.pbx == self._pbx)
        now = self._clock()
        async with self._database.read() as connection:
            known = [_listening(row) for row in await connection.execute(query)]
        own = None if connecting or self._session is None else self._row.since
        going_on = {one for one in known if one.is_alive(now) and (one.owner != self._owner or one.since == own)}
        heard = [
            one._replace(until=max(now, one.until) if one in going_on else max(one.since, one.until - doubt))
            for one in known
        ]
        return between(heard, since, now)

    async def remove_old(self, connection: AsyncConnection, before: float, limit: int) -> int:
        """Remove up to `limit` rows that ended before `before`, but no PBX's last; tell how many."""
        later = rows.alias("later")
        has_later = exists(select(later.c.pbx).where(later.c.pbx == rows.c.pbx, later.c.until > rows.c.until))
        query = select(rows.c.pbx, rows.c.owner, rows.c.since).where(rows.c.until < before, has_later).limit(limit)
        old = list(await connection.execute(query))
        for one in old:
            each = (rows.c.pbx == one.pbx, rows.c.owner == one.owner, rows.c.since == one.since)
            await connection.execute(delete(rows).where(*each))
        return len(old)

    async def _look(self, source: Source) -> None:
        status = source.status
        current = status.connected_since if status.is_synced else None
        if current != self._session and self._session is not None:
            lost = status.lost_at
            self._session = None
            await self._move(lost if lost is not None else self._row.until)
        if current is None:
            return
        heard = status.heard_at or self._clock()
        if self._session is None:
            self._session = current
            self._row = Gap(status.synced_at or heard, heard)
            await self._move(heard)
        elif abs(self._clock() - self._moved) >= EVERY:
            if self._clock() - heard >= EVERY:
                await _say_something(source)
                heard = source.status.heard_at or heard
            await self._move(heard)

    async def _move(self, until: float) -> None:
        self._row = Gap(self._row.since, max(until, self._row.since))
        self._moved = self._clock()
        key = {"pbx": self._pbx, "owner": self._owner, "since": self._row.since}
        insert = self._database.insert(rows).values(key | {"until": self._row.until})
        change = insert.on_conflict_do_update(index_elements=list(key), set_={"until": self._row.until})
        try:
            async with self._database.write() as connection:
                await connection.execute(change)
        except StorageError as fault:
            log.debug("presence not written", error=str(fault), again_in=EVERY)


def between(known: Iterable[Listening], since: float, now: float) -> tuple[Gap, ...]:
    """Tell the times between rows, within `since` and `now`."""
    ordered: Sequence[Listening] = sorted(known, key=lambda one: one.since)
    if not ordered:
        return ()
    heard_until = max(ordered[0].since, since)
    gaps: list[Gap] = []
    for one in ordered:
        if one.since > heard_until:
            gaps.append(Gap(heard_until, min(one.since, now)))
        heard_until = max(heard_until, one.until)
    gaps.append(Gap(heard_until, now))
    return tuple(gap for gap in gaps if gap.since < gap.until)


async def _say_something(source: Source) -> None:
    """Have a quiet Asterisk answer: whether it is heard is to be known, not guessed."""
    try:
        await source.act("Ping")
    except AmiError:
        log.debug("ping not answered")


def _listening(row: Row[tuple[object, ...]]) -> Listening:
    return Listening(row.pbx, row.owner, row.since, row.until)
