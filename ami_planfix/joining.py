"""Joining: what other daemons heard while this one did not listen, from the journal, to follow calls as they do.

A daemon that connects to Asterisk in the middle of calls would know less of them than one that heard all, and say
something else of them. So it first makes its own what the others have written, up to the place in Asterisk's stream
from which it hears itself: the first message that it has in common with them.

Others may be joining just now, too: then each knows something that the other does not, a snapshot that came before a
transfer. So all write at once what they hear, and what others have heard since then belongs to it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple

from ami_planfix.ami.listening import Heard
from ami_planfix.calls.events import Event, Snapshot
from ami_planfix.journal import Journal, Kind, Row
from ami_planfix.merging import Told, merged
from ami_planfix.storage.database import Database

PATIENCE = 0.5
"""Seconds for which others may take to write what we hear too, and Asterisk to say what exists."""
LOOK_EVERY = 0.05
SLACK = 2.0
"""Seconds before our last event from which on others may have heard more."""
LATEST = 30.0
"""Seconds by which our connection may be late: one that is later counts as lost (`ami.connection`)."""
_FEW = 500


class Held(NamedTuple):
    """Something that we heard since we listen again; it waits, and is in the journal already."""

    what: Heard | Snapshot
    row: Row


class Overheard(NamedTuple):
    """Something that another daemon heard since then, and we did not, or not yet."""

    what: Event | Snapshot


Waiting = Held | Overheard


class Learned(NamedTuple):
    """What we have not heard ourselves."""

    heard: list[Event | Snapshot]
    """All of the calls that go on, in order, up to where we listen again."""
    since: list[Waiting]
    """All that we have heard since then, and what others have."""
    ahead: frozenset[bytes]
    """Others' messages in both that may reach us still: whoever wrote them was quicker, or our connection is late."""
    until: float
    """Time of an event after which none of them comes any more, seconds since the epoch."""


async def learn(database: Database, journal: Journal, heard_until: float, held: Sequence[Waiting]) -> Learned | None:
    """Learn from the others; None if they have heard nothing since `heard_until`. Raises StorageError.

    `held` is what we have heard since we listen again.
    """
    async with database.read() as connection:
        if not await journal.others_heard(connection, heard_until - SLACK, 1):
            return None
        live = await journal.live_rows(connection, time.time())
    ours = {one.row.raw: one for one in held if isinstance(one, Held)}
    mine = [row for row in live.streams.pop(journal.owner, []) if row.raw not in ours]
    mine += [Told(one.row.at, one.row.kind, one.row.raw) for one in ours.values()]
    before, since = _divided(merged([*live.streams.values(), mine]), ours.keys(), live.streams.values())
    others = [row for row in (*before, *since) if row.raw not in ours]
    channels = live.channels.union(*(one.row.channels for one in ours.values()))
    until = max((row.at for row in others), default=0.0)
    ahead = frozenset(row.raw for row in others if row.at > until - LATEST)

    def waiting() -> Iterator[Waiting]:
        for row in since:
            if row.raw in ours:
                yield ours[row.raw]
            else:
                yield from map(Overheard, journal.read([row], channels))

    return Learned(journal.read(before, channels), list(waiting()), ahead, until + SLACK)


def _divided(
    told: Sequence[Told], ours: Collection[bytes], theirs: Iterable[Sequence[Told]]
) -> tuple[Sequence[Told], Sequence[Told]]:
    """Divide what all have heard into what was before we listened, and what came since."""
    known = {row.raw for stream in theirs for row in stream}
    begin = next((place for place, row in enumerate(told) if row.raw in ours), len(told))
    end = max((place + 1 for place, row in enumerate(told) if row.raw in ours and row.raw in known), default=None)
    if end is None:  # nothing tells what stands where: what others heard since we listen, we have heard too
        return told[:begin], [row for row in told[begin:] if row.raw in ours]
    mine = [row for row in told[end:] if row.raw in ours]
    others = [row for row in told[end:] if row.raw not in ours]
    # Who has heard more than the other is ahead; a snapshot comes before what its daemon had not heard yet.
    snapshots = list(takewhile(lambda row: row.kind == Kind.RESYNC, others))
    return told[:begin], [*told[begin:end], *snapshots, *mine, *others[len(snapshots) :]]


async def meet(
    database: Database, journal: Journal, held: Sequence[Waiting], is_alone: Callable[[], Awaitable[bool]]
) -> None:
    """Wait until we know what exists, and others have written something that we heard after it, but not for long.

    `is_alone` tells whether there are others at all. Raises StorageError.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        mine = [one.row for one in held if isinstance(one, Held)]
        seen = next((place for place, row in enumerate(mine) if row.kind is Kind.RESYNC), None)
        if seen is not None:
            if await is_alone():
                return
            after = mine[seen + 1 :]
            async with database.read() as connection:
                theirs = await journal.others_heard(connection, mine[seen].at - SLACK, 10 * _FEW)
            if not {row.raw for row in after}.isdisjoint(theirs):
                return
        await asyncio.sleep(LOOK_EVERY)
