"""Joining: what other daemons heard while this one did not listen, from the journal, to follow calls as they do.

A daemon that connects to Asterisk in the middle of calls would know less of them than one that heard all, and say
something else of them. So it first makes its own what the others have written, up to the place in Asterisk's stream
from which it hears itself: the first message that it has in common with them.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ami_planfix.calls.events import Event, Snapshot
from ami_planfix.journal import Journal
from ami_planfix.storage.database import Database

PATIENCE = 0.5
"""Seconds for which others may take to write what we hear too."""
LOOK_EVERY = 0.05
SLACK = 2.0
"""Seconds before our last event from which on others may have heard more."""
LATEST = 30.0
"""Seconds by which our connection may be late: one that is later counts as lost (`ami.connection`)."""
_FEW = 500


class OwnEar(NamedTuple):
    """One message that we heard since we listen again."""

    at: float
    raw: bytes


class Learned(NamedTuple):
    """What we have not heard ourselves."""

    heard: list[Event | Snapshot]
    """All of the calls that go on, in order, up to where we listen again."""
    ahead: frozenset[bytes]
    """Messages in it that may reach us still: whoever wrote them was quicker, or our connection is late."""
    until: float
    """Time of an event after which none of them comes any more, seconds since the epoch."""


async def learn(
    database: Database, journal: Journal, heard_until: float, own: Callable[[], Sequence[OwnEar]]
) -> Learned | None:
    """Learn from the others; None if they have heard nothing since `heard_until`. Raises StorageError.

    `own` tells what we have heard since we listen again.
    """
    since = heard_until - SLACK
    async with database.read() as connection:
        if not await journal.others_heard(connection, since, 1):
            return None
    await _meet(database, journal, own)
    async with database.read() as connection:
        told = await journal.live_rows(connection, time.time())
    mine = own()
    common = {ear.raw for ear in mine}
    rows = told.rows
    cut = next((place for place, row in enumerate(rows) if row.raw in common), None)
    if cut is not None:
        rows = rows[:cut]
    elif mine:
        rows = [row for row in rows if row.at < mine[0].at]
    until = max((row.at for row in rows), default=0.0)
    ahead = frozenset(row.raw for row in rows if row.at > until - LATEST)
    return Learned(journal.read(rows, told.channels), ahead, until + SLACK)


async def _meet(database: Database, journal: Journal, own: Callable[[], Sequence[OwnEar]]) -> None:
    """Wait for a moment until others have written something that we have heard too."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        mine = own()
        if mine:
            async with database.read() as connection:
                theirs = await journal.others_heard(connection, mine[0].at - SLACK, 10 * _FEW)
            if not {ear.raw for ear in mine}.isdisjoint(theirs):
                return
        await asyncio.sleep(LOOK_EVERY)
