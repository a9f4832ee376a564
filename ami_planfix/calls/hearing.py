"""What each event changes in the facts: the mirror follows Asterisk here, and nowhere else."""

from collections.abc import Callable, Iterable
from typing import Any

from ami_planfix.calls import events, menus
from ami_planfix.calls.attributes import VARIABLE, keep
from ami_planfix.calls.beginning import Beginnings
from ami_planfix.calls.causes import ended_by_itself
from ami_planfix.calls.events import Event, Present, Snapshot, Uniqueid
from ami_planfix.calls.parties import Directory
from ami_planfix.calls.pbx import NO_CONVERSATION, Channel, Pbx, Recording, origin
from ami_planfix.calls.register import Register


class Hearing:
    """Changes the facts by what is heard; each method returns the channels that it touched."""

    def __init__(self, pbx: Pbx, directory: Directory, register: Register, beginnings: Beginnings) -> None:
        self._pbx = pbx
        self._directory = directory
        self._register = register
        self._beginnings = beginnings

    def hear(self, event: Event) -> list[Channel]:
        """Take an event; the channels that it is about, none if it is about nothing known."""
        return _WAYS[type(event)](self, event)

    def reconcile(self, snapshot: Snapshot) -> list[Channel]:
        """Take what exists: channels that it does not name are gone, the others are where it says.

        Those of which it is not sure stay as they are.
        """
        present = snapshot.unsure.union(one.channel.uniqueid for one in snapshot.channels)
        touched = [channel for channel in self._pbx.channels.values() if channel.uniqueid not in present]
        for channel in touched:
            self._pbx.hang_up(channel, snapshot.at, None)
        orphans: list[tuple[Channel, Present]] = []
        for one in snapshot.channels:
            found = self._place_as_told(one)
            if found is not None:
                touched.append(found)
                if found.dial is None or (found.dial.source is None and found.is_line):
                    orphans.append((found, one))
        for orphan, one in orphans:
            self._guess_source(orphan, one)
        return touched

    def _place_as_told(self, one: Present) -> Channel | None:
        known = one.channel.uniqueid in self._pbx.channels
        channel = self._know(one.channel)
        if channel is None:
            return None
        if not known and one.application.startswith("App") and channel.is_line:
            self._pbx.dial(None, channel)
        if one.bridge is None:
            if channel.bridge is not None:
                self._pbx.leave(channel, channel.bridge.id)
        elif channel.bridge is None or channel.bridge.id != one.bridge:
            self._pbx.enter(channel, one.bridge, holding=_holds(one.bridge_type, one.technology), swap=None)
        return channel

    def _guess_source(self, leg: Channel, one: Present) -> None:
        """Find who dials a leg whose DialBegin was not heard: the channel after which it is linked, or a Local half.

        Where Local channels are about, only a half in the employee's name will do: a consultation's leg is linked
        after the client too.
        """
        if leg.first.state == events.RING or leg.state in (events.DOWN, events.RING):
            return  # it called itself, or its DialBegin is still to come
        if self._register.whose_client(leg) is not None:
            return  # so did a client over chan_sip, whose channel begins Down
        root = self._pbx.channels.get(Uniqueid(leg.linkedid))
        source: Channel | None
        if leg.is_local:
            source = root if leg.name.endswith(";1") and leg.bridge is None else None
        else:
            halves = self._pbx.dialling_halves_of(leg.linkedid)
            in_its_name = (
                half
                for half in halves
                if leg.extension is not None and self._directory.in_name_of(half.first.exten) == leg.extension
            )
            source = next(in_its_name, None) if halves else root
        if source is None or source is leg:
            return
        dial = self._pbx.dial(source, leg)
        if not dial.number:
            dial.shown = one.channel.connected
            self._beginnings.place(leg, one.channel, "")

    # Channels

    def _meet(self, event: events.Newchannel | events.Newstate) -> list[Channel]:
        channel = self._know(event.channel)
        return [] if channel is None else [channel]

    def _name_caller(self, event: events.NewCallerid) -> list[Channel]:
        channels = self._all(event.channel)
        for channel in channels:
            self._beginnings.new_caller(channel, event.channel.caller)
        return channels

    def _request_hangup(self, event: events.HangupRequest) -> list[Channel]:
        channels = self._all(event.channel)
        for channel in channels:
            if not channel.hangup_requested and _is_the_callers(event):
                channel.hangup_requested = self._pbx.changed = True
            channel.cause = event.cause
            channel.tech_cause = event.tech_cause
        return channels

    def _hang_up(self, event: events.Hangup) -> list[Channel]:
        channels = self._all(event.channel)
        for channel in channels:
            channel.tech_cause = event.tech_cause or channel.tech_cause
            self._pbx.hang_up(channel, event.at, event.cause)
        return channels

    def _rename(self, event: events.Rename) -> list[Channel]:
        channel = self._pbx.channels.get(event.uniqueid)
        if channel is None:
            return []
        self._pbx.rename(channel, event.name, self._directory.party(event.name))
        return [channel]

    def _find(self, event: events.OriginateResponse) -> list[Channel]:
        channel = self._pbx.channels.get(event.uniqueid)
        return [] if channel is None else [channel]

    # Dials

    def _begin_dial(self, event: events.DialBegin) -> list[Channel]:
        return self._dial(event.channel, event.dest, event.dial_string)

    def _ring(self, event: events.DialState) -> list[Channel]:
        channels = self._dial(event.channel, event.dest)
        if channels and not channels[0].rang and event.status in ("RINGING", "PROGRESS"):
            channels[0].rang = self._pbx.changed = True
        return channels

    def _dial(self, source: events.Channel | None, dest: events.Channel, dial_string: str = "") -> list[Channel]:
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
        leg.dial.status = event.status  # counts when the leg is gone: nobody looks now
        if event.forward:
            leg.dial.forwarded = True
            self._explain("11", channels)
        return channels

    # Bridges

    def _enter(self, event: events.BridgeEnter) -> list[Channel]:
        channel = self._know(event.channel)
        if channel is None:
            return []
        swapped = self._pbx.channels.get(event.swap) if event.swap is not None else None
        self._pbx.enter(channel, event.bridge, holding=_holds(event.bridge_type, event.technology), swap=event.swap)
        return [channel] if swapped is None else [channel, swapped]

    def _leave(self, event: events.BridgeLeave) -> list[Channel]:
        channels = self._all(event.channel)
        for channel in channels:
            self._pbx.leave(channel, event.bridge)
        return channels

    def _merge(self, event: events.BridgeMerge) -> list[Channel]:
        return self._pbx.merge(event.source)

    def _destroy(self, event: events.BridgeDestroy) -> list[Channel]:
        bridge = self._pbx.bridges.get(event.bridge)
        members = list(bridge.members.values()) if bridge is not None else []
        for member in members:
            self._pbx.leave(member, event.bridge)
        return members

    def _connect_halves(
        self, event: events.LocalBridge | events.LocalOptimizationBegin | events.LocalOptimizationEnd
    ) -> list[Channel]:
        return self._all(event.one, event.two)

    # What the dialplan does

    def _run(self, event: events.Newexten) -> list[Channel]:
        known = self._pbx.channels.get(event.channel.uniqueid)
        chosen = known is not None and menus.is_choice(known.plan, event)
        if not chosen and event.application not in _APPLICATIONS:
            return []  # what is passed over leaves no trace: a replay has not got it
        channel = self._know(event.channel)
        if channel is None:
            return []
        if chosen:
            menus.choose(channel.plan, event)
            self._pbx.changed = True
        match event.application:
            case "Dial":
                self._beginnings.note_dial(channel, event.data)
            case "Monitor":
                channel.plan.pending_file = _monitored(event.data)
            case "Queue":
                channel.plan.queue = event.data.partition(",")[0]
                self._pbx.changed = True
            case application if application in menus.APPLICATIONS:
                menus.enter(channel.plan, event)
        return [channel]

    def _set_variable(self, event: events.VarSet) -> list[Channel]:
        channels = self._all(event.channel)
        for channel in channels:
            match event.variable:
                case "MIXMONITOR_FILENAME":
                    channel.plan.pending_file = event.value
                case "FORWARDERNAME" if event.value:
                    channel.plan.forwarder = event.value
                case "DEXTEN":
                    # FreePBX's dial-one: the extension that it is about to dial, or to forward.
                    channel.plan.dexten = self._directory.extension(event.value)
                case "FROM_DID" if event.value:
                    self._beginnings.set_did(channel, event.value)
                case menus.FREEPBX:
                    menus.enter_freepbx(channel.plan, event)
                case variable if variable.startswith(VARIABLE):
                    self._tell(channel, ((variable.removeprefix(VARIABLE), event.value),))
        return channels

    def _take_fields(self, event: events.UserEvent) -> list[Channel]:
        channel = self._pbx.channels.get(event.uniqueid)
        return [] if channel is None else self._tell(channel, event.data)

    def _tell(self, channel: Channel, fields: Iterable[tuple[str, str]]) -> list[Channel]:
        """Keep fields for the data tag; those of a Local half are told of whom it dials for."""
        for one in (origin(channel) if channel.is_local else ()) or (channel,):
            for name, value in fields:
                keep(one.plan.data, name, value)
        self._pbx.changed = True
        return [channel]

    # Transfers, pickup, parking

    def _blind_transfer(self, event: events.BlindTransfer) -> list[Channel]:
        return self._explain("7", self._all(event.transferer, event.transferee))

    def _attended_transfer(self, event: events.AttendedTransfer) -> list[Channel]:
        channels = self._all(event.original, event.second, event.transferee, event.target)
        if event.result != "Success":
            return channels
        self._pbx.changed = True
        transferrers = self._all(event.original, event.second)
        if event.dest_type != "Threeway":
            for transferrer in transferrers:
                transferrer.handed_over = True
        transferee = self._know(event.transferee) if event.transferee is not None else None
        if event.dest_type == "App" and transferee is not None:
            # Nothing else tells of the leg: the transferee takes over the Dial that the transferrer runs.
            for transferrer in transferrers:
                for dial in tuple(transferrer.legs.values()):
                    self._pbx.dial(transferee, dial.leg)
        return self._explain("8", channels)

    def _pick_up(self, event: events.Pickup) -> list[Channel]:
        channels = self._all(event.channel, event.target)
        if len(channels) == 2:
            self._pbx.connect(*channels)
        return self._explain("10", channels)

    def _park(self, event: events.ParkedCall | events.ParkedCallTimeOut) -> list[Channel]:
        return self._explain("12", self._all(event.parkee))

    def _unpark(self, event: events.UnParkedCall) -> list[Channel]:
        return self._explain("12", self._all(event.parkee, event.retriever))

    def _explain(self, rule: str, channels: list[Channel]) -> list[Channel]:
        """Let the calls of these channels know by which rule they are about to change."""
        for call in self._register.near(channels):
            call.why = rule
        return channels

    # Who listens

    def _record(self, event: events.MixMonitorStart | events.MonitorStart) -> list[Channel]:
        channels = self._all_changed(event.channel)
        for channel in channels:
            channel.recordings.append(Recording(channel.plan.pending_file))
            channel.plan.pending_file = ""
        return channels

    def _end_recording(self, event: events.MixMonitorStop | events.MonitorStop) -> list[Channel]:
        channels = self._all_changed(event.channel)
        for channel in channels:
            for recording in channel.recordings:
                recording.ended = True
        return channels

    def _mute_recording(self, event: events.MixMonitorMute) -> list[Channel]:
        channels = self._all_changed(event.channel)
        for channel in channels:
            for recording in channel.recordings:
                recording.paused = event.muted
        return channels

    def _spy(self, event: events.ChanSpyStart) -> list[Channel]:
        channels = self._all_changed(event.spyer)
        for channel in channels:
            channel.spies = True
        return channels

    # Finding channels

    def _all_changed(self, snapshot: events.Channel) -> list[Channel]:
        self._pbx.changed = True
        return self._all(snapshot)

    def _all(self, *snapshots: events.Channel | None) -> list[Channel]:
        found: list[Channel] = []
        for snapshot in snapshots:
            channel = self._know(snapshot) if snapshot is not None else None
            if channel is not None:
                found.append(channel)
        return found

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
            if channel.state != snapshot.state:
                channel.state = snapshot.state
                self._pbx.changed = True
        if not channel.rang and snapshot.state in (events.RINGING, events.UP):
            channel.rang = self._pbx.changed = True
        if snapshot.exten and not channel.plan.dialled and _asks_itself(channel):
            # `Local/101@...` begins at 101, whatever is dialled through it afterwards.
            of_its_own = not channel.is_local or snapshot.exten != channel.first.exten
            channel.plan.dialled = snapshot.exten if snapshot.exten != "s" and of_its_own else ""
        return channel


