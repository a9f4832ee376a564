"""Thousands of histories that a model of a PBX makes up: the reports tell what the model knows to be true."""

import os
import random
from collections.abc import Callable

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ami_planfix.calls.events import Event, Snapshot
from ami_planfix.calls.reports import Direction, Outcome, Report, Stage
from ami_planfix.calls.tracker import Settings, Tracker
from ami_planfix.config.model import Config
from ami_planfix.numbering import Numbering
from tests.calls.invariants import violations
from tests.calls.memory import left_in
from tests.calls.mirror import Mirror
from tests.calls.model import EXTENSIONS, REFUSALS, Conversation, Switch
from tests.calls.playing import NUMBERING, TRUNKS, lines
from tests.calls.story import heard

DIRECTORY = Numbering(Config.model_validate({"numbering": NUMBERING, "trunks": TRUNKS}))
AT_MOST = 3

extensions = st.sampled_from(EXTENSIONS)
refusals = st.sampled_from(sorted(REFUSALS))


class Day(RuleBasedStateMachine):
    """A day at the PBX: clients and employees do what they like, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.switch = Switch()
        self.tracker = Tracker(DIRECTORY)
        self.reports: list[Report] = []
        self.heard = 0
        self.random = random.Random(0)

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.random = random.Random(seed)

    # Calls

    @precondition(lambda self: len(self.live()) < AT_MOST)
    @rule(chan_sip=st.booleans())
    def a_client_calls(self, chan_sip: bool) -> None:
        self.switch.call_in(chan_sip=chan_sip)

    @precondition(lambda self: len(self.live()) < AT_MOST)
    @rule(
        extension=extensions,
        refused=st.lists(refusals, max_size=2),
        answered=st.booleans(),
        originated=st.booleans(),
    )
    def an_employee_calls_a_client(self, extension: str, refused: list[str], answered: bool, originated: bool) -> None:
        self.switch.call_out(extension, refused, answered=answered, originated=originated)

    @rule(pair=st.lists(extensions, min_size=2, max_size=2, unique=True), answered=st.booleans())
    def an_employee_calls_another(self, pair: list[str], answered: bool) -> None:
        self.switch.call_colleague(*pair, answered=answered)

    # Ringing

    @precondition(lambda self: self.some(_idle))
    @rule(
        data=st.data(),
        whom=st.lists(extensions, min_size=1, max_size=3, unique=True),
        local=st.booleans(),
        kept=st.booleans(),
        early=st.booleans(),
    )
    def phones_ring(self, data: st.DataObject, whom: list[str], local: bool, kept: bool, early: bool) -> None:
        self.switch.ring(self.draw(data, _idle), whom, local=local, kept=kept, early=early and not local)

    @precondition(lambda self: self.some(_rings))
    @rule(data=st.data(), refusal=refusals)
    def a_phone_refuses(self, data: st.DataObject, refusal: str) -> None:
        call = self.draw(data, _rings)
        self.switch.refuse(call, data.draw(st.sampled_from(call.ringing)), refusal)

    @precondition(lambda self: self.some(_rings))
    @rule(data=st.data())
    def all_phones_stop(self, data: st.DataObject) -> None:
        self.switch.stop(self.draw(data, _rings))

    @precondition(lambda self: self.some(_rings))
    @rule(data=st.data(), at_client=st.booleans())
    def a_phone_is_picked_up(self, data: st.DataObject, at_client: bool) -> None:
        call = self.draw(data, _rings)
        self.switch.answer(call, data.draw(st.sampled_from(call.ringing)), optimised_at_client=at_client)

    @precondition(lambda self: self.some(_rings))
    @rule(data=st.data())
    def a_colleague_picks_a_call_up(self, data: st.DataObject) -> None:
        call = self.draw(data, _rings)
        self.switch.pick_up(call, data.draw(st.sampled_from(call.free)))

    # Conversations

    @precondition(lambda self: self.some(_one_talks))
    @rule(data=st.data(), with_event=st.booleans())
    def a_client_is_transferred_blindly(self, data: st.DataObject, with_event: bool) -> None:
        self.switch.transfer_blindly(self.draw(data, _one_talks), with_event=with_event)

    @precondition(lambda self: self.some(_talks_directly))
    @rule(data=st.data(), end=st.sampled_from(["given up", "joined", "joined early"]))
    def a_colleague_is_consulted_on_a_second_line(self, data: st.DataObject, end: str) -> None:
        call = self.draw(data, _talks_directly)
        self.switch.consult(call, data.draw(st.sampled_from(call.free)), end)

    @precondition(lambda self: self.some(_talks_directly))
    @rule(data=st.data(), joined=st.booleans())
    def a_colleague_is_consulted_by_feature_code(self, data: st.DataObject, joined: bool) -> None:
        call = self.draw(data, _talks_directly)
        self.switch.consult_by_feature(call, data.draw(st.sampled_from(call.free)), joined=joined)

    @precondition(lambda self: self.some(_one_talks))
    @rule(data=st.data())
    def a_client_is_parked(self, data: st.DataObject) -> None:
        self.switch.park(self.draw(data, _one_talks))

    @precondition(lambda self: self.some(_is_parked))
    @rule(data=st.data(), extension=extensions)
    def a_parked_client_is_fetched(self, data: st.DataObject, extension: str) -> None:
        self.switch.fetch(self.draw(data, _is_parked), extension)

    @precondition(lambda self: self.some(_talks))
    @rule(data=st.data())
    def a_further_employee_joins(self, data: st.DataObject) -> None:
        call = self.draw(data, _talks)
        self.switch.join(call, data.draw(st.sampled_from(call.free)))

    @precondition(lambda self: self.some(_talks))
    @rule(data=st.data())
    def an_employee_hangs_up_first(self, data: st.DataObject) -> None:
        call = self.draw(data, _talks)
        self.switch.leave(call, data.draw(st.sampled_from(call.talkers)))

    @precondition(lambda self: bool(self.live()))
    @rule(data=st.data(), employees_first=st.booleans())
    def a_call_is_hung_up(self, data: st.DataObject, employees_first: bool) -> None:
        self.switch.hang_up(data.draw(st.sampled_from(self.live())), employees_first=employees_first)

    @rule(seconds=st.sampled_from([0.001, 0.5, 3.0, 70.0]))
    def time_passes(self, seconds: float) -> None:
        self.switch.history.later(seconds)

    # What must be true

    @invariant()
    def the_tracker_has_told_so_far_what_may_be_told(self) -> None:
        new = self.switch.history.events[self.heard :]
        self.heard += len(new)
        if new:
            self.reports += heard(self.tracker, new)
            assert not (wrong := violations(self.reports, Settings(), at_end=False)), "\n".join(wrong)

    def teardown(self) -> None:
        for call in self.live():
            self.switch.hang_up(call, employees_first=False)
        self.the_tracker_has_told_so_far_what_may_be_told()
        assert not (wrong := violations(self.reports, Settings())), "\n".join(wrong)
        assert not left_in(self.tracker)
        for call in self.switch.conversations:
            check_truth(call, self.reports)
        self.check_damaged()
        self.check_gap()

    def check_damaged(self) -> None:
        history = damaged(self.switch.history.events, self.random)
        tracker = Tracker(DIRECTORY)
        reports = heard(tracker, history)
        reports += tracker.resync(Snapshot(self.switch.history.at + 1, ())).reports
        assert not (wrong := violations(reports, Settings())), "\n".join(wrong)
        assert not left_in(tracker)

    def check_gap(self) -> None:
        whole = self.switch.history.events
        cut = self.random.randint(0, len(whole))
        tracker = Tracker(DIRECTORY)
        reports = heard(tracker, whole[: self.random.randint(0, cut)])
        reports += tracker.resync(Mirror(whole[:cut]).snapshot()).reports
        reports += heard(tracker, whole[cut:])
        reports += tracker.resync(Snapshot(self.switch.history.at + 1, ())).reports
        assert not (wrong := violations(reports, Settings())), "\n".join(wrong)
        assert not left_in(tracker)

    # Choosing

    def live(self) -> list[Conversation]:
        return [call for call in self.switch.conversations if not call.over]

    def some(self, kind: "Kind") -> bool:
        return any(map(kind, self.live()))

    def draw(self, data: st.DataObject, kind: "Kind") -> Conversation:
        return data.draw(st.sampled_from([call for call in self.live() if kind(call)]))


Kind = Callable[[Conversation], bool]


def _idle(call: Conversation) -> bool:
    return call.waits and not call.ringing


def _rings(call: Conversation) -> bool:
    return bool(call.ringing)


def _talks(call: Conversation) -> bool:
    return bool(call.talkers) and bool(call.free)


def _one_talks(call: Conversation) -> bool:
    return len(call.talkers) == 1


def _talks_directly(call: Conversation) -> bool:
    return _one_talks(call) and call.talkers[0].halves is None


def _is_parked(call: Conversation) -> bool:
    return call.parked


def check_truth(call: Conversation, reports: list[Report]) -> None:
    """Compare how a call ended with what the model knows of it."""
    mine = [report for report in reports if report.callid == call.callid]
    told = f"call {call.callid}:\n" + "\n".join(lines(mine))
    ends = [report for report in mine if report.outcome not in (None, Outcome.CANCELED)]
    assert len(ends) == 1, told
    assert {report.direction for report in mine} == {call.direction}, told
    if call.last is not None:
        assert (ends[0].extension, ends[0].outcome) == (call.last, Outcome.SUCCESS), f"{told}\nbut {call.last}"
    elif call.direction is Direction.OUTGOING:
        assert ends[0].outcome is call.unanswered, f"{told}\nbut {call.unanswered}"
    else:
        assert ends[0].outcome is Outcome.MISSED, told
    assert any(report.stage is Stage.ACCEPTED for report in mine) is (call.last is not None), told


def damaged(whole: list[Event], chance: random.Random) -> list[Event]:
    """Lose, double and move events."""
    history = list(whole)
    for _ in range(chance.randint(1, 6)):
        if not history:
            break
        at = chance.randrange(len(history))
        match chance.choice(("lose", "lose some", "double", "move")):
            case "lose":
                del history[at]
            case "lose some":
                del history[at : at + chance.randint(2, 10)]
            case "double":
                history.insert(_near(history, at, at + chance.randint(0, 10)), history[at])
            case _:
                to = _near(history, at, at - chance.randint(1, 8))
                history.insert(to, history.pop(at))
    return history


TestDay = Day.TestCase
TestDay.settings = hypothesis_settings(
    max_examples=20_000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 250, stateful_step_count=30
)


def _near(history: list[Event], at: int, wanted: int) -> int:
    """Go from one place towards another one; no further than half a minute, since AMI is one stream over TCP."""
    place = at
    step = 1 if wanted > at else -1
    while place != wanted and 0 <= place + step < len(history):
        if abs(history[place + step].at - history[at].at) > 30:
            break
        place += step
    return place
