"""Joining: what other daemons heard while this one did not listen, from the journal, to follow calls as they do.

A daemon that connects to Asterisk in the middle of calls would know less of them than one that heard all, and say
something else of them. So it first makes its own what the others have written, up to the place in Asterisk's stream
from which it hears itself: the first message that it has in common with them.

Others may be joining just now, too: then each knows something that the other does not, a snapshot that came before a
transfer. So all write at once what they hear, and what others have heard in between belongs to it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
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
    """Something that another daemon heard since then, and we did not."""

    what: Event | Snapshot


Waiting = Held | Overheard


class Learned(NamedTuple):
    """What we have not heard ourselves."""

    heard: list[Event | Snapshot]
    """All of the calls that go on, in order, up to where we listen again."""
    since: list[Waiting]
    """All that we have heard since then, and what others have in between."""
    ahead: frozenset[bytes]
    """Messages in `heard` that may reach us still: whoever wrote them was quicker, or our connection is late."""
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
    before = [told for told in live.streams.pop(journal.owner, []) if told.raw not in ours]
    mine = before + [Told(one.row.at, one.row.kind, one.row.raw) for one in ours.values()]
    told = merged([*live.streams.values(), mine])
    theirs = {row.raw for stream in live.streams.values() for row in stream}
    begin = next((place for place, row in enumerate(told) if row.raw in ours), len(told))
    # What others heard after the last message that they have in common with us, we shall hear ourselves.
    end = max((place + 1 for place, row in enumerate(told) if row.raw in ours and row.raw in theirs), default=begin)
    until = max((row.at for row in told[:begin]), default=0.0)
    ahead = frozenset(row.raw for row in told[:begin] if row.at > until - LATEST)

    def since() -> Iterator[Waiting]:
        for row in told[begin:end]:
            if (own := ours.pop(row.raw, None)) is not None:
                yield own
            else:
                yield from map(Overheard, journal.read([row], live.channels))
        yield from ours.values()

    return Learned(journal.read(told[:begin], live.channels), list(since()), ahead, until + SLACK)


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
