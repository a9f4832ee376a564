"""The tracker: events in, reports out; nothing else changes it, and it changes nothing else.

An event first changes the facts (`pbx`), perhaps makes a call begin, and then every call of the same group of
channels looks at the facts again (`call`). Nothing here waits, reads a clock, or raises on what an event says.
"""

from collections.abc import Iterable
from typing import NamedTuple, assert_never

from ami_planfix.calls import events
from ami_planfix.calls.beginning import Beginnings
from ami_planfix.calls.call import Call, Moment
from ami_planfix.calls.causes import ended_by_itself
from ami_planfix.calls.events import BridgeId, Event, Snapshot, Uniqueid
from ami_planfix.calls.part import State
from ami_planfix.calls.parties import Directory
from ami_planfix.calls.pbx import NO_CONVERSATION, Channel, Pbx, Recording, conversation, origin
from ami_planfix.calls.reports import CallId, Direction, Extension, Report


class Settings(NamedTuple):
    """What the administrator chose (`calls`, `ami.name`)."""

    pbx: str = ""
    """Goes before every callid with a hyphen, if not empty."""
    transfers_each: bool = False
    missed_each: bool = False


class Conclusion(NamedTuple):
    """What one event led to."""

    reports: tuple[Report, ...] = ()
    used: bool = False
    """The event belongs into the journal: a replay without it could end differently."""
    gone: tuple[Uniqueid, ...] = ()
    """Channels of which nothing is kept any more; their journal can go with them."""
    notes: tuple[str, ...] = ()
    """What was concluded, with its rule, for `explain`."""


class LiveCall(NamedTuple):
    """A call as it stands, for `ami-planfix calls` and the status page."""

    callid: CallId
    direction: Direction
    client: str
    did: str
    since: float
    ringing: tuple[Extension, ...]
    talking: tuple[Extension, ...]
    talking_since: float | None
    seconds: int
    """Whole seconds of conversation until the last talk began."""


