"""When a call begins, whose a dialled leg is, and what a call's callid, number and DID are.

docs/rules.md: Identity, and rules 14 to 20 and 25 to 28.
"""

from collections.abc import Iterator

from ami_planfix.calls import events
from ami_planfix.calls.call import Call
from ami_planfix.calls.moment import Choices, Moment
from ami_planfix.calls.parties import Directory, Kind
from ami_planfix.calls.pbx import Channel, conversation, dialling_halves, origin, ringing
from ami_planfix.calls.register import Register
from ami_planfix.calls.reports import CallId, Direction, Extension, Outcome, Silence


class Beginnings:
    """Finds the moment at which facts become a call."""

    def __init__(self, directory: Directory, register: Register, *, prefix: str, choices: Choices) -> None:
        self._directory = directory
        self._register = register
        self._prefix = prefix
        self._choices = choices

    def look(self, channel: Channel, moment: Moment) -> None:
        """See whether a call begins with what just happened to this channel."""
        if channel.is_line:
            if channel.state == events.RING and channel.dial is None:
                self._arrive(channel, moment)
            elif channel.dial is not None and channel.extension is None:
                self._go_out(channel, moment)
        if channel.bridge is not None:
            for member in (channel, *conversation(channel)):
                if member.is_line and member.extension is None:
                    self._adopt(member, moment)
        elif channel.rang and channel.dial is not None and channel.dial.source is not None:
            for caller in origin(channel.dial.source):
                if caller.is_line and caller.extension is None:
                    self._adopt(caller, moment)

    def look_back(self, channel: Channel, moment: Moment) -> None:
        """See what is left to say of a channel that is gone and with which no call began."""
        if channel.party.kind is Kind.IGNORED and channel.dial is None:
            channel.silence = Silence.CONFIGURED
        elif channel.is_line and channel.extension is None and _originated(channel):
            channel.silence = Silence.NOBODY
        if channel.silence is not None and not self._register.stands_for_a_call(channel):
            moment.silences.append(channel.silence)
        if not self._register.stands_for_a_call(channel) and self._asked_in_vain(channel):
            self._report_unplaced(channel, moment)
        if channel.extension is not None and _originated(channel) and channel.state != events.UP:
            words = "{} did not pick up (cause {}), so nobody else was called (rule 17)"
            moment.note(words, channel.extension, channel.hangup_cause)

    def _asked_in_vain(self, channel: Channel) -> bool:
        """Tell whether a channel wanted to call an outside number, and no leg was made (rule 16)."""
        if (
            not channel.plan.dialled
            or channel.was_bridged
            or channel.plan.tried_leg
            or channel.party.kind is Kind.PROVIDER
        ):
            return False
        return self._directory.is_outside(channel.plan.dialled)

    def _report_unplaced(self, channel: Channel, moment: Moment) -> None:
        number = self._directory.dialled("", channel.plan.dialled)
        extension = channel.extension
        if channel.is_local and channel.twin is not None:  # an Originate to `Local/101@...`: who is at its far side?
            extension = next((one.extension for one in conversation(channel.twin) if one.extension), None)
        if extension is None or self._directory.is_company(number):
            return
        if not channel.plan.tried_trunk and channel.hangup_requested:
            moment.note("{} hung up before {} was dialled: nothing is sent (rule 16)", channel.name, number)
            return
        call = self._call(channel.first.linkedid, channel, Direction.OUTGOING, moment)
        call.phone, call.did = number, self._directory.common_number()
        call.reported = not self._directory.is_ignored(number)
        outcome = Outcome.NOT_AVAILABLE if channel.plan.tried_trunk else Outcome.NOT_ALLOWED
        call.complete_unplaced(extension, outcome, moment)

    def place(self, leg: Channel, dest: events.Channel, dial_string: str) -> None:
        """Find out what number a leg that has just been dialled calls, and in whose name."""
        dial = leg.dial
        if dial is None:
            return
        if leg.is_local:
            if leg.twin is not None and leg.twin.plan.named is not None:
                self._name_first(leg, leg.twin.plan.named)
            return
        if not leg.is_line:
            return
        dial.number = self._directory.dialled(leg.name, dial_string) or self._directory.number(dest.caller)
        if leg.party.kind is Kind.BRANCH:
            leg.extension = self._directory.extension(dest.caller) or self._directory.extension(dial.number)
        if leg.extension is None:
            leg.extension = self._directory.mobile_of(dial.number)
        if leg.extension is None and dial.source is not None:
            leg.extension = next(self._names(dial.source), None)

    def note_dial(self, channel: Channel, data: str) -> None:
        """Read whom a `Dial` names: a trunk (rule 16), or an employee whose phone may not be registered (rule 6)."""
        channel.plan.dials_now = None
        for argument in data.partition(",")[0].split("&"):
            party = self._directory.target(argument)
            if party.kind in (Kind.PROVIDER, Kind.BRANCH):
                channel.plan.tried_trunk = True
            extension = party.extension
            if party.kind is Kind.LOCAL:
                extension = self._directory.in_name_of(_exten_of(argument))
            channel.plan.dials_now = channel.plan.dials_now or extension
        channel.plan.stands_in_for = channel.plan.dexten if channel.plan.dials_now is None else None
        channel.plan.dexten = None
        if channel.plan.named is None and channel.plan.dials_now is not None:
            channel.plan.named = channel.plan.dials_now
            self._name_first(channel, channel.plan.dials_now)

    def new_caller(self, channel: Channel, caller: str) -> None:
        """Take a client's number from its first NewCallerid, if its Newchannel had none (Identity, `phone`)."""
        call = self._register.whose_client(channel)
        if call is not None and not call.phone and not call.said_anything:
            call.phone = self._client_number(caller)

    def set_did(self, channel: Channel, did: str) -> None:
        """Take `FROM_DID`, where the client's Newchannel did not tell the DID (Identity, `diversion`)."""
        call = self._register.whose_client(channel)
        number = self._directory.number(did)
        if call is None or call.said_anything or not number:
            return
        if call.direction is Direction.INCOMING and not self._dialled_did(channel):
            self._set_did(call, channel, number)

    # Incoming

    def _arrive(self, channel: Channel, moment: Moment) -> None:
        """A line rings in: a client, unless the number is an employee's or the company's own."""
        if self._register.stands_for_a_call(channel) or channel.extension is not None or channel.silence is not None:
            return
        caller = channel.first.caller
        if channel.party.kind is Kind.BRANCH:
            channel.extension = self._directory.extension(caller)
        if channel.extension is None:
            channel.extension = self._directory.mobile_of(caller)
        number = self._directory.number(caller)
        if channel.extension is not None:
            moment.note("{} is {}, calling from {} (rules 19, 28)", channel.name, channel.extension, caller)
        elif self._directory.is_company(number):
            channel.silence = Silence.COMPANY
            moment.note("{} shows the company's own number {}: no client (rule 27)", channel.name, number)
        else:
            call = self._follow(channel, Direction.INCOMING, moment)
            moment.note("incoming call {} from {} to {}", call.callid, call.phone or "a hidden number", call.did)

    def _follow(self, client: Channel, direction: Direction, moment: Moment) -> Call:
        """Begin a call whose client is there already."""
        linkedid = client.first.linkedid if direction is Direction.INCOMING else client.linkedid
        call = self._call(linkedid, client, direction, moment)
        call.client = client
        if direction is Direction.INCOMING:
            call.phone = self._client_number(client.first.caller)
            call.attributes.of_trunk = self._directory.trunk_data(client.party.trunk)
            self._set_did(call, client, self._dialled_did(client) or client.party.number)
        else:
            self._set_outgoing_numbers(call, client)
        self._register.enter(client, call)
        return call

    def _client_number(self, caller: str) -> str:
        number = self._directory.number(caller)
        return "" if self._directory.is_company(number) else number

    def _dialled_did(self, client: Channel) -> str:
        exten = client.first.exten
        number = self._directory.number(exten)
        known = self._directory.is_company(number) or self._directory.did(number) is not None
        return number if number and (known or self._directory.is_outside(exten)) else ""

    def _set_did(self, call: Call, client: Channel, number: str) -> None:
        call.did = number
        did = self._directory.did(number)
        call.reported = (did is None or did.reported) and not self._directory.is_ignored(client.first.caller)
        call.attributes.of_did = did.data if did is not None else ()

    # Outgoing

    def _go_out(self, leg: Channel, moment: Moment) -> None:
        """A leg to the outside is dialled: by an employee (rule 14), for a client (rule 20), or by nobody (rule 25)."""
        dial = leg.dial
        if dial is None or dial.source is None or self._register.stands_for_a_call(leg):
            return
        if self._directory.is_company(dial.number):
            return
        callers = [caller for caller in origin(dial.source) if caller.extension is not None and not caller.spies]
        if not callers:
            return
        call = next((call for call in map(self._dialling_call, callers) if call is not None), None)
        if call is None:
            linkedid = callers[0].first.linkedid
            call = self._call(linkedid, _first_channel(leg), Direction.OUTGOING, moment)
            self._set_outgoing_numbers(call, leg)
            for caller in callers:
                self._register.enter(caller, call)
            moment.note("outgoing call {} to {}", call.callid, call.phone)
        self._register.enter(leg, call)
        call.dial(leg, moment)

    def _dialling_call(self, caller: Channel) -> Call | None:
        """Find the call for which this employee is dialling already: another trunk is tried, not another call."""
        call = self._register.of(caller)
        return call if call is not None and not call.over and call.client is None else None

    def _set_outgoing_numbers(self, call: Call, leg: Channel) -> None:
        dial = leg.dial
        call.phone = (dial.number if dial is not None else "") or self._directory.number(leg.first.caller)
        shown = dial.shown if dial is not None else leg.first.connected
        number = "" if self._directory.extension(shown) else self._directory.number(shown)
        call.did = number or leg.party.number
        call.attributes.of_trunk = self._directory.trunk_data(leg.party.trunk)
        call.reported = not self._directory.is_ignored(call.phone)

    # Either

    def _adopt(self, line: Channel, moment: Moment) -> None:
        """Begin a call with an outsider whom an employee's phone rings for or talks with, though none has begun.

        Rule 25: an Originate dialled the client first. And what is left to do if the events of the beginning
        were lost: a line whose state was Ring called us, or one that is up and first among those that are linked.
        """
        if not line.alive or self._register.stands_for_a_call(line):
            return
        dial = line.dial
        number = dial.number if dial is not None else self._directory.number(line.first.caller)
        if self._directory.is_company(number):
            return
        heard = conversation(line)
        if any(self._register.whose_client(one) is not None for one in heard):
            return  # an outside leg of a client's call (rules 9, 20)
        if not any(one.extension is not None and not one.spies for one in (*heard, *ringing(line))):
            return
        is_first = events.Uniqueid(line.first.linkedid) == line.uniqueid
        came_in = dial is None and line.first.state != events.DOWN and is_first
        call = self._follow(line, Direction.INCOMING if came_in else Direction.OUTGOING, moment)
        moment.note("call {} with {} found under way (rule 25)", call.callid, call.phone)

    def _call(self, linkedid: str, first: Channel, direction: Direction, moment: Moment) -> Call:
        """Begin a call: its callid is the Linkedid; within another call its first channel's Uniqueid."""
        wanted, otherwise = CallId(self._prefix + linkedid), CallId(self._prefix + first.uniqueid)
        return Call(
            self._register.claim(wanted, otherwise, moment.at),
            direction,
            moment.at,
            self._directory,
            lambda channel: self._register.whose_client(channel) is not None,
            self._choices,
        )

    def _names(self, source: Channel) -> Iterator[Extension]:
        """Find in whose name a leg is dialled: the Local channel's that dials it, or the phone's that forwarded."""
        if source.plan.stands_in_for is not None:
            yield source.plan.stands_in_for
        for half in dialling_halves(source):
            exten = _exten_of(half.name)
            extension = self._directory.in_name_of(exten)
            if extension is None and half.plan.forwarder:
                extension = self._directory.party(half.plan.forwarder).extension
            dialler = half.twin.dial.source if half.twin is not None and half.twin.dial is not None else None
            if extension is None and dialler is not None:
                follows = self._directory.is_follow_me(exten)
                extension = dialler.plan.stands_in_for or (dialler.plan.dials_now if follows else None)
            if extension is not None:
                yield extension

    def _name_first(self, channel: Channel, extension: Extension) -> None:
        for caller in origin(channel):
            call = self._register.whose_client(caller)
            if call is not None and call.first_dialled is None:
                call.first_dialled = extension


def _exten_of(local: str) -> str:
    return local.partition("/")[2].partition("@")[0]


def _originated(leg: Channel) -> bool:
    """Tell whether a leg is dialled by an Originate: by nobody, or through a Local channel that nobody dials."""
    if leg.dial is None:
        return False
    source = leg.dial.source
    seen: set[events.Uniqueid] = set()  # in a circle only a hostile server has them dial
    while source is not None and source.is_local and source.uniqueid not in seen:
        seen.add(source.uniqueid)
        source = source.twin.dial.source if source.twin is not None and source.twin.dial is not None else None
    return source is None


def _first_channel(leg: Channel) -> Channel:
    """Find the first channel of the chain that ends in this leg: the outermost Local half, or the leg itself."""
    first = leg
    if leg.dial is not None and leg.dial.source is not None:
        for half in dialling_halves(leg.dial.source):
            first = half.twin or half
    return first