_WAYS: dict[type[Event], Callable[[Hearing, Any], list[Channel]]] = {
    events.Newchannel: Hearing._meet,
    events.Newstate: Hearing._meet,
    events.NewCallerid: Hearing._name_caller,
    events.Rename: Hearing._rename,
    events.HangupRequest: Hearing._request_hangup,
    events.Hangup: Hearing._hang_up,
    events.OriginateResponse: Hearing._find,
    events.DialBegin: Hearing._begin_dial,
    events.DialState: Hearing._ring,
    events.DialEnd: Hearing._end_dial,
    events.BridgeEnter: Hearing._enter,
    events.BridgeLeave: Hearing._leave,
    events.BridgeMerge: Hearing._merge,
    events.BridgeDestroy: Hearing._destroy,
    events.LocalBridge: Hearing._connect_halves,
    events.LocalOptimizationBegin: Hearing._connect_halves,
    events.LocalOptimizationEnd: Hearing._connect_halves,
    events.Newexten: Hearing._run,
    events.VarSet: Hearing._set_variable,
    events.UserEvent: Hearing._take_fields,
    events.BlindTransfer: Hearing._blind_transfer,
    events.AttendedTransfer: Hearing._attended_transfer,
    events.Pickup: Hearing._pick_up,
    events.ParkedCall: Hearing._park,
    events.ParkedCallTimeOut: Hearing._park,
    events.UnParkedCall: Hearing._unpark,
    events.MixMonitorStart: Hearing._record,
    events.MonitorStart: Hearing._record,
    events.MixMonitorStop: Hearing._end_recording,
    events.MonitorStop: Hearing._end_recording,
    events.MixMonitorMute: Hearing._mute_recording,
    events.ChanSpyStart: Hearing._spy,
}
"""What is done about each event; a test sees that none is missing."""

_APPLICATIONS = menus.APPLICATIONS | {"Dial", "Monitor", "Queue"}


def _holds(bridge_type: str, technology: str) -> bool:
    return bridge_type in NO_CONVERSATION or technology in NO_CONVERSATION


def _monitored(data: str) -> str:
    """Tell the file of `Monitor(FORMAT[:URL],BASE,OPTIONS)`; `''` if Asterisk is to choose a name (res/monitor)."""
    form, _, rest = data.partition(",")
    base = rest.partition(",")[0]
    return f"{base}.{form.partition(':')[0] or 'wav'}" if base else ""


def _asks_itself(channel: Channel) -> bool:
    """Tell whether a channel's exten is what its own phone asked for, and not its caller's."""
    if channel.dial is None:
        return channel.state == events.RING
    return channel.dial.source is None and channel.state == events.UP


def _is_the_callers(event: events.HangupRequest) -> bool:
    """Tell whether the phone hung up, and did not just take note of our refusal (`Congestion()`, `Busy()`)."""
    return event.channel.state != events.BUSY and not ended_by_itself(event.cause, forwarded=False)
