"""Histories made by hand: what AMI says when people do this and that, in the order in which Asterisk says it."""

from dataclasses import dataclass
from itertools import count

from ami_planfix.calls import events
from ami_planfix.calls.events import BridgeId, Event, Linkedid, Uniqueid

CLIENT = "79101234567"
STRANGER = "79035550000"
DID = "74951230001"
COMPANY = "74951230000"


@dataclass(eq=False)
class Line:
    """A channel as it stands."""

    uniqueid: Uniqueid
    linkedid: Linkedid
    name: str
    state: int
    caller: str
    connected: str
    exten: str
    context: str = "from-internal"
    source: "Line | None" = None
    """Who dials it."""
    bridge: BridgeId | None = None
    alive: bool = True

    @property
    def now(self) -> events.Channel:
        """Its channel snapshot, as every event carries it."""
        return events.Channel(
            self.uniqueid,
            self.linkedid,
            self.name,
            self.state,
            self.caller,
            self.connected,
            self.context,
            self.exten,
        )


class History:
    """Everything that AMI says; the verbs are what people and the dialplan do."""

    def __init__(self, at: float = 1_700_000_000.0) -> None:
        self.events: list[Event] = []
        self.at = at
        self._numbers = count(1)
        self._bridges = count(1)

    def later(self, seconds: float = 1.0) -> None:
        """Let time pass."""
        self.at += seconds

    def say(self, event: Event) -> None:
        """Append any event."""
        self.events.append(event)

    # Channels

    def rings_in(
        self, caller: str = CLIENT, exten: str = DID, device: str = "PJSIP/provider", *, chan_sip: bool = False
    ) -> Line:
        """A call comes in on a line."""
        line = self._line(device, caller=caller, exten=exten, state=events.DOWN if chan_sip else events.RING)
        line.context = "from-trunk"
        self.say(events.Newchannel(self.at, line.now))
        if chan_sip:
            line.state = events.RING
            self.say(events.Newstate(self.at, line.now))
        return line

    def phone_calls(self, extension: str, exten: str, *, caller: str | None = None) -> Line:
        """An employee dials a number."""
        line = self._line(f"PJSIP/{extension}", caller=caller or extension, exten=exten, state=events.RING)
        self.say(events.Newchannel(self.at, line.now))
        return line

    def originates(self, device: str, *, exten: str = "s", uniqueid: str = "", caller: str = "") -> Line:
        """An Originate dials somebody first; nobody dials that leg."""
        line = self._line(device, uniqueid=uniqueid, caller=caller, exten=exten)
        self.say(events.Newchannel(self.at, line.now))
        self.say(events.DialBegin(self.at, None, line.now, device.partition("/")[2]))
        return line

    def local(self, exten: str, context: str = "from-internal", *, by: Line | None = None) -> tuple[Line, Line]:
        """A Local channel is made."""
        number = next(self._numbers)
        halves = []
        for half in (1, 2):
            line = self._line(f"Local/{exten}@{context}-{number:08x};{half}", exten=exten, linked=by, numbered=False)
            line.state = events.RING if half == 2 else events.DOWN
            line.context = context
            self.say(events.Newchannel(self.at, line.now))
            halves.append(line)
        self.say(events.LocalBridge(self.at, halves[0].now, halves[1].now))
        return halves[0], halves[1]

    def dials_local(self, source: Line, exten: str, context: str = "from-internal") -> tuple[Line, Line]:
        """A Dial rings a Local channel; the dialplan goes on from its second half."""
        one, two = self.local(exten, context, by=source)
        one.source = source
        self.say(events.DialBegin(self.at, source.now, one.now, f"{exten}@{context}"))
        return one, two

    def dials(
        self, source: Line, device: str, dial_string: str = "", *, shown: str | None = None, caller: str = ""
    ) -> Line:
        """A Dial calls a device: `PJSIP/101`, or `PJSIP/provider` with `79101234567@provider`."""
        leg = self._line(device, caller=caller, connected=source.caller, exten="s", linked=source)
        self.say(events.Newchannel(self.at, leg.now))
        leg.source = source
        begin = source.now if shown is None else source.now._replace(caller=shown)
        self.say(events.DialBegin(self.at, begin, leg.now, dial_string or device.partition("/")[2]))
        return leg

    def rings(self, *legs: Line) -> None:
        """Phones ring."""
        for leg in legs:
            leg.state = events.RINGING
            self.say(events.Newstate(self.at, leg.now))
            self.say(events.DialState(self.at, self._source(leg), leg.now, "RINGING"))

    def answers(self, leg: Line, *losers: Line) -> None:
        """A phone is picked up; the others of the same Dial stop."""
        leg.state = events.UP
        self.say(events.Newstate(self.at, leg.now))
        for loser in losers:
            self.say(events.DialEnd(self.at, self._source(loser), loser.now, "CANCEL", ""))
        if leg.source is not None:
            self.say(events.DialEnd(self.at, self._source(leg), leg.now, "ANSWER", ""))
        for loser in losers:
            self.hangs_up(loser, cause=26)

    def picks_up(self, line: Line) -> None:
        """A calling channel is answered by what it called."""
        line.state = events.UP
        self.say(events.Newstate(self.at, line.now))

    def refuses(
        self, leg: Line, status: str = "BUSY", cause: int = 17, tech_cause: str = "", forward: str = ""
    ) -> None:
        """A leg ends without an answer: `BUSY`, `NOANSWER`, `CANCEL`, ..."""
        self.say(events.DialEnd(self.at, self._source(leg), leg.now, status, forward))
        self.hangs_up(leg, cause=cause, tech_cause=tech_cause)

    def asks_to_hang_up(self, line: Line, cause: int | None = 16) -> None:
        """The phone says BYE, or the other side refuses."""
        self.say(events.HangupRequest(self.at, line.now, cause, ""))

    def hangs_up(self, *lines: Line, cause: int = 16, tech_cause: str = "") -> None:
        """Channels end."""
        for line in lines:
            if line.bridge is not None:
                self.leaves(line)
            line.alive = False
            self.say(events.Hangup(self.at, line.now, cause, tech_cause))

    # Bridges

    def talk(self, *lines: Line, kind: str = "basic", technology: str = "simple_bridge") -> BridgeId:
        """Channels meet in a new bridge."""
        bridge = BridgeId(f"bridge-{next(self._bridges)}")
        for line in lines:
            self.enters(line, bridge, kind, technology)
        return bridge

    def enters(
        self,
        line: Line,
        bridge: BridgeId,
        kind: str = "basic",
        technology: str = "simple_bridge",
        *,
        swap: Line | None = None,
    ) -> None:
        """A channel enters a bridge, out of another one if it is in one."""
        if line.bridge is not None:
            self.leaves(line)
        line.bridge = bridge
        if swap is not None:
            swap.bridge = None
        swapped = swap.uniqueid if swap is not None else None
        self.say(events.BridgeEnter(self.at, bridge, kind, technology, line.now, swapped))

    def leaves(self, *lines: Line) -> None:
        """Channels leave their bridge."""
        for line in lines:
            assert line.bridge is not None
            self.say(events.BridgeLeave(self.at, line.bridge, line.now))
            line.bridge = None

    def parks(self, line: Line) -> BridgeId:
        """A channel is put into a parking space."""
        bridge = self.talk(line, kind="parking", technology="holding_bridge")
        self.say(events.ParkedCall(self.at, line.now, ""))
        return bridge

    # Everything at once

    def converses(self, client: Line, device: str = "PJSIP/101") -> Line:
        """A phone rings for a client and is picked up; they talk."""
        leg = self.dials(client, device)
        self.rings(leg)
        self.later()
        self.answers(leg)
        self.meet(client, leg)
        return leg

    def calls_out(self, extension: str = "101", number: str = CLIENT) -> tuple[Line, Line]:
        """An employee calls a client, who answers; they talk. The employee's channel and the client's leg."""
        phone = self.phone_calls(extension, number)
        leg = self.dials(phone, "PJSIP/provider", f"{number}@provider", shown=COMPANY)
        self.rings(leg)
        self.later()
        self.answers(leg)
        self.meet(phone, leg)
        return phone, leg

    def meet(self, caller: Line, leg: Line) -> BridgeId:
        """Caller and answered leg are bridged."""
        if caller.state != events.UP:
            self.picks_up(caller)
        return self.talk(leg, caller)

    def transfers_blindly(self, by: Line, whom: Line, exten: str) -> None:
        """A phone sends whom it talks with somewhere else, and is hung up."""
        bridge = by.bridge
        assert bridge is not None
        self.say(events.BlindTransfer(self.at, by.now, whom.now, bridge, "from-internal", exten))
        self.leaves(whom, by)
        self.hangs_up(by)
        whom.exten, whom.context = exten, "from-internal"

    # Variables, recordings

    def sets(self, line: Line, variable: str, value: str) -> None:
        """The dialplan sets a variable."""
        self.say(events.VarSet(self.at, line.now, variable, value))

    def tells(self, line: Line, **fields: str) -> None:
        """The dialplan tells fields: `UserEvent(PlanfixData,...)`."""
        self.say(events.UserEvent(self.at, line.uniqueid, tuple(fields.items())))

    def runs(self, line: Line, application: str, data: str = "") -> None:
        """The dialplan runs an application."""
        self.say(events.Newexten(self.at, line.now, application, data))

    def goes_to(self, line: Line, exten: str, context: str) -> None:
        """A channel runs what is first at an exten; of others than digits nothing is heard."""
        line.exten, line.context = exten, context
        if exten.strip("0123456789*#") == "":
            self.runs(line, "NoOp")

    def records(self, line: Line, file: str = "/var/spool/asterisk/monitor/call.wav") -> None:
        """MixMonitor begins."""
        self.sets(line, "MIXMONITOR_FILENAME", file)
        self.say(events.MixMonitorStart(self.at, line.now))

    def _source(self, leg: Line) -> events.Channel | None:
        return leg.source.now if leg.source is not None else None

    def _line(
        self,
        device: str,
        *,
        uniqueid: str = "",
        caller: str = "",
        connected: str = "",
        exten: str = "s",
        state: int = events.DOWN,
        linked: Line | None = None,
        numbered: bool = True,
    ) -> Line:
        number = next(self._numbers)
        ident = Uniqueid(uniqueid or f"{self.at:.0f}.{number}")
        linkedid = linked.linkedid if linked is not None else Linkedid(ident)
        return Line(ident, linkedid, f"{device}-{number:08x}" if numbered else device, state, caller, connected, exten)