class Tracker:
    """Follows every call of one PBX; deterministic: the same events lead to the same reports."""

    def __init__(self, directory: Directory, settings: Settings = Settings()) -> None:
        self._directory = directory
        self._pbx = Pbx()
        self._calls: dict[Uniqueid, Call] = {}
        """Calls by the channels that stand for them: the client's, or the employee's and the legs that are tried."""
        self._beginnings = Beginnings(
            directory,
            self._calls,
            prefix=f"{settings.pbx}-" if settings.pbx else "",
            transfers_each=settings.transfers_each,
            missed_each=settings.missed_each,
        )
        self._last_heard = 0.0

    def handle(self, event: Event) -> Conclusion:
        """Take one event, in the order in which AMI sent it; never raises on what an event says."""
        touched = self._apply(event)
        if not touched:
            return Conclusion()
        self._last_heard = event.at
        moment = Moment(event.at, event.at, f"{type(event).__name__} {touched[0].name}")
        gone = self._conclude(touched, moment)
        return Conclusion(tuple(moment.reports), True, gone, tuple(moment.notes))

    def resync(self, snapshot: Snapshot) -> Conclusion:
        """Take what Asterisk says exists now: what it does not name has ended.

        A conversation that ended unheard counts up to the last event or snapshot before this one.
        """
        present = {channel.channel.uniqueid for channel in snapshot.channels}
        until = min(self._last_heard or snapshot.at, snapshot.at)
        touched: list[Channel] = []
        for channel in [known for known in self._pbx.channels.values() if known.uniqueid not in present]:
            self._pbx.hang_up(channel, snapshot.at, None)
            touched.append(channel)
        changed = bool(touched)
        for one in snapshot.channels:
            changed |= one.channel.uniqueid not in self._pbx.channels
            channel_now = self._reconcile(one, snapshot.at)
            if channel_now is not None:
                touched.append(channel_now)
        for channel in touched:
            self._guess_source(channel)
        self._last_heard = snapshot.at
        moment = Moment(snapshot.at, until, "resync")
        gone = self._conclude(touched, moment)
        used = changed or bool(moment.reports) or bool(self._calls)
        return Conclusion(tuple(moment.reports), used, gone, tuple(moment.notes))

    def live(self) -> tuple[LiveCall, ...]:
        """Tell the calls that go on, oldest first."""
        calls = {id(call): call for call in self._calls.values() if not call.over}
        return tuple(_as_live(call) for call in sorted(calls.values(), key=lambda call: call.since))

    @property
    def channels(self) -> int:
        """How many channels are remembered."""
        return len(self._pbx.channels)

    # From events to facts

    def _apply(self, event: Event) -> list[Channel]:  # noqa: PLR0912, PLR0915 - one arm an event
        """Change the facts; the channels that the event is about, none if it is about nothing known."""
        match event:
            case events.Newchannel() | events.Newstate():
                return self._all(event.channel)
            case events.VarSet():
                return self._set_variable(event)
            case events.DialBegin():
                return self._dial(event.channel, event.dest, event.dial_string)
            case events.DialState():
                channels = self._dial(event.channel, event.dest)
                if channels and event.status in ("RINGING", "PROGRESS"):
                    channels[0].rang = True
                return channels
            case events.DialEnd():
                return self._end_dial(event)
            case events.BridgeEnter():
                return self._enter(event)
            case events.BridgeLeave():
                channels = self._all(event.channel)
                for channel in channels:
                    self._pbx.leave(channel, event.bridge)
                return channels
            case events.Hangup():
                channels = self._all(event.channel)
                for channel in channels:
                    channel.tech_cause = event.tech_cause or channel.tech_cause
                    self._pbx.hang_up(channel, event.at, event.cause)
                return channels
            case events.HangupRequest():
                channels = self._all(event.channel)
                for channel in channels:
                    channel.hangup_requested |= _is_the_callers(event)
                    channel.cause = event.cause
                    channel.tech_cause = event.tech_cause
                return channels
            case events.NewCallerid():
                channels = self._all(event.channel)
                for channel in channels:
                    self._beginnings.new_caller(channel, event.channel.caller)
                return channels
            case events.Newexten():
                channels = self._all(event.channel)
                if event.application == "Dial":
                    for channel in channels:
                        self._beginnings.note_dial(channel, event.data)
                return channels
            case events.LocalBridge() | events.LocalOptimizationBegin() | events.LocalOptimizationEnd():
                return self._all(event.one, event.two)
            case events.BridgeMerge():
                return self._pbx.merge(event.to, event.source)
            case events.BridgeDestroy():
                return self._destroy(event.bridge)
            case events.Rename():
                return self._rename(event)
            case events.BlindTransfer():
                return self._explain("7", self._all(event.transferer, event.transferee))
            case events.AttendedTransfer():
                return self._attended_transfer(event)
            case events.Pickup():
                return self._pick_up(event)
            case events.ParkedCall() | events.ParkedCallTimeOut():
                return self._explain("12", self._all(event.parkee))
            case events.UnParkedCall():
                return self._explain("12", self._all(event.parkee, event.retriever))
            case events.MixMonitorStart() | events.MonitorStart():
                channels = self._all(event.channel)
                for channel in channels:
                    channel.recordings.append(Recording(channel.pending_file))
                    channel.pending_file = ""
                return channels
            case events.MixMonitorStop() | events.MonitorStop():
                channels = self._all(event.channel)
                for recording in (recording for channel in channels for recording in channel.recordings):
                    recording.ended = True
                return channels
            case events.MixMonitorMute():
                channels = self._all(event.channel)
                for recording in (recording for channel in channels for recording in channel.recordings):
                    recording.paused = event.muted
                return channels
            case events.ChanSpyStart():
                channels = self._all(event.spyer)
                for channel in channels:
                    channel.spies = True
                return channels
            case _:
                assert_never(event)

    def _all(self, *snapshots: events.Channel | None) -> list[Channel]:
        known = (self._know(snapshot) for snapshot in snapshots if snapshot is not None)
        return [channel for channel in known if channel is not None]

    def _know(self, snapshot: events.Channel) -> Channel | None:
        """Find a channel, or take it in; None for one that hung up a moment ago."""
        channel = self._pbx.channels.get(snapshot.uniqueid)
        if channel is None:
            if not snapshot.uniqueid or self._pbx.is_dead(snapshot.uniqueid):
                return None
            channel = Channel(snapshot, self._directory.party(snapshot.name))
            self._pbx.add(channel)
        else:
            channel.linkedid = snapshot.linkedid
            channel.state = snapshot.state
            channel.exten = snapshot.exten
        if snapshot.state in (events.RINGING, events.UP):
            channel.rang = True
        if not channel.dialled and snapshot.exten not in ("", "s") and _asks_itself(channel):
            channel.dialled = snapshot.exten
        return channel

    def _dial(
        self, source: events.Channel | None, dest: events.Channel, dial_string: str = ""
    ) -> list[Channel]:
        leg = self._know(dest)
        if leg is None:
            return []
        dialling = self._know(source) if source is not None else None
        first = leg.dial is None
        dial = self._pbx.dial(dialling, leg)
        if first:
            dial.shown = source.caller if source is not None else dest.connected
            self._beginnings.place(leg, dest, dial_string)
        return [leg] if dialling is None else [leg, dialling]

    def _end_dial(self, event: events.DialEnd) -> list[Channel]:
        leg = self._know(event.dest)
        if leg is None:
            return []
        if leg.dial is None:
            return [leg]  # whoever picks a call up was never dialled (rule 10)
        channels = self._dial(event.channel, event.dest)
        leg.dial.status = event.status
        if event.forward:
            leg.dial.forwarded = True
            self._explain("11", channels)
        return channels

    def _enter(self, event: events.BridgeEnter) -> list[Channel]:
        channel = self._know(event.channel)
        if channel is None:
            return []
        swapped = self._pbx.channels.get(event.swap) if event.swap is not None else None
        self._pbx.enter(
            channel, event.bridge, holding=_holds(event.bridge_type, event.technology), swap=event.swap
        )
        return [channel] if swapped is None else [channel, swapped]

    def _destroy(self, bridge_id: BridgeId) -> list[Channel]:
        bridge = self._pbx.bridges.get(bridge_id)
        members = list(bridge.members.values()) if bridge is not None else []
        for member in members:
            self._pbx.leave(member, bridge_id)
        return members

    def _rename(self, event: events.Rename) -> list[Channel]:
        channel = self._pbx.channels.get(event.uniqueid)
        if channel is None:
            return []
        self._pbx.rename(channel, event.name, self._directory.party(event.name))
        return [channel]

    def _set_variable(self, event: events.VarSet) -> list[Channel]:
        channels = self._all(event.channel)
        for channel in channels:
            match event.variable:
                case "MIXMONITOR_FILENAME":
                    channel.pending_file = event.value
                case "FORWARDERNAME" if event.value:
                    channel.forwarder = event.value
                case "FROM_DID" if event.value:
                    self._beginnings.set_did(channel, event.value)
                case _:
                    pass
        return channels

    def _attended_transfer(self, event: events.AttendedTransfer) -> list[Channel]:
        channels = self._all(event.original, event.second, event.transferee, event.target)
        if event.result != "Success":
            return channels
        transferee = self._know(event.transferee) if event.transferee is not None else None
        if event.dest_type == "App" and transferee is not None:
            # Nothing else tells of the leg: the transferee takes over the Dial that the transferrer runs.
            for transferrer in self._all(event.original, event.second):
                for dial in tuple(transferrer.legs.values()):
                    self._pbx.dial(transferee, dial.leg)
        return self._explain("8", channels)

    def _pick_up(self, event: events.Pickup) -> list[Channel]:
        channels = self._all(event.channel, event.target)
        if len(channels) == 2:
            self._pbx.connect(*channels)
        return self._explain("10", channels)

    def _explain(self, rule: str, channels: list[Channel]) -> list[Channel]:
        """Let the calls of these channels know by which rule they are about to change."""
        for call in self._calls_near(channels):
            call.why = rule
        return channels

    # From facts to opinions

    def _conclude(self, touched: list[Channel], moment: Moment) -> tuple[Uniqueid, ...]:
        for channel in touched:
            if channel.alive:
                self._beginnings.look(channel, moment)
        for call in self._calls_near(touched):
            call.observe(moment)
            if call.direction is Direction.OUTGOING and not call.over and self._is_joined(call):
                call.join(moment)
        gone: list[Uniqueid] = []
        for channel in touched:
            if not channel.alive:
                self._beginnings.look_back(channel, moment)
                self._calls.pop(channel.uniqueid, None)
                gone += self._forget(channel)
        return tuple(gone)

    def _calls_near(self, channels: Iterable[Channel]) -> list[Call]:
        found: dict[int, Call] = {}
        groups = {id(channel.group): channel for channel in channels}
        for channel in (*channels, *(one for each in groups.values() for one in each.group.living.values())):
            call = self._calls.get(channel.uniqueid)
            if call is not None:
                found[id(call)] = call
        return list(found.values())

    def _is_joined(self, call: Call) -> bool:
        """Tell whether an outgoing call was a consultation that is over: its two clients are joined (rule 9)."""
        if call.client is not None:
            heard = [channel for channel in conversation(call.client) if not channel.is_local]
        else:
            sources = [leg.dial.source for leg in call.attempts if leg.alive and leg.dial is not None]
            heard = [channel for source in sources if source is not None for channel in origin(source)]
        if not heard or any(channel.extension is not None for channel in heard):
            return False
        others = (self._calls.get(channel.uniqueid) for channel in heard)
        return any(
            other is not None and other is not call and not other.over and other.since < call.since
            for other in others
        )

    def _forget(self, channel: Channel) -> list[Uniqueid]:
        """Let go of what no call needs any more; the channels of which nothing is kept."""
        group = channel.group
        if any(one in self._calls for one in group.living):
            return []
        gone, group.dead = group.dead, []
        return gone

    # After a gap

    def _reconcile(self, one: events.Present, at: float) -> Channel | None:
        known = one.channel.uniqueid in self._pbx.channels
        channel = self._know(one.channel)
        if channel is None:
            return None
        if not known and one.application.startswith("App") and channel.is_line:
            channel.dial = channel.dial or self._pbx.dial(None, channel)
        if one.bridge is None:
            if channel.bridge is not None:
                self._pbx.leave(channel, channel.bridge.id)
        elif channel.bridge is None or channel.bridge.id != one.bridge:
            self._pbx.enter(channel, one.bridge, holding=_holds(one.bridge_type, one.technology), swap=None)
        return channel

    def _guess_source(self, channel: Channel) -> None:
        """Find who dials a leg whose DialBegin was not heard: the channel after which it is linked."""
        source = self._pbx.channels.get(Uniqueid(channel.linkedid))
        if not channel.alive or source is None or source is channel or channel.is_local:
            return
        if channel.dial is None or (channel.dial.source is None and channel.is_line):
            if channel.first.state == events.RING:
                return
            first = channel.dial is None or not channel.dial.number
            dial = self._pbx.dial(source, channel)
            if first:
                dial.shown = channel.first.connected
                self._beginnings.place(channel, channel.first, "")


def _holds(bridge_type: str, technology: str) -> bool:
    return bridge_type in NO_CONVERSATION or technology in NO_CONVERSATION


def _asks_itself(channel: Channel) -> bool:
    """Tell whether a channel's exten is what its own phone asked for, and not its caller's."""
    if channel.dial is None:
        return channel.state == events.RING
    return channel.dial.source is None and channel.state == events.UP


def _is_the_callers(event: events.HangupRequest) -> bool:
    """Tell whether the phone hung up, and did not just take note of our refusal (`Congestion()`, `Busy()`)."""
    return event.channel.state != events.BUSY and not ended_by_itself(event.cause, forwarded=False)


def _as_live(call: Call) -> LiveCall:
    talking = [part.extension for part in call.parts.values() if part.state in (State.TALKING, State.AWAY)]
    return LiveCall(
        callid=call.callid,
        direction=call.direction,
        client=call.phone,
        did=call.did,
        since=call.since,
        ringing=tuple(
            part.extension for part in call.parts.values() if part.state in (State.RINGING, State.HELD)
        ),
        talking=tuple(talking),
        talking_since=call.talking_since,
        seconds=call.seconds,
    )
