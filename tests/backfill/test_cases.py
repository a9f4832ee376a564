"""Asterisk's own records of the lab's stories lead to the reports that were made of the same calls live."""

from dataclasses import replace

import pytest

from ami_planfix.backfill.deciding import derive
from ami_planfix.backfill.grouping import group
from ami_planfix.calls.reports import Report
from tests.backfill.cases import Case, Part, load, names, parts

CEL_CANNOT_TELL = {
    "freepbx/freepbx_call_forward": "whose call forward it is stands in a variable (DEXTEN)",
    "outgoing/out_603": "declined and forbidden have the same cause",
    "outgoing/out_603_after_ringing": "declined and forbidden have the same cause",
    "through/dialler_client_first": "whom an Originate dials",
    "through/dialler_nobody": "whom an Originate dials",
}
CDR_CANNOT_TELL = CEL_CANNOT_TELL | dict.fromkeys(
    (
        "attended_transfer/attended_ami",
        "attended_transfer/atxfer_busy",
        "attended_transfer/atxfer_client_gives_up",
        "attended_transfer/atxfer_to_group",
        "attended_transfer/atxfer_to_outside",
        "attended_transfer/blonde_ami_recalled",
        "attended_transfer/blonde_refer_client_gives_up",
        "attended_transfer/blonde_refer_not_answered",
        "attended_transfer/out_then_atxfer",
        "blind_transfer/blind_ami_busy",
    ),
    "what happened between a consultation and its end",
)
CDR_CANNOT_TELL |= dict.fromkeys(
    (
        "forward/forward_302_in_ring_group",
        "forward/forward_302_not_answered",
        "forward/forward_302_to_group",
        "forward/forward_302_to_outside",
        "forward/forward_by_phone_302",
        "local/follow_me_application",
    ),
    "that a phone sent the call on",
)
CDR_CANNOT_TELL |= dict.fromkeys(
    (
        "incoming/did_to_outside",
        "incoming/did_to_outside_not_answered",
        "freepbx/freepbx_misc_destination",
        "through/branch_calls_out",
        "through/disa",
    ),
    "who called, once the dialplan has set another caller ID",
)
CDR_CANNOT_TELL |= dict.fromkeys(
    ("freepbx/freepbx_ivr", "ivr/ivr_then_group", "outgoing/out_403", "outgoing/out_404",
     "ring_group/ring_all_all_reject"),
    "what happens within a second, and why a leg failed",
)  # fmt: skip

CUT_TO_SECONDS = dict.fromkeys(
    ("blind_transfer/blind_ami_busy", "ring_group/ring_all_all_reject", "ring_group/ring_all_one_rejects"),
    "whether a phone rang that refused within a second",
)


def plain(name: str) -> str:
    return name.partition("-ast")[0]


def derived(case: Case, *, cel: bool) -> dict[Part, int]:
    found = group(case.cels, ()) if cel else group((), case.cdrs)
    reports: list[Report] = []
    for one in found:
        assert one.has_ended
        assert one.is_whole
        reports += derive(one, case.story.tracker())
    assert len(parts(reports)) == len(reports)
    return parts(reports)


@pytest.mark.parametrize("name", [name for name in names() if plain(name) not in CEL_CANNOT_TELL])
def test_channel_events_tell_all(name: str) -> None:
    case = load(name)
    got = derived(case, cel=True)
    assert got.keys() == case.reports.keys(), case.story.expected.about
    assert all(abs(got[part] - seconds) <= 1 for part, seconds in case.reports.items()), case.story.expected.about


@pytest.mark.parametrize("name", [name for name in names() if plain(name) not in CDR_CANNOT_TELL])
def test_call_records_tell_how_each_part_ended(name: str) -> None:
    case = load(name)
    got = {part: seconds for part, seconds in derived(case, cel=False).items() if part.stage == "completed"}
    wanted = {part: seconds for part, seconds in case.reports.items() if part.stage == "completed"}
    assert got.keys() == wanted.keys(), case.story.expected.about
    assert all(abs(got[part] - seconds) <= _doubt(part) for part, seconds in wanted.items()), case.story.expected.about


def test_calls_side_by_side_are_not_mixed() -> None:
    cases = [load(name) for name in names() if name == plain(name)]
    together = group((cel for case in cases for cel in case.cels), ())
    apart = [{cel.uniqueid for cel in case.cels} for case in cases]
    assert sum(len(one.cels) for one in together) == sum(len(case.cels) for case in cases)
    for one in together:
        assert sum(not one.ids.isdisjoint(ids) for ids in apart) == 1, one.ids


def test_within_a_second_the_order_is_that_in_which_it_was_written() -> None:
    """FreePBX's table has whole seconds."""
    wrong = []
    for name in (name for name in names() if plain(name) not in CEL_CANNOT_TELL | CUT_TO_SECONDS):
        case = load(name)
        cut = replace(case, cels=tuple(cel._replace(at=float(int(cel.at))) for cel in case.cels))
        got = {part for part in derived(cut, cel=True) if part.stage == "completed"}
        if got != {part for part in case.reports if part.stage == "completed"}:
            wrong.append(name)
    assert wrong == []


def _doubt(part: Part) -> int:
    """Tell how many seconds whole seconds may be wrong; each stretch of talk adds to it."""
    return 2 if part.outcome == "success" else 0
