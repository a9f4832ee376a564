"""What exists now: Asterisk's own lists of channels and bridges, against all that was missed.

Where a snapshot stands in the stream matters, and what is on its way. Asterisk answers an action at once, while
its events pass through queues of their own (Asterisk: main/stasis.c), so a channel that is missing in a list may
be one whose `Hangup`, with its cause, has not arrived yet. Whoever concluded from the list that it has ended
would conclude it without the cause. Therefore:

- Bridges are listed before channels, and the snapshot counts at the point of the stream where the list of
  channels ends: what was born before that list is in it.
- With `settle`, channels are listed twice, so many seconds apart. One that only the first list has is `unsure`: it
  neither exists for certain nor has ended; its `Hangup` comes, or the next snapshot decides.
- One that was born while the lists were made, and is in neither, is `unsure` too.
- One whose `Hangup` was heard meanwhile is in none of them, whatever the lists say: nobody rises from the dead.

Its time is that of Asterisk's clock: a conversation that an event begins or ends must not become longer or shorter
because our clock is another one.

The first snapshot of a connection has no `settle`: what ended while nobody listened has no `Hangup` on its way.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from ami_planfix.ami.decode import LONGEST_ID
from ami_planfix.ami.wire import Message
from ami_planfix.calls.events import (
    BridgeId,
    Channel,
    Event,
    Hangup,
    Linkedid,
    Newchannel,
    Present,
    Snapshot,
    Uniqueid,
)


class Source(Protocol):
    """What a snapshot is taken from: a connection."""

    async def collect(
        self,
        action: str,
        headers: Iterable[tuple[str, str]] = (),
        *,
        within: float = ...,
        on_complete: Callable[[list[Message]], None] | None = ...,
    ) -> list[Message]:
        """Do an action that answers with a list."""

    def now(self) -> float:
        """Tell the time by the clock of events."""

    def tap(self, hear: Callable[[Event], None]) -> AbstractContextManager[None]:
        """Hear every event meanwhile."""


class _Meanwhile:
    """Who came and went while the lists were made."""

    def __init__(self) -> None:
        self.born: set[Uniqueid] = set()
        self.ended: set[Uniqueid] = set()

    def hear(self, event: Event) -> None:
        if isinstance(event, Newchannel):
            self.born.add(event.channel.uniqueid)
        elif isinstance(event, Hangup):
            self.ended.add(event.channel.uniqueid)


async def take(source: Source, deliver: Callable[[Snapshot], None], settle: float = 0.0) -> Snapshot:
    """List what exists and give it to `deliver` where the list ends in the stream; also return it.

    `settle`: seconds between the two lists of channels, 0 for one list. Raises AmiError.
    """
    meanwhile = _Meanwhile()
    taken: list[Snapshot] = []
    earlier: set[Uniqueid] = set()
    with source.tap(meanwhile.hear):
        if settle:
            earlier = {Uniqueid(item.get("Uniqueid")) for item in await source.collect("CoreShowChannels")}
            await asyncio.sleep(settle)
        bridges = {item.get("BridgeUniqueid"): item for item in await source.collect("BridgeList")}

        def complete(items: list[Message]) -> None:
            at = source.now()
            found = [present for item in items if (present := _present(item, bridges, at))]
            listed = {present.channel.uniqueid for present in found}
            unsure = (earlier | meanwhile.born) - listed - meanwhile.ended
            channels = tuple(here for here in found if here.channel.uniqueid not in meanwhile.ended)
            snapshot = Snapshot(at, channels, frozenset(unsure))
            taken.append(snapshot)
            deliver(snapshot)

        await source.collect("CoreShowChannels", on_complete=complete)
    return taken[0]


_NO_BRIDGE = Message(())


def _present(item: Message, bridges: dict[str, Message], at: float) -> Present | None:
    uniqueid = Uniqueid(item.get("Uniqueid"))
    linkedid = Linkedid(item.get("Linkedid") or uniqueid)
    if not uniqueid or len(uniqueid) > LONGEST_ID or len(linkedid) > LONGEST_ID:
        return None
    bridge = item.get("BridgeId")
    about = bridges.get(bridge, _NO_BRIDGE)
    state = item.get("ChannelState")
    return Present(
        channel=Channel(
            uniqueid=uniqueid,
            linkedid=linkedid,
            name=item.get("Channel"),
            state=int(state) if state.isascii() and state.isdigit() else 0,
            caller=_known(item.get("CallerIDNum")),
            connected=_known(item.get("ConnectedLineNum")),
            context=item.get("Context"),
            exten=item.get("Exten"),
        ),
        bridge=BridgeId(bridge) if bridge else None,
        bridge_type=about.get("BridgeType"),
        technology=about.get("BridgeTechnology"),
        application=item.get("Application"),
        created=at - _seconds(item.get("Duration")),
    )


def _known(value: str) -> str:
    return "" if value == "<unknown>" else value


def _seconds(duration: str) -> int:
    """Read `01:02:03`; anything else is no time at all."""
    parts = duration.split(":")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return 0
    hours, minutes, seconds = (int(part[:9]) for part in parts)
    return hours * 3600 + minutes * 60 + seconds
