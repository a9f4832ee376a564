"""A small model of a PBX: people do what they like, events come out, and the model knows the truth about each call."""

from dataclasses import dataclass, field

from ami_planfix.calls import events
from ami_planfix.calls.reports import Direction, Outcome
from tests.calls.events_of import CLIENT, COMPANY, History, Line

EXTENSIONS = ("101", "102", "103", "104", "105")

REFUSALS = {
    "busy": ("BUSY", 17, "486", Outcome.BUSY),
    "declined": ("NOANSWER", 21, "603", Outcome.BUSY),
    "forbidden": ("NOANSWER", 21, "403", Outcome.NOT_ALLOWED),
    "unreachable": ("CONGESTION", 34, "503", Outcome.NOT_AVAILABLE),
    "time-out": ("NOANSWER", 0, "", Outcome.NO_ANSWER),
}


@dataclass(eq=False)
class Leg:
    """A phone that is dialled for a client, perhaps through a Local channel."""

    line: Line
    extension: str
    halves: tuple[Line, Line] | None = None
    kept: bool = False
    """The Local channel has the option /n: it stays."""


@dataclass(eq=False)
class Conversation:
    """One client's call, and the truth about it."""

    client: Line
    callid: str
    direction: Direction
    ringing: list[Leg] = field(default_factory=list)
    talkers: list[Leg] = field(default_factory=list)
    """Who talks with the client, or has it on hold; in the order in which they came."""
    last: str | None = None
    """Who talked last."""
    unanswered: Outcome | None = None
    """Outgoing and over without an answer: how."""
    parked: bool = False

    @property
    def over(self) -> bool:
        """Tell whether the client has hung up."""
        return not self.client.alive

    @property
    def waits(self) -> bool:
        """Tell whether the client talks with nobody."""
        return not self.over and not self.talkers

    @property
    def free(self) -> list[str]:
        """Give the extensions that have nothing to do with this call."""
        busy = {leg.extension for leg in (*self.ringing, *self.talkers)}
        return [extension for extension in EXTENSIONS if extension not in busy]


