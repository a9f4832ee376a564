"""What each event changes in the facts: the mirror follows Asterisk here, and nowhere else."""

from collections.abc import Iterable
from typing import assert_never

from ami_planfix.calls import events, menus
from ami_planfix.calls.attributes import VARIABLE, keep
from ami_planfix.calls.beginning import Beginnings
from ami_planfix.calls.causes import ended_by_itself
from ami_planfix.calls.events import BridgeId, Event, Present, Snapshot, Uniqueid
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
        match event:
            case (
                events.Newchannel()
                | events.Newstate()
                | events.Hangup()
                | events.NewCallerid()
                | events.HangupRequest()
            ):
                return self._hear_of_channel(event)
            case events.DialBegin() | events.DialState() | events.DialEnd():
                return self._hear_of_dial(event)
            case (
                events.BridgeEnter()
                | events.BridgeLeave()
                | events.BridgeDestroy()
                | events.BridgeMerge()
                | events.LocalBridge()
                | events.LocalOptimizationBegin()
                | events.LocalOptimizationEnd()
            ):
                return self._hear_of_bridge(event)
            case events.VarSet() | events.UserEvent() | events.Newexten():
                return self._hear_of_plan(event)
            case (
                events.BlindTransfer()
                | events.AttendedTransfer()
                | events.Pickup()
                | events.ParkedCall()
                | events.ParkedCallTimeOut()
                | events.UnParkedCall()
            ):
                return self._hear_of_transfer(event)
            case events.Rename():
                return self._rename(event)
            case events.OriginateResponse():
                channel = self._pbx.channels.get(event.uniqueid)
                return [channel] if channel is not None else []
            case _:
                return self._hear_of_listener(event)

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

    # One kind of events each

    def _hear_of_channel(self, event: events.ChannelEvent) -> list[Channel]:
        channel = self._know(event.channel)
        if channel is None:
            return []
        match event:
            case events.Newchannel() | events.Newstate():
                pass
            case events.NewCallerid():
                self._beginnings.new_caller(channel, event.channel.caller)
            case events.HangupRequest():
                if not channel.hangup_requested and _is_the_callers(event):
                    channel.hangup_requested = self._pbx.changed = True
                channel.cause = event.cause
                channel.tech_cause = event.tech_cause
            case events.Hangup():
                channel.tech_cause = event.tech_cause or channel.tech_cause
                self._pbx.hang_up(channel, event.at, event.cause)
            case _:
                assert_never(event)
        return [channel]

    def _hear_of_plan(self, event: events.PlanEvent) -> list[Channel]:
        match event:
            case events.VarSet():
                return self._set_variable(event)
            case events.UserEvent():
                channel = self._pbx.channels.get(event.uniqueid)
                return self._tell(channel, event.data) if channel is not None else []
            case events.Newexten():
                return self._run(event)
            case _:
                assert_never(event)

    def _hear_of_dial(self, event: events.DialEvent) -> list[Channel]:
        match event:
            case events.DialBegin():
                return self._dial(event.channel, event.dest, event.dial_string)
            case events.DialState():
                channels = self._dial(event.channel, event.dest)
                if channels and not channels[0].rang and event.status in ("RINGING", "PROGRESS"):
                    channels[0].rang = self._pbx.changed = True
                return channels
            case events.DialEnd():
                return self._end_dial(event)
            case _:
                assert_never(event)

    def _hear_of_bridge(self, event: events.BridgeEvent) -> list[Channel]:
        match event:
            case events.BridgeEnter():
                return self._enter(event)
            case events.BridgeLeave():
                channels = self._all(event.channel)
                for channel in channels:
                    self._pbx.leave(channel, event.bridge)
                return channels
            case events.BridgeMerge():
                return self._pbx.merge(event.source)
            case events.BridgeDestroy():
                return self._destroy(event.bridge)
            case events.LocalBridge() | events.LocalOptimizationBegin() | events.LocalOptimizationEnd():
                return self._all(event.one, event.two)
            case _:
                assert_never(event)

    def _hear_of_transfer(self, event: events.TransferEvent) -> list[Channel]:
        match event:
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
            case _:
                assert_never(event)

    def _hear_of_listener(self, event: events.ListenerEvent) -> list[Channel]:
        self._pbx.changed = True
        channels = self._all(event.spyer if isinstance(event, events.ChanSpyStart) else event.channel)
        for channel in channels:
            match event:
                case events.MixMonitorStart() | events.MonitorStart():
                    channel.recordings.append(Recording(channel.plan.pending_file))
                    channel.plan.pending_file = ""
                case events.MixMonitorStop() | events.MonitorStop():
                    for recording in channel.recordings:
                        recording.ended = True
                case events.MixMonitorMute():
                    for recording in channel.recordings:
                        recording.paused = event.muted
                case events.ChanSpyStart():
                    channel.spies = True
                case _:
                    assert_never(event)
        return channels

    # Single events

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
        leg.dial.status = event.status
        self._pbx.changed = True
        if event.forward:
            leg.dial.forwarded = True
            self._explain("11", channels)
        return channels

    def _enter(self, event: events.BridgeEnter) -> list[Channel]:
        channel = self._know(event.channel)
        if channel is None:
            return []
        swapped = self._pbx.channels.get(event.swap) if event.swap is not None else None
        self._pbx.enter(channel, event.bridge, holding=_holds(event.bridge_type, event.technology), swap=event.swap)
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

    def _tell(self, channel: Channel, fields: Iterable[tuple[str, str]]) -> list[Channel]:
        """Keep fields for the data tag; those of a Local half are told of whom it dials for."""
        for one in (origin(channel) if channel.is_local else ()) or (channel,):
            for name, value in fields:
                keep(one.plan.data, name, value)
        self._pbx.changed = True
        return [channel]

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

    def _explain(self, rule: str, channels: list[Channel]) -> list[Channel]:
        """Let the calls of these channels know by which rule they are about to change."""
        for call in self._register.near(channels):
            call.why = rule
        return channels

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
