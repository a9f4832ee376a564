"""Opinions: one client conversation, from the facts of `pbx` to reports (rules 1-22 of docs/rules.md).

After each event a call looks at the graph and asks two things: whose phones ring for my client, and who talks with
my client? What changed since the last look is what is reported. So no order of events has to be known by heart,
and a lost event costs precision, never a report.

An incoming call has its client from the start. An outgoing one has an employee and legs that are tried, until one
of them is bridged: that leg is the client from then on, and the call is followed like an incoming one.
"""

from collections.abc import Callable, Iterable, Mapping
from math import inf

from ami_planfix.calls import causes
from ami_planfix.calls.attributes import Attributes
from ami_planfix.calls.events import Uniqueid
from ami_planfix.calls.moment import Choices, Moment
from ami_planfix.calls.part import ENGAGED, TALKED, Happening, Part, Reported, State
from ami_planfix.calls.parties import Directory
from ami_planfix.calls.pbx import Channel, Recording, conversation, origin, ringing, talks
from ami_planfix.calls.reports import CallId, Direction, Extension, Outcome, Report, Silence, Stage
from ami_planfix.calls.talk import Talk, whole

BEGINNING_RULE = {Direction.INCOMING: "1", Direction.OUTGOING: "14"}


class Call:
    """All that happens to one client conversation; it has one callid for life."""

    __slots__ = (
        "_choices", "_directory", "_is_a_client", "_recordings", "_spent", "_stand_in", "_stays",
        "answered", "attempts", "attributes", "callid", "client", "did", "direction", "first_dialled", "over", "owners",
        "parts", "phone", "reported", "said_anything", "since", "talk", "why",
    )  # fmt: skip

    def __init__(
        self,
        callid: CallId,
        direction: Direction,
        since: float,
        directory: Directory,
        is_a_client: Callable[[Channel], bool],
        choices: Choices,
    ) -> None:
        self.callid = callid
        self.direction = direction
        self.since = since
        self.phone = ""
        self.did = ""
        self.attributes = Attributes(choices.attributes, since, is_a_client)
        self.reported = True
        """False where the configuration says that nothing is sent (rule 26); it is followed all the same."""
        self.client: Channel | None = None
        self.owners: dict[Uniqueid, Channel] = {}
        """Outgoing, not yet answered: the employees' channels for which the client is dialled."""
        self.attempts: list[Channel] = []
        """Outgoing: the legs dialled to the client, in their order."""
        self.parts: dict[Extension, Part] = {}
        """The latest stay of each extension, in the order in which the stays began."""
        self.first_dialled: Extension | None = None
        self.answered = False
        self.over = False
        self.talk = Talk()
        self.said_anything = False
        self.why = ""
        """The rule of the latest transfer, pickup, parking or forward: it explains what follows."""
        self._stays: dict[Extension, int] = {}
        self._directory = directory
        self._is_a_client = is_a_client
        self._choices = choices
        self._recordings: list[Recording] = []
        self._spent: set[Uniqueid] = set()
        """Legs whose part is over: Asterisk ends the losers' legs when it likes."""
        self._stand_in: Extension | None = None

    # What happens

    def observe(self, moment: Moment) -> None:
        """Look at the graph again and report what has changed."""
        if self.over:
            return
        if self.client is None:
            self.attributes.note(None, (*self.owners.values(), *self.attempts))
            self._observe_dialling(moment)
        if self.client is not None and not self.over:
            heard, legs = conversation(self.client), ringing(self.client)
            self.attributes.note(self.client, heard + legs)
            self._observe_client(self.client, heard, legs, moment)
            if self.answered:
                self.talk.count(self.parts.values())

    def dial(self, leg: Channel, moment: Moment) -> None:
        """Take a leg that is dialled to the client (rule 14)."""
        self.attempts.append(leg)
        self._find_owners(leg, moment)

    def complete_unplaced(self, extension: Extension, outcome: Outcome, moment: Moment) -> None:
        """Report a call to the outside for which no leg was made (rule 16)."""
        self._complete(self._stay(extension), outcome, "16", moment)
        self._close(moment)

    def join(self, moment: Moment) -> None:
        """End a consultation whose outside number has been joined with the client (rule 9)."""
        if self.over:
            return
        if self.client is not None:
            self._end(self.client, moment, "9")
        else:
            self._end_dialling(moment, "9")

    # Outgoing, while the client is being called

    def _observe_dialling(self, moment: Moment) -> None:
        for leg in self.attempts:
            if leg.alive and any(member.extension and not member.spies for member in conversation(leg)):
                self.client = leg
                return
        for leg in self.attempts:
            if leg.alive:
                self._find_owners(leg, moment)
        alive = [leg for leg in self.attempts if leg.alive]
        if not alive and not any(owner.alive for owner in self.owners.values()):
            self._end_dialling(moment, "15")

    def _find_owners(self, leg: Channel, moment: Moment) -> None:
        source = leg.dial.source if leg.dial is not None else None
        for channel in origin(source) if source is not None else ():
            if channel.extension is None or channel.uniqueid in self.owners or channel.spies:
                continue
            self.owners[channel.uniqueid] = channel
            part = self.parts.get(channel.extension)
            if part is None or not part.is_open:
                self._take(self._stay(channel.extension), Happening.RINGS, self.why or "14", moment)

    def _end_dialling(self, moment: Moment, rule: str) -> None:
        leg = self.attempts[-1]
        cause = leg.hangup_cause if leg.hangup_cause is not None else leg.cause
        if cause is None and not leg.alive:
            known = [owner.hangup_cause for owner in self.owners.values() if owner.hangup_cause is not None]
            cause = known[0] if known else None
        status = leg.dial.status if leg.dial is not None else ""
        if leg.alive and not status:
            status = "CANCEL"  # handed over while it still rang: the employee gave up waiting
        outcome = causes.outcome(cause, leg.tech_cause, status)
        told = (cause, leg.tech_cause or "no SIP status", status or "no DialStatus", outcome)
        moment.note("not answered: cause {}, {}, {}: {}", *told)
        open_parts = self._open()
        for part in open_parts[:-1]:
            self._complete(part, Outcome.CANCELED, "18", moment)
        for part in open_parts[-1:]:
            self._complete(part, outcome, rule, moment)
        self._close(moment)

    # With a client

    def _observe_client(self, client: Channel, heard: list[Channel], legs: list[Channel], moment: Moment) -> None:
        talking = self._who_talks(heard) if heard else {}
        rings = self._whose_phones_ring(legs, talking) if legs else {}
        if self.parts:
            self._let_leave(client, talking, moment)
            self._let_fall_silent(rings, talking, moment)
        for extension, its_legs in rings.items():
            self._let_ring(extension, its_legs, rings, moment)
        if talking:
            self._let_meet(talking, moment)
        if len(self.parts) > 1:
            self._let_leave_conference(moment)
        self._note_recordings(client, heard)
        if not client.alive:
            self._end(client, moment, "4")

    def _who_talks(self, heard: list[Channel]) -> dict[Extension, list[Channel]]:
        found: dict[Extension, list[Channel]] = {}
        for channel in heard:
            extension = None if channel.spies else self._whose(channel)
            if extension is not None:
                found.setdefault(extension, []).append(channel)
            elif channel.is_line and not self._is_a_client(channel):
                self.answered = True  # by an outsider for whom nobody stands (rule 20): not missed
        return found

    def _whose_phones_ring(
        self, legs: list[Channel], talking: Mapping[Extension, list[Channel]]
    ) -> dict[Extension, list[Channel]]:
        found: dict[Extension, list[Channel]] = {}
        for leg in legs:
            if self.first_dialled is None:
                self.first_dialled = leg.extension
            if not leg.rang or leg.was_bridged or leg.spies or leg.uniqueid in self._spent:
                continue
            extension = self._whose(leg)
            if extension is not None and extension not in talking:
                found.setdefault(extension, []).append(leg)
        if self.direction is Direction.OUTGOING and not self.answered and found:
            return self._first_only(found)
        return found

    def _first_only(self, found: dict[Extension, list[Channel]]) -> dict[Extension, list[Channel]]:
        """Rule 25: a call that dialled the client first counts for the first employee whose phone rings."""
        first = next(iter(self.parts), next(iter(found)))
        return {first: found[first]} if first in found else {}

    def _whose(self, channel: Channel) -> Extension | None:
        """Tell for whom a real channel counts in this call; an outsider may stand for the default (rule 20)."""
        if channel.extension is not None or not channel.is_line:
            return channel.extension
        if self._is_a_client(channel) or self.direction is Direction.OUTGOING:
            return None
        if self._stand_in is None and not self.answered:
            self._stand_in = self._directory.default_extension(self.did)
        if self._stand_in is None or (self.answered and self._stand_in not in self.parts):
            return None
        return self._stand_in

    def _let_leave(self, client: Channel, talking: Mapping[Extension, list[Channel]], moment: Moment) -> None:
        waits = client.alive and client.bridge is not None and not client.bridge.holding
        for part in self.parts.values():
            if part.state not in ENGAGED or part.extension in talking:
                continue
            alive = [channel for channel in part.talkers if channel.alive and not channel.handed_over]
            if not alive or not waits:
                part.stop_talk(moment.until)
                self._take(part, Happening.LEAVES, "4", moment)
            else:
                # In another bridge: a consultation, which belongs to the conversation (rule 4). In none: perhaps
                # on its way there, perhaps gone; if it is gone, it was gone from now on.
                elsewhere = any(channel.bridge is not None for channel in alive)
                part.left_at = None if elsewhere else (part.left_at or moment.at)
                self._take(part, Happening.STEPS_ASIDE, "8", moment)

    def _let_fall_silent(
        self,
        rings: Mapping[Extension, list[Channel]],
        talking: Mapping[Extension, list[Channel]],
        moment: Moment,
    ) -> None:
        silent: list[Part] = []
        for part in self.parts.values():
            if not (part.legs and part.is_open):
                continue
            ended = [leg for leg in part.legs.values() if not leg.alive or talks(leg)]
            for leg in ended:
                del part.legs[leg.uniqueid]
                forwarded = leg.dial is not None and leg.dial.forwarded
                cause = leg.hangup_cause if leg.hangup_cause is not None else leg.cause
                part.silenced_by_itself = causes.ended_by_itself(cause, forwarded=forwarded)
            if ended and not part.legs and part.state is State.RINGING and part.extension not in talking:
                silent.append(part)
        for part in silent:
            if part.extension in rings:
                continue
            others_ring = any(other.state is State.RINGING and other.legs for other in self._open())
            if part.silenced_by_itself and others_ring:
                self._complete(part, Outcome.CANCELED, "3", moment)
            else:
                self._take(part, Happening.FALLS_SILENT, "3", moment)

    def _let_ring(
        self, extension: Extension, legs: Iterable[Channel], rings: Iterable[Extension], moment: Moment
    ) -> None:
        part = self.parts.get(extension)
        if part is None or not part.is_open:
            for held in self._open():
                if held.state is State.HELD and held.extension not in rings:
                    self._complete(held, Outcome.CANCELED, "3", moment)
            part = self._stay(extension)
        part.legs |= {leg.uniqueid: leg for leg in legs}
        if part.state is not State.RINGING:
            self._take(part, Happening.RINGS, self.why or BEGINNING_RULE[self.direction], moment)

    def _let_meet(self, talking: Mapping[Extension, list[Channel]], moment: Moment) -> None:
        met = False
        for extension, channels in talking.items():
            part = self.parts.get(extension)
            if part is None or not part.is_open:
                part = self._stay(extension)
            part.talkers = tuple(channels)
            part.left_at = None
            if part.since is None:
                part.since = moment.at
                if part.state is not State.NEW and extension in self.parts:
                    self.parts[extension] = self.parts.pop(extension)
            if part.state is not State.TALKING:
                met = True
                self._take(part, Happening.BRIDGED, self.why or "2", moment)
        self.answered = True
        if met:
            self.attributes.answer(moment.at)
            for part in self._open():
                if part.extension not in talking and not _joins(part):
                    self._complete(part, Outcome.CANCELED, self.why or "2", moment)

    def _let_leave_conference(self, moment: Moment) -> None:
        open_parts = self._open()
        if any(part.state is State.TALKING for part in open_parts):
            for part in open_parts:
                if part.state is State.LEFT:
                    self._complete(part, Outcome.CANCELED, "22", moment)

    def _note_recordings(self, client: Channel, heard: list[Channel]) -> None:
        for channel in (client, *heard):
            if channel.recordings and any(part.state in ENGAGED for part in self.parts.values()):
                going_on = (one for one in channel.recordings if not (one.ended or one.paused))
                self._recordings += [one for one in going_on if one not in self._recordings]

    # The end

    def _end(self, client: Channel, moment: Moment, rule: str) -> None:
        for part in self._open():
            if part.state in ENGAGED:
                part.stop_talk(moment.until)
                self._take(part, Happening.LEAVES, rule, moment)
        self.talk.count(self.parts.values())
        if self.answered:
            self._end_answered(moment, rule)
        elif self.direction is Direction.OUTGOING:
            for number, part in enumerate(self._open()):
                outcome = Outcome.CANCELED if number else Outcome.NO_ANSWER
                self._complete(part, outcome, "25", moment)
        else:
            self._end_missed(client, moment)
        self._close(moment)

    def _close(self, moment: Moment) -> None:
        self.over = True
        if not self.said_anything:
            moment.silences.append(Silence.NOBODY if self.reported and not self.parts else Silence.CONFIGURED)

    def _end_answered(self, moment: Moment, rule: str) -> None:
        talked = [part for part in self._open() if part.state in TALKED]
        # Of those who left together, the one who came last: `max` keeps the first of equals.
        last = max(reversed(talked), key=lambda part: part.left_at or -inf, default=None)
        for part in self._open():
            if part is not last:
                self._complete(part, Outcome.CANCELED, rule, moment)
        if last is not None:
            self._complete(last, Outcome.SUCCESS, rule, moment, seconds=self.talk.seconds)

    def _end_missed(self, client: Channel, moment: Moment) -> None:
        if not self.parts:
            extension = self.first_dialled or self._directory.default_extension(self.did)
            if extension is None:
                moment.note("{} rang nobody, and no default extension is configured (rule 6)", client.name)
            else:
                self._complete(self._stay(extension), Outcome.MISSED, "6", moment)
            return
        missed = False
        for part in self._open():
            if part.reported and (self._choices.missed_each or not missed):
                missed = True
                self._complete(part, Outcome.MISSED, "5", moment)
            else:
                self._complete(part, Outcome.CANCELED, "5", moment)

    # Parts and reports

    def _open(self) -> list[Part]:
        return [part for part in self.parts.values() if part.is_open]

    def _stay(self, extension: Extension) -> Part:
        number = self._stays[extension] = self._stays.get(extension, 0) + 1
        part = Part(extension, number, reported=self._directory.is_reported(extension))
        self.parts.pop(extension, None)
        self.parts[extension] = part
        return part

    def _take(self, part: Part, happening: Happening, rule: str, moment: Moment) -> None:
        before = part.state
        reported = part.take(happening)
        if part.state is not before:
            moment.note("{} {}: {} -> {} (rule {})", part.extension, happening, before, part.state, rule)
        if reported:
            self._report(part, reported, rule, moment)

    def _complete(self, part: Part, outcome: Outcome, rule: str, moment: Moment, seconds: int = 0) -> None:
        if self._choices.transfers_each and outcome is Outcome.CANCELED and part.state in TALKED:
            # Rule 13: the one who talked keeps the talk of its own.
            part.stop_talk(moment.until)
            outcome, seconds, rule = Outcome.SUCCESS, whole(part.talked), "13"
        self._spent.update(leg.uniqueid for leg in part.legs.values())
        before = part.state
        reported = part.take(Happening.ENDS)
        moment.note("{} ends as {}: {} -> {} (rule {})", part.extension, outcome, before, part.state, rule)
        self._report(part, reported, rule, moment, outcome, seconds)

    def _report(
        self,
        part: Part,
        reported: Reported,
        rule: str,
        moment: Moment,
        outcome: Outcome | None = None,
        seconds: int = 0,
    ) -> None:
        if not (self.reported and part.reported):
            return
        begun = Stage.RANG if self.direction is Direction.INCOMING else Stage.DIALLED
        for told in reported:
            stage = begun if isinstance(told, type) else told
            ended = stage is Stage.COMPLETED
            recorded = ended and outcome is Outcome.SUCCESS and bool(self._recordings)
            self.said_anything = True
            moment.reports.append(
                Report(
                    at=moment.at,
                    callid=self.callid,
                    direction=self.direction,
                    client=self.phone,
                    did=self.did,
                    extension=part.extension,
                    part=part.number,
                    stage=stage,
                    rule=rule,
                    cause=moment.cause,
                    outcome=outcome if ended else None,
                    duration=seconds if ended else 0,
                    recorded=recorded,
                    recordings=tuple(recording.file for recording in self._recordings) if recorded else (),
                    data=self.attributes.fields(moment.at) if ended else (),
                )
            )


def _joins(part: Part) -> bool:
    """Tell whether an employee who consulted may be about to join the client and the colleague (three-way)."""
    bridges = [channel.bridge for channel in part.talkers if channel.alive and not channel.handed_over]
    return part.state is State.AWAY and any(bridge is not None and bridge.merging for bridge in bridges)
