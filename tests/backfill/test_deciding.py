from dataclasses import replace

from ami_planfix.backfill.deciding import missing
from ami_planfix.calls.reports import CallId, Outcome, Report, Stage
from tests.making import report

RANG, ACCEPTED = report(Stage.RANG), report(Stage.ACCEPTED)
SUCCESS = report(Stage.COMPLETED, outcome=Outcome.SUCCESS, duration=7, at=1_700_000_010.0)
CANCELED = report(Stage.COMPLETED, at=1_700_000_009.0)
OTHER = [
    report(Stage.RANG, "102"),
    report(Stage.ACCEPTED, "102"),
    report(Stage.COMPLETED, "102", outcome=Outcome.SUCCESS, duration=3, at=1_700_000_011.0),
]


def said(reports: list[Report]) -> list[str]:
    return [
        f"{one.extension}/{one.part} {one.stage}{f' {one.outcome} {one.duration}' if one.outcome else ''}"
        for one in reports
    ]


def test_of_a_call_that_nobody_heard_of_all_is_missing() -> None:
    assert missing([RANG, ACCEPTED, SUCCESS], []) == [RANG, ACCEPTED, SUCCESS]


def test_of_a_call_whose_end_was_told_nothing_is_missing() -> None:
    assert missing([*OTHER], [RANG, SUCCESS]) == []


def test_of_a_call_that_was_begun_only_the_rest_is_missing() -> None:
    derived = [RANG, ACCEPTED, CANCELED, *OTHER]
    assert said(missing(derived, [RANG, ACCEPTED])) == [
        "102/1 rang", "102/1 accepted", "101/1 completed canceled 0", "102/1 completed success 3",
    ]  # fmt: skip


def test_a_part_of_which_the_records_know_nothing_is_ended() -> None:
    rang_too = report(Stage.RANG, "103")
    assert said(missing([RANG, ACCEPTED, SUCCESS], [RANG, rang_too])) == [
        "101/1 accepted", "101/1 completed success 7", "103/1 completed canceled 0",
    ]  # fmt: skip


def test_who_rang_anew_ends_as_the_records_say() -> None:
    again = report(Stage.RANG, part=2)
    assert said(missing([RANG, ACCEPTED, SUCCESS], [RANG, CANCELED, again])) == ["101/2 completed success 7"]


def test_an_outgoing_call_of_which_no_record_tells_did_not_come_about() -> None:
    dialled = report(Stage.DIALLED)
    assert said(missing([], [dialled])) == []
    assert said(missing([report(Stage.DIALLED, "102")], [dialled]))[-1] == "101/1 completed not available 0"


def test_a_call_that_was_found_under_way_keeps_the_callid_it_was_given() -> None:
    known = [replace(RANG, callid=CallId("1700000099.5"))]
    assert {one.callid for one in missing([RANG, ACCEPTED, SUCCESS], known)} == {"1700000099.5"}


def test_a_transfer_with_credit_for_each_goes_on_after_the_first_success() -> None:
    each = [RANG, ACCEPTED, SUCCESS, *OTHER]
    assert said(missing(each, [RANG, ACCEPTED, SUCCESS, OTHER[0]])) == ["102/1 accepted", "102/1 completed success 3"]


def test_calls_side_by_side_are_compared_each_with_itself() -> None:
    beside = [replace(one, callid=CallId("1700000050.1")) for one in (RANG, SUCCESS)]
    assert missing([RANG, SUCCESS, *beside], [RANG, SUCCESS]) == beside
