"""The torture test itself: a seed repeats it, and what a daemon may have missed excuses no more than that."""

from array import array
from collections import Counter
from collections.abc import Sequence
from math import inf

import pytest

from ami_planfix.calls.reports import Outcome, Report, Stage
from ami_planfix.demo.planfix import Received
from ami_planfix.planfix.messages import event_form
from tests.failover.pair import Deaths
from tests.load.exchange import Listening, Timeline
from tests.load.home import SETTINGS
from tests.load.player import Played
from tests.load.recorded import Copy, copy_of
from tests.load.sayings import Quiet
from tests.load.verdict import judge
from tests.making import report
from tests.torture.keeper import End, How
from tests.torture.past import NOTING, Past, Proof
from tests.torture.possible import Break, Ear, Hearing
from tests.torture.real import RealResult, compare
from tests.torture.schedule import Kind, schedule
from tests.torture.troubles import AHEAD, Spell

BEGIN = 1_800_000_000.0


class TestTheSchedule:
    def test_a_seed_repeats_it_and_another_one_does_not(self) -> None:
        assert schedule(7, 100, 600.0) == schedule(7, 100, 600.0)
        assert schedule(7, 100, 600.0) != schedule(8, 100, 600.0)

    def test_all_kinds_come_within_the_time_each_field_in_order(self) -> None:
        rows = schedule(1, 400, 600.0)
        assert Counter(one.kind for row in rows for one in row).keys() == set(Kind)
        for row in rows:
            assert [one.begin for one in row] == sorted(one.begin for one in row)
            assert all(0 <= one.begin <= 600 for one in row)

    def test_what_cannot_be_done_here_is_not_on_it(self) -> None:
        rows = schedule(1, 400, 600.0, frozenset(Kind) - {Kind.FULL})
        assert not [one for row in rows for one in row if one.kind is Kind.FULL]
        assert sum(map(len, rows)) == pytest.approx(400, abs=2)


class TestWhatMayHaveBeenHeard:
    """One call of which place 0 is the first message."""

    def test_a_call_that_was_heard_whole_has_one_history(self) -> None:
        copy = _copy()
        hearing = _hearing([Listening("daemon", 0, (0, BEGIN))], [])
        (only,) = hearing.histories(_played(copy))
        assert list(only.reports) == copy.expected(SETTINGS)
        assert only.slack == 0

    def test_what_was_told_while_nobody_listened_is_in_none(self) -> None:
        copy, deaf = _copy(), 40
        listened = [
            Listening("daemon", 0, (0, BEGIN), until=deaf),
            Listening("daemon", len(copy), (len(copy), BEGIN + 60)),
        ]
        (only,) = _hearing(listened, [Break(deaf, deaf)]).histories(_played(copy))
        assert len(only.reports) >= 2
        assert [one.stage for one in only.reports][-1] == "completed"
        assert only.reports[-1].cause == "resync"

    def test_each_message_from_the_unsure_place_on_may_be_the_last_one(self) -> None:
        copy = _copy()
        listened = [Listening("daemon", 0, (0, BEGIN), until=60), Listening("daemon", 60, (60, BEGIN + 5))]
        sure = list(_hearing(listened, [Break(60, 60)]).histories(_played(copy)))
        unsure = list(_hearing(listened, [Break(60, 0)]).histories(_played(copy)))
        assert len(sure) == 1
        assert len(unsure) > 5
        assert unsure[0] == sure[0]

    def test_who_listened_need_not_know_what_another_daemon_saw_just_then(self) -> None:
        copy, place = _copy(), 40
        one = [Listening("one", place, (place, BEGIN + 5))]
        other = [Listening("other", place + 30, (place + 30, BEGIN + 6))]
        found = list(Hearing([Ear(one, []), Ear(other, [])], SETTINGS).histories(_played(copy)))
        (without,) = _hearing(one, []).histories(_played(copy))
        assert len(found) == 2
        assert found[1].reports == without.reports

    def test_a_wrong_report_about_a_call_that_was_heard_is_not_excused_by_a_break_before_it(self) -> None:
        copy = _copy()
        listened = [Listening("daemon", 0, (0, BEGIN - 9), until=0), Listening("daemon", 0, (0, BEGIN - 1))]
        hearing = _hearing(listened, [Break(0, 0)])
        reports = copy.expected(SETTINGS)
        assert not judge(hearing.histories(_played(copy)), _came(reports), Quiet()).badness
        assert judge(hearing.histories(_played(copy)), _came(reports[:-1]), Quiet()).lost == 1


