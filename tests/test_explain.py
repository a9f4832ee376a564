"""A call's timeline: told by the daemon that followed it, and by the capture of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ami_planfix.ami import capture
from ami_planfix.ami.decode import decode
from ami_planfix.demo.asterisk import Asterisk
from ami_planfix.demo.planfix import EmbeddedPlanfix
from ami_planfix.explain import describe
from tests.cli.running import CAPTURES, Result, ami_planfix
from tests.daemon_process import PBX_TOKEN, Place

TRANSFER = "blind_transfer/blind_refer_answered"
CALLID = "1795441050.145"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    devices = [{"Device": f"PJSIP/{name}"} for name in ("101", "102", "provider")]
    async with (
        Asterisk(devices=devices) as asterisk,
        EmbeddedPlanfix(pbx_token=PBX_TOKEN, pbx_url="https://pbx.example.com/planfix") as planfix,
    ):
        yield Place(asterisk, planfix, tmp_path)


async def asked(place: Place, *arguments: str) -> Result:
    """Ask the running daemon as its administrator does."""
    return await asyncio.to_thread(ami_planfix, *arguments, "-c", place.config_file)


async def test_the_daemon_tells_events_conclusions_rules_and_what_planfix_answered(place: Place) -> None:
    async with place.daemon():
        await place.logged_in()
        await place.play(TRANSFER)
        await place.heard(6)
        told = await asked(place, "explain", CALLID)
        by_number = await asked(place, "explain", "--phone", "910123")
        rows = await asked(place, "explain", CALLID, "--json")
    assert told.status == 0
    for wanted in (
        "BlindTransfer",
        "101 leaves the client: talking -> left (rule 4)",
        "> INCOMING ext=102",
        "status=Success duration=",
        "delivered after",
        "rule 7: blind transfer",
    ):
        assert wanted in told.out
    assert by_number.out == told.out
    assert rows.out.count('"said"') == 6


async def test_a_call_that_is_not_kept_is_said_to_be_none(place: Place) -> None:
    async with place.daemon():
        await place.logged_in()
        unknown = await asked(place, "explain", "1.1")
        nobody = await asked(place, "explain", "--phone", "79990000000")
    assert (unknown.status, unknown.out) == (1, "")
    assert "nothing is kept of 1.1" in unknown.err
    assert nobody.status == 1


async def test_endpoints_tells_whose_every_phone_is_and_why(place: Place) -> None:
    async with place.daemon():
        await place.logged_in()
        found = {str(row["name"]): row for row in (await asked(place, "endpoints", "--json")).rows}
    assert (found["PJSIP/101"]["is"], found["PJSIP/101"]["extension"]) == ("employee", "101")
    assert found["PJSIP/provider"]["is"] == "provider"
    assert all(row["why"] for row in found.values())


def test_a_click_that_nobody_picked_up_says_so() -> None:
    picked_up, not_picked_up, rejected = (
        ami_planfix("replay", "--explain", CAPTURES / f"makecall/originate_{story}.ami").out
        for story in ("answered", "not_picked_up", "rejected")
    )
    assert "did not pick up" not in picked_up
    assert "101 did not pick up (cause 19), so nobody else was called (rule 17)" in not_picked_up
    assert "101 did not pick up (cause 17), so nobody else was called (rule 17)" in rejected


def test_a_capture_is_explained_without_a_daemon() -> None:
    told = ami_planfix("replay", "--explain", CAPTURES / f"{TRANSFER}.ami")
    assert told.status == 0
    assert "102 is bridged with the client" in told.out
    assert "rule 2: who is bridged with the client has the call" in told.out


def test_the_daemon_must_be_told_a_call_or_a_number() -> None:
    assert ami_planfix("explain").status == 2
    assert ami_planfix("explain", "--phone", "79101234567", "--since", "yesterday-ish").status == 2


def test_every_event_of_every_capture_is_told_in_one_line() -> None:
    for path in sorted(CAPTURES.glob("*/*.ami")):
        for raw in capture.read(path):
            event = decode(raw, 0.0)
            if event is not None:
                line = describe(event)
                assert line
                assert "\n" not in line
