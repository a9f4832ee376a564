"""Facts: the mirror of what Asterisk has, without opinions on what it means.

Channels, the bridges they are in, who dials whom, and which two halves make a Local channel. Everything else
is found by walking this graph:

    client's channel ──dials──▶ Local;1 ═══ Local;2 ──dials──▶ phone            the phone rings for the client
    client's channel ──bridge── Local;1 ═══ Local;2 ──bridge── phone            the phone talks with the client
    transferrer ──bridge── Local;1 ═══ Local;2 ──dials──▶ phone                 the phone rings for the transferrer

A Linkedid says none of this: the consultation of a feature-code transfer carries the client's.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator

from ami_planfix.calls import events
from ami_planfix.calls.events import BridgeId, Linkedid, Uniqueid
from ami_planfix.calls.parties import Kind, Party
from ami_planfix.calls.reports import Extension, Silence

NO_CONVERSATION = frozenset({"parking", "holding", "holding_bridge"})
"""Types and technologies of bridges in which nobody hears anybody (Asterisk: bridges/bridge_holding)."""

MEMORY_OF_THE_DEAD = 60.0
"""Seconds for which the end of a channel is remembered, so that a late event does not revive it."""


MOST_REMEMBERED = 4096
"""Channels and callids that are remembered however long they have been gone: no clock can be trusted in that."""


class Recording:
    """A recording on a channel, from its start to its stop."""

    __slots__ = ("ended", "file", "paused")

    def __init__(self, file: str) -> None:
        self.file = file
        self.ended = False
        self.paused = False


class Bridge:
    """Channels that hear each other; `holding` if they do not."""

    __slots__ = ("holding", "id", "members", "merging")

    def __init__(self, bridge: BridgeId, *, holding: bool) -> None:
        self.id = bridge
        self.holding = holding
        self.members: dict[Uniqueid, Channel] = {}
        self.merging = False
        """Its channels move into another bridge, one after another; who does not is being sent away."""


class Dial:
    """A leg being dialled; `source` is None where nobody dials it (Originate, recall)."""

    __slots__ = ("forwarded", "leg", "number", "shown", "source", "status")

    def __init__(self, source: "Channel | None", leg: "Channel") -> None:
        self.source = source
        self.leg = leg
        self.number = ""
        """The number that a leg on a trunk dials, as digits with country code."""
        self.shown = ""
        """The caller's number that the leg shows, as it is on the wire."""
        self.status = ""
        """`DialStatus` of its DialEnd."""
        self.forwarded = False


class Plan:
    """What the dialplan, running on a channel, has told of its intentions."""

    __slots__ = (
        "chosen", "data", "dexten", "dialled", "dials_now", "forwarder", "menu", "named", "pending_file", "queue",
        "stands_in_for", "tried_leg", "tried_trunk",
    )  # fmt: skip

    def __init__(self) -> None:
        self.dialled = ""
        """The first number that this channel itself asked for."""
        self.named: Extension | None = None
        """The first employee whom a Dial on this channel names."""
        self.dials_now: Extension | None = None
        """The first employee whom its latest Dial names."""
        self.dexten: Extension | None = None
        """`DEXTEN`, until its next Dial."""
        self.stands_in_for: Extension | None = None
        """The employee in whose place its latest Dial calls somebody else: a call forward of FreePBX."""
        self.forwarder = ""
        """`FORWARDERNAME`: the channel whose phone forwarded the call to this one."""
        self.tried_leg = False
        self.tried_trunk = False
        """A Dial that names a trunk ran on it."""
        self.pending_file = ""
        """`MIXMONITOR_FILENAME`, until its recording starts."""
        self.data: dict[str, str] = {}
        """Fields for the call's data tag."""
        self.queue = ""
        """The queue that it entered last."""
        self.menu = ""
        """The context of the menu in which it is."""
        self.chosen: tuple[str, ...] = ()
        """What it chose in menus."""


class Channel:
    """A channel of Asterisk, from its Newchannel to its Hangup."""

    __slots__ = (
        "alive", "bridge", "cause", "dial", "extension", "first", "group", "handed_over",
        "hangup_cause", "hangup_requested", "is_line", "is_local", "legs", "linkedid", "name", "party", "plan", "rang",
        "recordings", "silence", "spies", "state", "tech_cause", "twin", "uniqueid", "was_bridged",
    )  # fmt: skip

    def __init__(self, first: events.Channel, party: Party) -> None:
        self.uniqueid = first.uniqueid
        self.linkedid: Linkedid = first.linkedid
        self.first = first
        """What was known of it when it was first heard of."""
        self.be(first.name, party)
        self.state = first.state
        self.plan = Plan()
        self.alive = True
        self.rang = False
        """Its phone rings or has rung (or has answered at once)."""
        self.was_bridged = False
        self.silence: Silence | None = None
        """Why no call began with it."""
        self.spies = False
        self.dial: Dial | None = None
        """How it is dialled, if it is a leg."""
        self.handed_over = False
        """Whom it talked with has been handed over to somebody else (attended transfer)."""
        self.legs: dict[Uniqueid, Dial] = {}
        """What it dials: its living legs."""
        self.bridge: Bridge | None = None
        self.twin: Channel | None = None
        """The other half of a Local channel."""
        self.recordings: list[Recording] = []
        self.hangup_requested = False
        self.cause: int | None = None
        """Cause of the HangupRequest; see `hangup_cause`."""
        self.hangup_cause: int | None = None
        """Cause of the Hangup; None while alive, or if its Hangup was never heard."""
        self.tech_cause = ""
        self.group: Group

    def be(self, name: str, party: Party) -> None:
        """Take a name, and with it a party."""
        self.name = name
        self.party = party
        self.extension: Extension | None = party.extension
        """The employee behind it: by device, by mobile, or in whose name it was dialled."""
        self.is_local = party.kind is Kind.LOCAL
        """Half of a Local channel: plumbing between real ones."""
        self.is_line = party.kind in (Kind.PROVIDER, Kind.BRANCH)
        """A line to another place: a client may be at its end."""

    def __repr__(self) -> str:
        return f"<{self.name} {self.uniqueid}>"


