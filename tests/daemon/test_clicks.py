"""What Planfix asks of the daemon, on a real Asterisk: clicks that ring phones, and `setup`."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.daemon.hearing import expectation
from tests.daemon.running import Post, post
from tests.daemon_process import PBX_TOKEN
from tests.lab import Lab, talk
from tests.lab.pbx import CLIENT
from tests.lab.stories import incoming
from tests.lab.stories.telling import TALK, finish

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module")
async def at_work(lab: Lab, tmp_path: Path) -> AsyncIterator[Post]:
    async with post(lab, tmp_path) as there:
        yield there
        await there.end()
        there.forget()


async def click(at_work: Post) -> str:
    """Click on the client's number in Planfix; tell the callid that the daemon chose."""
    answer = await at_work.planfix.make_call(at_work.url, PBX_TOKEN, "101", CLIENT)
    assert answer == (200, "{}")
    line = await at_work.process.logged("click dialled")
    callid: str = line["call"]
    return callid


class TestMakeCall:
    async def test_the_employee_is_rung_then_the_client_and_the_reports_have_the_callid_of_the_click(
        self, at_work: Post, lab: Lab
    ) -> None:
        callid = await click(at_work)
        employee = await lab.phones["101"].rings()
        assert not at_work.told()
        await employee.answer()
        client = await lab.client.rings()
        await at_work.hears("OUTGOING 101")
        await client.answer()
        await talk(employee, client, TALK)
        await finish(lab, client, employee)
        await at_work.demand(expectation("makecall", "originate_answered", "22"))
        assert {report.callid for report in at_work.reports()} == {callid}

    async def test_an_employee_who_does_not_pick_up_has_called_nobody(self, at_work: Post, lab: Lab) -> None:
        callid = await click(at_work)
        await (await lab.phones["101"].rings()).ended()
        await lab.quiet()
        line = await at_work.process.logged("click not picked up", call=callid)
        assert line["reason"] == "it rang until the time was over"
        await at_work.demand(expectation("makecall", "originate_not_picked_up", "22"))
        assert lab.client.is_quiet()

    async def test_a_client_who_is_busy_is_reported_as_busy(self, at_work: Post, lab: Lab) -> None:
        await click(at_work)
        employee = await lab.phones["101"].rings()
        await employee.answer()
        (await lab.client.incoming()).refuse(486)
        await employee.ended()
        await lab.quiet()
        await at_work.demand(expectation("makecall", "originate_client_busy", "22"))

    async def test_the_same_click_twice_rings_once(self, at_work: Post, lab: Lab) -> None:
        first = await click(at_work)
        assert await click(at_work) == first
        (await lab.phones["101"].rings()).refuse(486)
        await lab.quiet()
        assert lab.phones["101"].is_quiet()
        await at_work.demand(expectation("makecall", "originate_rejected", "22"))

    async def test_a_wrong_token_rings_nobody(self, at_work: Post, lab: Lab) -> None:
        status, body = await at_work.planfix.make_call(at_work.url, "a-token-of-nobody", "101", CLIENT)
        assert status == 401
        assert json.loads(body)["error"] == "Invalid token"
        await lab.quiet()
        assert lab.phones["101"].is_quiet()


class TestSetup:
    async def test_calls_go_to_the_account_that_setup_names_also_after_a_restart(
        self, lab: Lab, tmp_path: Path
    ) -> None:
        async with post(lab, tmp_path, start=False) as there:
            there.sections["planfix"] = {"allowed_hosts": ["127.0.0.1"]}
            there.write_config()
            await there.start()
            assert await there.planfix.setup(there.url, PBX_TOKEN) == (200, "{}")
            for _ in range(2):
                await incoming.direct_busy(lab)
                await there.demand(expectation("incoming", "direct_busy", "22"))
                await there.end()
                await there.start()
                there.forget()
