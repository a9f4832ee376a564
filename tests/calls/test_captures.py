"""Every recorded story leads to the reports that the rules demand of it, and leaves nothing behind."""

import pytest

from ami_planfix.calls.reports import Direction
from tests.calls.memory import left_in, objects
from tests.calls.story import CAPTURES, differences, heard, load, names, shown


@pytest.mark.parametrize("name", names())
def test_a_story_gives_the_reports_that_the_rules_demand(name: str) -> None:
    story = load(name)
    tracker = story.tracker()
    reports = heard(tracker, story.events)
    assert not (found := differences(story.expected, reports)), "\n".join([story.expected.about, *found])
    assert not left_in(tracker)


@pytest.mark.parametrize("name", names())
def test_a_story_heard_again_gives_the_same_reports(name: str) -> None:
    story = load(name)
    assert story.clean_run() == story.clean_run()


@pytest.mark.parametrize("name", [name for name in names() if name.startswith(("outgoing/", "makecall/"))])
def test_an_outgoing_call_is_no_incoming_one_wherever_we_begin_to_listen(name: str) -> None:
    story = load(name)
    outgoing = {report.callid for report in story.clean_run() if report.direction is Direction.OUTGOING}
    for missed in range(1, len(story.events)):
        reports = heard(story.tracker(), story.events[missed:])
        assert not [
            report for report in reports if report.callid in outgoing and report.direction is not Direction.OUTGOING
        ], missed


def test_all_stories_one_after_another_leave_no_object_behind() -> None:
    before = objects()
    trackers = [load(name).tracker() for name in names()]
    for name, tracker in zip(names(), trackers, strict=True):
        heard(tracker, load(name).events)
    assert objects() == before


def test_every_capture_has_its_expectation_and_the_other_way_round() -> None:
    captures = {path.as_posix().removesuffix(".ami") for path in CAPTURES.glob("*/*.ami")}
    expectations = {path.as_posix().removesuffix(".expected.json") for path in CAPTURES.glob("*/*.expected.json")}
    assert captures
    assert captures == expectations


def test_a_wrong_report_is_told_with_what_was_expected_and_what_came() -> None:
    story = load("incoming/direct_client_hangs_up")
    reports = story.clean_run()
    assert not differences(story.expected, reports)
    (without_accepted,) = differences(story.expected, [reports[0], reports[2]])
    assert "expected:" in without_accepted
    assert shown(reports[2]) in without_accepted
    assert differences(story.expected, [*reports, reports[-1]])
    assert differences(story.expected, [])