class Group:
    """Channels that were ever connected: what one event changes is inside one group."""

    __slots__ = ("dead", "living")

    def __init__(self, channel: Channel) -> None:
        self.living: dict[Uniqueid, Channel] = {channel.uniqueid: channel}
        self.dead: list[Uniqueid] = []


def groups(channels: Iterable[Channel]) -> Collection[Group]:
    """Find the groups of channels, each once."""
    return {id(channel.group): channel.group for channel in channels}.values()


class Pbx:
    """All channels and bridges that exist, as far as events have told."""

    def __init__(self) -> None:
        self.channels: dict[Uniqueid, Channel] = {}
        self.bridges: dict[BridgeId, Bridge] = {}
        self.changed = False
        """Something that calls look at is not as it was when somebody last set this to False."""
        self._halves: dict[str, Channel] = {}
        self._dead: OrderedDict[Uniqueid, float] = OrderedDict()

    def is_dead(self, uniqueid: Uniqueid) -> bool:
        """Tell whether this channel hung up a moment ago."""
        return uniqueid in self._dead

    def add(self, channel: Channel) -> None:
        """Take in a channel that was not known, and find its other half if it is a Local one."""
        self.changed = True
        self.channels[channel.uniqueid] = channel
        channel.group = Group(channel)
        if channel.is_local:
            twin = self._halves.get(_other_half(channel.name))
            self._halves[channel.name] = channel
            if twin is not None and twin.alive:
                channel.twin, twin.twin = twin, channel
                self.connect(channel, twin)

    def dialling_halves_of(self, linkedid: Linkedid) -> list[Channel]:
        """Find the Local halves that may dial for the channel with this Linkedid."""
        return [half for name, half in self._halves.items() if name.endswith(";2") and half.linkedid == linkedid]

    def rename(self, channel: Channel, name: str, party: Party) -> None:
        """Give a channel its new name, and with it perhaps another party."""
        self._halves.pop(channel.name, None)
        channel.be(name, party)
        self.changed = True

    def connect(self, one: Channel, other: Channel) -> None:
        """Note that two channels have to do with each other."""
        small, large = one.group, other.group
        if small is large:
            return
        self.changed = True
        if len(small.living) > len(large.living):
            small, large = large, small
        for channel in small.living.values():
            channel.group = large
        large.living.update(small.living)
        large.dead.extend(small.dead)

    def dial(self, source: Channel | None, leg: Channel) -> Dial:
        """Note that a leg is dialled by `source`, or that another channel has taken its dialling over."""
        dial = leg.dial
        if dial is None:
            dial = leg.dial = Dial(source, leg)
            self.changed = True
        elif source is not None and dial.source is not source:
            if dial.source is not None:
                dial.source.legs.pop(leg.uniqueid, None)
            dial.source = source
            self.changed = True
        if source is not None and leg.uniqueid not in source.legs:
            source.plan.tried_leg = True
            if leg.alive and source.alive:
                source.legs[leg.uniqueid] = dial
                self.changed = True
            self.connect(source, leg)
        return dial

    def enter(self, channel: Channel, bridge_id: BridgeId, *, holding: bool, swap: Uniqueid | None) -> None:
        """Put a channel into a bridge, in the place of `swap` if that is given."""
        self.changed = True
        bridge = self.bridges.get(bridge_id)
        if bridge is None:
            bridge = self.bridges[bridge_id] = Bridge(bridge_id, holding=holding)
        bridge.holding = holding
        if swap is not None and swap in bridge.members:
            self.leave(bridge.members[swap], bridge_id)
            bridge = self.bridges.setdefault(bridge_id, bridge)
        if channel.bridge is not None and channel.bridge is not bridge:
            self.leave(channel, channel.bridge.id)
        if not holding:
            for member in bridge.members.values():
                self.connect(member, channel)
                member.was_bridged = channel.was_bridged = True
        bridge.members[channel.uniqueid] = channel
        channel.bridge = bridge

    def leave(self, channel: Channel, bridge_id: BridgeId) -> None:
        """Take a channel out of a bridge, if it is in it."""
        bridge = channel.bridge
        if bridge is None or bridge.id != bridge_id:
            return
        self.changed = True
        bridge.members.pop(channel.uniqueid, None)
        channel.bridge = None
        if not bridge.members:
            self.bridges.pop(bridge_id, None)

    def merge(self, source: BridgeId) -> list[Channel]:
        """Note that the members of a bridge are about to move into another one; who they are."""
        bridge = self.bridges.get(source)
        if bridge is None:
            return []
        self.changed = bridge.merging = True
        return list(bridge.members.values())

    def hang_up(self, channel: Channel, at: float, cause: int | None) -> None:
        """Take a channel away; what it dialled and who dialled it are still known to those who hold it."""
        self.changed = True
        channel.alive = False
        channel.hangup_cause = cause
        for recording in channel.recordings:
            recording.ended = True
        if channel.bridge is not None:
            self.leave(channel, channel.bridge.id)
        if channel.dial is not None and channel.dial.source is not None:
            channel.dial.source.legs.pop(channel.uniqueid, None)
        if channel.is_local:
            self._halves.pop(channel.name, None)
        self.channels.pop(channel.uniqueid, None)
        channel.group.living.pop(channel.uniqueid, None)
        channel.group.dead.append(channel.uniqueid)
        self._remember_the_dead(channel.uniqueid, at)

    def _remember_the_dead(self, uniqueid: Uniqueid, at: float) -> None:
        self._dead[uniqueid] = at
        while self._dead:
            oldest, since = next(iter(self._dead.items()))
            if abs(at - since) <= MEMORY_OF_THE_DEAD or len(self._dead) <= MOST_REMEMBERED:
                break
            del self._dead[oldest]


