"""Recorded calls multiplied: each copy is a call of its own, and a daemon reports all of them, each once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ami_planfix.calls.reports import Outcome, Report, Stage
from ami_planfix.demo.planfix import EmbeddedPlanfix, Received
from ami_planfix.planfix.messages import event_form
from tests.daemon_process import LIMIT
from tests.load.exchange import Exchange
from tests.load.home import SETTINGS, place_beside
from tests.load.player import Player
from tests.load.recorded import recorded_calls
from tests.load.sayings import Circumstances, Quiet
from tests.load.verdict import History, Verdict, judge
from tests.making import report

BEGIN = 1_800_000_000.0


@pytest.mark.parametrize("tag", [1, 77_777])
def test_a_copy_is_reported_as_the_call_that_it_was(tag: int) -> None:
    for recorded in recorded_calls():
        copy = recorded.copy(tag, BEGIN)
        was, is_ = recorded.story.clean_run(), copy.expected(recorded.story.settings)
        assert [_apart_from_ids(one) for one in is_] == [_apart_from_ids(one) for one in was], copy.name
        assert {one.callid for one in is_} <= copy.ids
        assert copy.ids.isdisjoint(one.callid for one in was)


def test_copies_have_no_channel_bridge_or_client_in_common() -> None:
    first, second = (recorded_calls()[0].copy(tag, BEGIN) for tag in (1, 2))
    assert first.ids.isdisjoint(second.ids)
    common = {raw for _, raw in first} & {raw for _, raw in second}
    assert not [raw for raw in common if b"Uniqueid" in raw or b"9101234567" in raw]


async def test_a_daemon_reports_many_calls_at_once_each_exactly(tmp_path: Path) -> None:
    async with Exchange() as exchange, EmbeddedPlanfix() as planfix:
        place = place_beside(exchange, planfix, tmp_path)
        async with place.daemon():
            await place.logged_in()
            player = Player(exchange, seed=1, rate=50.0, speed=10.0)
            await player.play(60)
            histories = [played.copy.expected(SETTINGS) for played in player.played]
            wanted = sum(map(len, histories))
            await planfix.wait_for(lambda _: len(planfix.events()) >= wanted, LIMIT)
    found = Verdict()
    for played, history in zip(player.played, histories, strict=True):
        mine = [one for one in planfix.received if one.fields.get("callid") in played.copy.ids]
        found.add(judge([History(history)], mine, Quiet()))
    assert not found.problems
    assert found.arrived == found.expected == wanted > 100


RANG = report(at=0.0)
ACCEPTED = report(Stage.ACCEPTED, at=1.0)
ENDED = report(Stage.COMPLETED, at=2.0, outcome=Outcome.SUCCESS, duration=1)
CALL = (RANG, ACCEPTED, ENDED)


def test_what_came_as_it_had_to_is_well() -> None:
    assert _counts(CALL, _came(*CALL)) == {"expected": 3, "arrived": 3}


def test_what_is_wrong_is_found() -> None:
    assert _counts(CALL, _came(RANG, ACCEPTED))["lost"] == 1
    assert _counts(CALL, _came(*CALL, ENDED))["double"] == 1
    assert _counts(CALL, _came(ACCEPTED, RANG, ENDED))["order"] == 1
    assert (
        _counts(CALL, _came(RANG, ACCEPTED, replace(ENDED, outcome=Outcome.CANCELED, duration=0)))["wrong_status"] == 1
    )
    assert _counts(CALL, _came(RANG, ACCEPTED, report(Stage.COMPLETED, "102", outcome=Outcome.SUCCESS, duration=1)))["wrong_ext"] == 1  # fmt: skip # noqa: E501
    assert _counts(CALL, _came(RANG, ACCEPTED, replace(ENDED, duration=5)))["wrong"] == 1
    assert _counts(CALL, _came(*CALL, report(extension="103")))["wrong"] == 1


def test_what_was_not_taken_comes_again_and_what_was_taken_does_not() -> None:
    assert _counts(CALL, _came(RANG, ACCEPTED, (ENDED, 500), (ENDED, 0), ENDED)) == {
        "expected": 3,
        "arrived": 3,
        "lost_answers": 2,
    }
    assert _counts(CALL, _came(RANG, ACCEPTED, (ENDED, 500)))["lost"] == 1
    assert _counts(CALL, _came((RANG, 500), ACCEPTED, RANG, ENDED))["order"] == 1
    assert _counts(CALL, _came(RANG, ACCEPTED, (ENDED, 400))) == {"expected": 3, "arrived": 2, "refused": 1}


def test_who_died_just_then_may_say_again_what_it_had_no_time_to_note() -> None:
    late = (RANG, ENDED, RANG, ENDED)
    assert _counts(CALL, _came(*late, at=61.0), Forgetful(61.0)) == {
        "expected": 3,
        "arrived": 2,
        "left_out": 1,
        "late": 1,
        "again": 2,
    }
    assert _counts(CALL, _came(*late, at=61.0), Forgetful(61.01))["double"] == 1
    assert _counts(CALL, _came(*late, at=61.0))["double"] == 2


def test_a_refusal_may_be_forgotten_as_well() -> None:
    said = _came(RANG, ACCEPTED, (ENDED, 400), ENDED)
    assert _counts(CALL, said, Forgetful(2.0)) == {"expected": 3, "arrived": 3, "refused": 1, "again": 1}
    assert _counts(CALL, said)["double"] == 1


def test_another_part_of_the_same_may_end_as_the_one_before_it_though_that_end_may_be_forgotten() -> None:
    gone = report(Stage.COMPLETED, at=1.0, outcome=Outcome.CANCELED)
    back = (report(at=1.5, part=2), report(Stage.COMPLETED, at=2.0, outcome=Outcome.CANCELED, part=2))
    parts = (RANG, gone, *back)
    assert _counts(parts, _came(*parts), Forgetful(2.0)) == {"expected": 4, "arrived": 4}
    assert _counts(parts, _came(RANG, gone, *back, gone, *back))["double"] == 3


def test_only_a_popup_that_was_too_old_may_be_left_out_or_come_late() -> None:
    ringing = (RANG, report(extension="102", at=0.0), report(Stage.COMPLETED, at=1.0), ACCEPTED)
    late = (report(Stage.COMPLETED, at=1.0), report(extension="102", at=0.0))
    assert _counts(CALL, _came(RANG, ENDED, at=61.0)) == {"expected": 3, "arrived": 2, "left_out": 1, "late": 1}
    assert _counts(CALL, _came(RANG, ENDED, at=50.0))["lost"] == 1
    assert _counts(ringing[:3], _came(RANG, *late, at=61.0)) == {"expected": 3, "arrived": 3, "late": 2}
    assert _counts(ringing[:3], _came(RANG, *late, at=50.0))["order"] == 1
    assert _counts(CALL, _came(RANG, ACCEPTED, at=61.0))["lost"] == 1


class Forgetful(Quiet):
    """The circumstances of a daemon that forgot all that was answered from a time on."""

    def __init__(self, since: float) -> None:
        self._since = since

    def forgot(self, since: float, until: float) -> bool:
        return since >= self._since


def _counts(
    expected: Sequence[Report], received: Sequence[Received], around: Circumstances | None = None
) -> dict[str, int]:
    found = judge([History(expected)], received, around or Quiet())
    assert bool(found.problems) == bool(found.badness)
    counts = {name: value for name, value in vars(found).items() if name != "problems" and value}
    return Counter(counts)


def _came(*said: Report | tuple[Report, int], at: float = 2.0) -> list[Received]:
    pairs = [one if isinstance(one, tuple) else (one, 200) for one in said]
    return [Received(at + number / 100, event_form(one), status) for number, (one, status) in enumerate(pairs)]


def _apart_from_ids(one: Report) -> tuple[object, ...]:
    return (one.extension, one.part, one.stage, one.outcome, one.duration, one.recorded, one.direction, one.did)
