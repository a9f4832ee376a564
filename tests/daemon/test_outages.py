"""Planfix away while people talk, and a daemon that dies with reports undelivered: every COMPLETED arrives, once."""

from collections import Counter
from pathlib import Path

import pytest

from ami_planfix.demo.planfix import hang
from tests.daemon.hearing import expectation
from tests.daemon.running import Post, post
from tests.lab import Lab
from tests.lab.stories import incoming, outgoing, ring_group

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

GROUP = ["INCOMING 101", "INCOMING 102", "INCOMING 103", "ACCEPTED 102", "COMPLETED 101 Canceled",
         "COMPLETED 103 Canceled", "COMPLETED 102 Success"]  # fmt: skip
BUSY = ["OUTGOING 101", "COMPLETED 101 Busy"]
REFUSED = ["INCOMING 101", "COMPLETED 101 Missed"]


async def some_calls(lab: Lab) -> None:
    await ring_group.ring_all_second_answers(lab)
    await outgoing.out_busy(lab)
    await incoming.direct_busy(lab)


async def arrive_once(at_work: Post, wanted: list[str]) -> None:
    """Have all that is wanted arrive, and nothing of it twice."""
    await at_work.until(lambda: not Counter(wanted) - Counter(at_work.told()))
    await at_work.end()
    assert Counter(at_work.told()) == Counter(wanted)


async def test_planfix_away_during_calls_gets_them_all_when_it_is_back(lab: Lab, tmp_path: Path) -> None:
    async with post(lab, tmp_path) as there:
        await there.planfix.stop()
        await some_calls(lab)
        await there.keeps(len(GROUP + BUSY + REFUSED))
        await there.planfix.start()
        await arrive_once(there, GROUP + BUSY + REFUSED)


async def test_popups_that_are_too_old_are_left_out_and_every_end_comes_with_its_beginning(
    lab: Lab, tmp_path: Path
) -> None:
    async with post(lab, tmp_path, start=False) as there:
        there.sections["delivery"] = {"popup_max_age": 1}
        there.write_config()
        await there.start()
        await there.planfix.stop()
        await ring_group.ring_all_second_answers(lab)
        await there.process.logged("report left out", report="ACCEPTED")
        await there.planfix.start()
        await arrive_once(there, [told for told in GROUP if not told.startswith("ACCEPTED")])
        told = there.told()
        for completed in (report for report in GROUP if report.startswith("COMPLETED")):
            extension = completed.split()[1]
            assert told[told.index(completed) - 1] == f"INCOMING {extension}"


async def test_killed_with_reports_undelivered_they_arrive_once(lab: Lab, tmp_path: Path) -> None:
    async with post(lab, tmp_path) as there:
        await there.planfix.stop()
        await some_calls(lab)
        await there.keeps(len(GROUP + BUSY + REFUSED))
        await there.end(kill=True)
        await there.start()
        await there.process.logged("report postponed")
        await there.end(kill=True)
        await there.planfix.start()
        await there.start()
        await arrive_once(there, GROUP + BUSY + REFUSED)


async def test_killed_while_planfix_is_slow_to_answer_nothing_is_lost(lab: Lab, tmp_path: Path) -> None:
    """What was sent and not yet answered may come twice: Planfix may have taken it, and nobody can know."""
    async with post(lab, tmp_path) as there:
        await incoming.direct_busy(lab)
        await there.demand(expectation("incoming", "direct_busy", "22"))
        there.forget()
        there.planfix.fault_for = lambda fields: hang() if fields.get("event") == "COMPLETED" else None
        await outgoing.out_busy(lab)
        await there.until(lambda: there.planfix.waiting == 1)
        await there.end(kill=True)
        there.planfix.release()
        there.planfix.fault_for = lambda _: None
        await there.start()
        await arrive_once(there, BUSY)


async def test_terminated_in_an_outage_it_ends_in_seconds_and_delivers_after_the_next_start(
    lab: Lab, tmp_path: Path
) -> None:
    async with post(lab, tmp_path) as there:
        await there.planfix.stop()
        await some_calls(lab)
        await there.end()
        await there.planfix.start()
        await there.start()
        await arrive_once(there, GROUP + BUSY + REFUSED)