def conversation(channel: Channel) -> list[Channel]:
    """Find all channels that hear this one, Local halves on the way included; the real ones have a party."""
    if channel.bridge is None:
        return []
    found: dict[Uniqueid, Channel] = {}
    todo = [channel]
    while todo:
        bridge = todo.pop().bridge
        if bridge is None or bridge.holding:
            continue
        for member in bridge.members.values():
            if member.uniqueid in found:
                continue
            found[member.uniqueid] = member
            twin = member.twin
            if twin is not None and twin.alive and twin.uniqueid not in found:
                found[twin.uniqueid] = twin
                todo.append(twin)
    found.pop(channel.uniqueid, None)
    return list(found.values())


def talks(leg: Channel) -> bool:
    """Tell whether a leg has been answered for somebody; between the halves of a Local channel it has not yet."""
    return leg.bridge is not None and any(not one.is_local for one in conversation(leg))


def ringing(channel: Channel) -> list[Channel]:
    """Find the legs that ring, or will, for this channel: those that it dials, through Local channels too.

    A Local half in its bridge that dials is the target of a feature-code transfer, given up while it rang.
    """
    if not channel.legs and channel.bridge is None:
        return []
    found: list[Channel] = []
    seen: set[Uniqueid] = {channel.uniqueid}
    todo = [channel]
    while todo:
        current = todo.pop()
        for dial in current.legs.values():
            leg = dial.leg
            if leg.uniqueid in seen:
                continue
            seen.add(leg.uniqueid)
            if not leg.is_local:
                found.append(leg)
            elif leg.twin is not None and leg.twin.uniqueid not in seen:
                seen.add(leg.twin.uniqueid)
                todo.append(leg.twin)
        bridge = current.bridge
        if bridge is None or bridge.holding:
            continue
        for member in bridge.members.values():
            twin = member.twin
            if twin is not None and twin.uniqueid not in seen and member is not current:
                seen.add(twin.uniqueid)
                todo.append(twin)
    return found


def origin(channel: Channel) -> list[Channel]:
    """Find the real channels for which this one dials: itself, or those at the far side of a Local channel."""
    seen: set[Uniqueid] = set()
    current: Channel | None = channel
    while current is not None and current.uniqueid not in seen:
        if not current.is_local:
            return [current]
        seen.add(current.uniqueid)
        twin = current.twin
        if twin is None:
            return []
        heard = [member for member in conversation(twin) if not member.is_local]
        if heard:
            return heard
        if twin.legs:
            return [leg for leg in ringing(twin) if leg.state == events.UP]
        current = twin.dial.source if twin.dial is not None else None
    return []


def dialling_halves(source: Channel) -> Iterator[Channel]:
    """Walk the Local halves that dial for somebody upwards, from the one that dials a leg to the outermost.

    That is always the `;2` half; a `;1` half dials only for itself, after an Originate to it was answered.
    """
    seen: set[Uniqueid] = set()
    current: Channel | None = source
    while current is not None and current.name.endswith(";2") and current.uniqueid not in seen:
        seen.add(current.uniqueid)
        yield current
        twin = current.twin
        current = twin.dial.source if twin is not None and twin.dial is not None else None


def _other_half(name: str) -> str:
    return name[:-1] + ("2" if name.endswith("1") else "1")