class TestThePast:
    def test_a_cause_that_is_proven_was_heard_and_what_came_after_it_may_not_have_been(self) -> None:
        copy = _copy()
        timeline = Timeline()
        for place in range(len(copy)):
            timeline.add(BEGIN + place, place + 1)
        listened = [Listening("daemon", 0, (0, BEGIN), until=60, ended=BEGIN + 60)]
        past = Past({"daemon": [End(How.KILLED, BEGIN + 59.5, BEGIN + 59.5)]}, [])
        for proven, least in (([], 0), ([Proof(BEGIN + 30, 29)], 30), ([Proof(BEGIN + 99, 50)], 0)):
            (ear,) = past.ears(listened, timeline, proven)
            shortest = ear.heard(_played(copy), list(_played(copy).told()))[-1]
            assert max((item.place for item in shortest), default=-1) < max(least, 1)

    def test_only_who_died_just_after_an_answer_may_have_forgotten_it(self) -> None:
        past = Past({"daemon": [End(How.KILLED, BEGIN, BEGIN)]}, [])
        assert past.forgot(BEGIN - NOTING / 2, BEGIN + 5)
        assert not past.forgot(BEGIN - 2 * NOTING, BEGIN + 5)
        assert not past.forgot(BEGIN - NOTING / 2, BEGIN - NOTING / 4)
        assert not Past({"daemon": [End(How.TOLD, BEGIN, BEGIN + 1)]}, []).forgot(BEGIN - NOTING / 2, BEGIN + 5)

    def test_who_could_not_write_may_have_forgotten_more(self) -> None:
        locked = [Spell(Kind.LOCKED, BEGIN - 20, BEGIN - 5)]
        assert Past({"daemon": [End(How.KILLED, BEGIN, BEGIN)]}, locked).forgot(BEGIN - 15, BEGIN + 5)

    def test_a_clock_that_was_ahead_makes_popups_old(self) -> None:
        past = Past({}, [Spell(Kind.CLOCK_AHEAD, BEGIN + 10, BEGIN + 20)])
        assert past.age(BEGIN, BEGIN + 5) == 5
        assert past.age(BEGIN, BEGIN + 15) == 15 + AHEAD
        assert past.age(BEGIN + 21, BEGIN + 25) == 4
        assert past.age(BEGIN, inf) == inf


class TestTheRealPart:
    """What the daemon that suffered told, by what the witness told."""

    TRUTH = (
        report(at=10.0),
        report(Stage.ACCEPTED, at=11.0),
        report(Stage.COMPLETED, at=12.0, outcome=Outcome.SUCCESS, duration=1),
    )

    def test_the_same_ends_are_well_also_without_popups(self) -> None:
        assert self._found(self.TRUTH) == (0, 0, 0)
        assert self._found((self.TRUTH[0], self.TRUTH[2])) == (0, 0, 0)

    def test_what_is_missing_or_twice_or_another_end_is_found(self) -> None:
        missed = report(Stage.COMPLETED, at=12.0, outcome=Outcome.MISSED)
        assert self._found(()) == (1, 0, 0)
        assert self._found(self.TRUTH[:2]) == (2, 0, 0)
        assert self._found((*self.TRUTH, self.TRUTH[2]))[1] > 0
        assert self._found((self.TRUTH[0], missed)) == (1, 0, 1)

    def test_of_a_call_that_is_known_in_part_each_beginning_has_one_end(self) -> None:
        missed = report(Stage.COMPLETED, at=12.0, outcome=Outcome.MISSED)
        for came in ((), (self.TRUTH[0], missed)):
            assert self._found(came, returns=[11.0]) == (0, 0, 0)
        assert self._found(self.TRUTH[:1], returns=[11.0]) == (1, 0, 0)

    def _found(self, came: Sequence[Report], returns: Sequence[float] = ()) -> tuple[int, int, int]:
        result = RealResult(22)
        compare(result, self.TRUTH, _came(came), Deaths(), returns)
        return result.lost, result.double, result.wrong


def _hearing(listened: Sequence[Listening], breaks: Sequence[Break]) -> Hearing:
    return Hearing([Ear(listened, breaks)], SETTINGS)


def _copy() -> Copy:
    return copy_of("ring_group/ring_all_second_answers", 1, BEGIN, 1.0)


def _played(copy: Copy) -> Played:
    return Played(copy, array("L", range(len(copy))))


def _came(reports: Sequence[Report]) -> list[Received]:
    return [Received(one.at + 0.1 + number / 1000, event_form(one), 200) for number, one in enumerate(reports)]