class Switch:
    """The PBX: what people do, as Asterisk tells it."""

    def __init__(self) -> None:
        self.history = History()
        self.conversations: list[Conversation] = []

    # How a call begins

    def call_in(self, *, chan_sip: bool) -> None:
        """A client calls."""
        client = self.history.rings_in(chan_sip=chan_sip)
        self.conversations.append(Conversation(client, client.uniqueid, Direction.INCOMING))

    def call_out(self, extension: str, refusals: list[str], *, answered: bool, originated: bool) -> None:
        """An employee calls a client over one trunk after another; the last one may be answered."""
        history = self.history
        if originated:
            phone = history.originates(f"PJSIP/{extension}", caller=CLIENT)
            history.rings(phone)
            history.later()
            history.answers(phone)
            phone.exten = CLIENT
        else:
            phone = history.phone_calls(extension, CLIENT)
        refused = None
        for refusal in refusals:
            status, cause, tech_cause, refused = REFUSALS[refusal]
            leg = self._dial_out(phone)
            history.refuses(leg, status, cause, tech_cause)
        if not answered:
            if refused is None:
                refused = Outcome.NO_ANSWER
                leg = self._dial_out(phone)
                history.later(5)
                history.asks_to_hang_up(phone)
                history.refuses(leg, "CANCEL", 127)
            history.hangs_up(phone, cause=127)
            self.conversations.append(Conversation(leg, phone.linkedid, Direction.OUTGOING, unanswered=refused))
            return
        client = self._dial_out(phone)
        history.later()
        history.answers(client)
        history.meet(phone, client)
        talker = Leg(phone, extension)
        self.conversations.append(
            Conversation(client, phone.linkedid, Direction.OUTGOING, talkers=[talker], last=extension)
        )

    def call_colleague(self, one: str, other: str, *, answered: bool) -> None:
        """One employee calls another: nobody's business."""
        caller = self.history.phone_calls(one, other)
        leg = self.history.dials(caller, f"PJSIP/{other}")
        self.history.rings(leg)
        if answered:
            self.history.answers(leg)
            self.history.meet(caller, leg)
            self.history.hangs_up(leg, caller)
        else:
            self.history.refuses(leg, "NOANSWER", 0)
            self.history.hangs_up(caller)

    def _dial_out(self, phone: Line) -> Line:
        leg = self.history.dials(phone, "PJSIP/provider", f"{CLIENT}@provider", shown=COMPANY)
        self.history.rings(leg)
        return leg

    # Ringing

    def ring(self, call: Conversation, extensions: list[str], *, local: bool, kept: bool, early: bool) -> None:
        """A Dial or Queue rings phones; `early`: a phone rings before its DialBegin."""
        self._out_of_parking(call)
        legs = []
        for extension in extensions:
            halves = self.history.dials_local(call.client, extension) if local else None
            source = halves[1] if halves else call.client
            line = self.history.dials(source, f"PJSIP/{extension}")
            legs.append(Leg(line, extension, halves, kept))
            if early:
                begin = self.history.events.pop()
                line.state = events.RINGING
                self.history.say(events.Newstate(self.history.at, line.now))
                self.history.say(begin)
        for leg in legs:
            self.history.rings(leg.line)
            if leg.halves:
                self.history.rings(leg.halves[0])
        call.ringing += legs

    def refuse(self, call: Conversation, leg: Leg, refusal: str) -> None:
        """A phone stops ringing by itself, or is stopped."""
        status, cause, tech_cause, _ = REFUSALS[refusal]
        call.ringing.remove(leg)
        self.history.refuses(leg.line, status, cause, tech_cause)
        self._drop_halves(leg)

    def stop(self, call: Conversation) -> None:
        """The Dial or the round of the queue times out."""
        for leg in tuple(call.ringing):
            self.refuse(call, leg, "time-out")

    def answer(self, call: Conversation, leg: Leg, *, optimised_at_client: bool) -> None:
        """A phone is picked up, the others stop."""
        history = self.history
        losers = [loser for loser in call.ringing if loser is not leg]
        call.ringing.clear()
        history.answers(leg.line, *(loser.line for loser in losers))
        for loser in losers:
            self._drop_halves(loser)
        if leg.halves is None:
            history.meet(call.client, leg.line)
        else:
            one, two = leg.halves
            history.meet(two, leg.line)
            history.answers(one)
            history.meet(call.client, one)
            if not leg.kept:
                self._optimise(call, leg, at_client=optimised_at_client)
        self._meet(call, leg)

    def _optimise(self, call: Conversation, leg: Leg, *, at_client: bool) -> None:
        assert leg.halves is not None
        one, two = leg.halves
        history = self.history
        history.later(0.01)
        history.say(events.LocalOptimizationBegin(history.at, one.now, two.now))
        moves, stays = (call.client, two) if at_client else (leg.line, one)
        target = stays.bridge
        assert target is not None
        history.leaves(moves, stays)
        stays.bridge = target
        history.enters(moves, target, swap=stays)
        history.say(events.LocalOptimizationEnd(history.at, one.now, two.now))
        history.hangs_up(one, two)
        leg.halves = None

    def pick_up(self, call: Conversation, extension: str) -> None:
        """A colleague takes a ringing call."""
        history = self.history
        fetcher = history.phone_calls(extension, "*8")
        rung = call.ringing[0]
        history.say(events.Pickup(history.at, fetcher.now, (rung.halves[0] if rung.halves else rung.line).now))
        history.say(events.DialEnd(history.at, call.client.now, fetcher.now, "ANSWER", ""))
        history.picks_up(fetcher)
        for leg in call.ringing:
            history.hangs_up(leg.line, cause=26)
            self._drop_halves(leg)
        call.ringing.clear()
        history.meet(call.client, fetcher)
        self._meet(call, Leg(fetcher, extension))

    # In conversation

    def transfer_blindly(self, call: Conversation, *, with_event: bool) -> None:
        """The only talker sends the client somewhere else; `with_event`: not by Redirect."""
        (leg,) = call.talkers
        call.talkers.clear()
        if with_event and leg.halves is None:
            self.history.transfers_blindly(leg.line, call.client, "600")
        else:
            self.history.leaves(call.client)
            self.history.hangs_up(leg.line)
        self._drop_halves(leg)

    def consult(self, call: Conversation, extension: str, end: str) -> None:
        """The only talker consults a colleague on a second line (REFER): `given up`, `joined`, `joined early`."""
        history = self.history
        (leg,) = call.talkers
        second = history.phone_calls(leg.extension, extension)
        colleague = history.dials(second, f"PJSIP/{extension}")
        history.rings(colleague)
        history.later(2)
        if end == "given up":
            history.refuses(colleague, "CANCEL", 16)
            history.hangs_up(second)
            return
        call.talkers.clear()
        if end == "joined early":
            self._say_transfer(leg.line, second, call.client, "App")
            colleague.source = call.client
            history.leaves(call.client)
            history.hangs_up(leg.line, second)
            call.ringing.append(Leg(colleague, extension))
        else:
            history.answers(colleague)
            bridge = history.meet(second, colleague)
            history.later(2)
            history.enters(call.client, bridge, swap=second)
            self._say_transfer(leg.line, second, call.client, "Bridge")
            history.hangs_up(leg.line, second)
            self._meet(call, Leg(colleague, extension))
        self._drop_halves(leg)

    def consult_by_feature(self, call: Conversation, extension: str, *, joined: bool) -> None:
        """The only talker consults a colleague by feature code: it carries the client's Linkedid."""
        history = self.history
        (leg,) = call.talkers
        with_client = call.client.bridge
        assert with_client is not None
        one, two = history.local(extension, by=call.client)
        one.state = events.UP
        history.talk(leg.line, one)
        colleague = history.dials(two, f"PJSIP/{extension}")
        history.rings(colleague)
        history.later(2)
        if not joined:
            history.refuses(colleague)
            history.hangs_up(one, two)
            history.enters(leg.line, with_client)
            return
        call.talkers.clear()
        history.answers(colleague)
        history.meet(two, colleague)
        history.later(2)
        history.enters(one, with_client)
        history.hangs_up(leg.line)
        self._drop_halves(leg)
        taken_over = Leg(colleague, extension, (one, two))
        self._optimise(call, taken_over, at_client=False)
        self._meet(call, taken_over)

    def park(self, call: Conversation) -> None:
        """The only talker parks the client, and is hung up."""
        (leg,) = call.talkers
        call.talkers.clear()
        self.history.parks(call.client)
        self.history.hangs_up(leg.line)
        self._drop_halves(leg)
        call.parked = True

    def fetch(self, call: Conversation, extension: str) -> None:
        """An employee fetches a parked client."""
        history = self.history
        fetcher = history.phone_calls(extension, "701")
        history.picks_up(fetcher)
        history.say(events.UnParkedCall(history.at, call.client.now, fetcher.now))
        history.talk(fetcher, call.client)
        call.parked = False
        self._meet(call, Leg(fetcher, extension))

    def join(self, call: Conversation, extension: str) -> None:
        """A further employee enters the conversation."""
        assert call.client.bridge is not None
        line = self.history.phone_calls(extension, "800")
        self.history.picks_up(line)
        self.history.enters(line, call.client.bridge, "base", "softmix")
        self._meet(call, Leg(line, extension))

    def leave(self, call: Conversation, leg: Leg) -> None:
        """An employee hangs up; the client stays."""
        call.talkers.remove(leg)
        self.history.hangs_up(leg.line)
        self._drop_halves(leg)
        if call.talkers:
            call.last = call.talkers[-1].extension
        elif call.client.bridge is not None:
            self.history.leaves(call.client)

    def hang_up(self, call: Conversation, *, employees_first: bool) -> None:
        """The call is over: the client hangs up, or all others did."""
        history = self.history
        for leg in tuple(call.ringing):
            history.say(events.DialEnd(history.at, call.client.now, leg.line.now, "CANCEL", ""))
        everybody = [leg.line for leg in (*call.ringing, *call.talkers)]
        for leg in (*call.ringing, *call.talkers):
            everybody += leg.halves or ()
        if employees_first:
            history.hangs_up(*everybody)
        history.hangs_up(call.client)
        if not employees_first:
            history.hangs_up(*everybody)
        call.ringing.clear()
        call.talkers.clear()

    def _meet(self, call: Conversation, leg: Leg) -> None:
        call.talkers.append(leg)
        call.last = leg.extension

    def _drop_halves(self, leg: Leg) -> None:
        if leg.halves is not None:
            self.history.hangs_up(*leg.halves)
            leg.halves = None

    def _out_of_parking(self, call: Conversation) -> None:
        if call.parked:
            self.history.say(events.ParkedCallTimeOut(self.history.at, call.client.now, "PJSIP/101"))
            call.parked = False
        if call.client.bridge is not None:
            self.history.leaves(call.client)

    def _say_transfer(self, first: Line, second: Line, client: Line, dest: str) -> None:
        app = "Dial" if dest == "App" else ""
        self.history.say(
            events.AttendedTransfer(self.history.at, "Success", first.now, second.now, client.now, None, dest, app)
        )
