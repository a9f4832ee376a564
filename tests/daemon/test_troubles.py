"""A restart of the daemon and a cut of its connection at each stage of a call: Planfix gets what it would have got."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.daemon.running import post
from tests.daemon.troubles import Crowd, crowd
from tests.lab import Lab, talk
from tests.lab.stories.telling import TALK, answer_and_end, call_out, converse, finish, moment

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

PATIENT = "74951230090"
"""A DID that rings 101 for long, so that a daemon can be away meanwhile."""
PATIENT_102 = "302"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemons(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Crowd]:
    lab = running_lab
    for context, exten, phone in (("from-trunk", PATIENT, "101"), ("from-internal", PATIENT_102, "102")):
        await lab.ami.action(
            "DialplanExtensionAdd",
            Context=context,
            Extension=exten,
            Priority="1",
            Application="Dial",
            ApplicationData=f"{lab.device(phone)},60,tT",
            Replace="yes",
        )
    async with crowd(lab, tmp_path_factory.mktemp("d")) as there:
        yield there


@pytest_asyncio.fixture(loop_scope="module")
async def all_of_us(lab: Lab, daemons: Crowd) -> Crowd:
    await daemons.renew()
    return daemons


ANSWERED = ("INCOMING 101", "ACCEPTED 101", "COMPLETED 101 Success")
HANDED_OVER = ("INCOMING 101", "ACCEPTED 101", "INCOMING 102", "ACCEPTED 102", "COMPLETED 101 Canceled",
               "COMPLETED 102 Success")  # fmt: skip
DIALLED = ("OUTGOING 101", "ACCEPTED 101", "COMPLETED 101 Success")


class TestNothingHappensMeanwhile:
    async def test_while_a_phone_rings(self, all_of_us: Crowd) -> None:
        lab = all_of_us.lab
        client = await lab.client.dial(PATIENT)
        part = await lab.phones["101"].rings()
        await all_of_us.hear("INCOMING 101")
        await all_of_us.suffer()
        await answer_and_end(lab, client, part)
        await all_of_us.agree(*ANSWERED)

    async def test_while_they_talk(self, all_of_us: Crowd) -> None:
        conversation = await converse(all_of_us.lab)
        await all_of_us.suffer()
        await conversation.client_hangs_up(all_of_us.lab)
        await all_of_us.agree(*ANSWERED)

    async def test_while_the_client_is_on_hold(self, all_of_us: Crowd) -> None:
        lab = all_of_us.lab
        conversation = await converse(lab)
        await conversation.employee.hold()
        await all_of_us.suffer()
        await conversation.employee.unhold()
        await talk(conversation.client, conversation.employee, TALK)
        await conversation.client_hangs_up(lab)
        await all_of_us.agree(*ANSWERED)

    async def test_while_a_colleague_is_asked_on_a_second_line(self, all_of_us: Crowd) -> None:
        lab = all_of_us.lab
        conversation = await converse(lab)
        await conversation.employee.hold()
        second_line = await lab.phones["101"].dial("102")
        colleague = await lab.phones["102"].rings()
        await colleague.answer()
        await talk(second_line, colleague, TALK)
        await all_of_us.suffer()
        await conversation.employee.transfer_to(second_line)
        await talk(conversation.client, colleague, TALK)
        await finish(lab, conversation.client, colleague)
        await all_of_us.agree(*HANDED_OVER)

    async def test_while_a_blind_transfer_rings(self, all_of_us: Crowd) -> None:
        lab = all_of_us.lab
        conversation = await converse(lab)
        await conversation.employee.transfer(PATIENT_102)
        part = await lab.phones["102"].rings()
        await all_of_us.hear("INCOMING 102")
        await all_of_us.suffer()
        await answer_and_end(lab, conversation.client, part)
        await all_of_us.agree(*HANDED_OVER)

    async def test_while_an_employee_who_called_talks(self, all_of_us: Crowd) -> None:
        lab = all_of_us.lab
        conversation = await call_out(lab)
        await all_of_us.suffer()
        await finish(lab, conversation.employee, conversation.client)
        await all_of_us.agree(*DIALLED)


class TestTheCallGoesOnMeanwhile:
    async def test_it_is_answered(self, all_of_us: Crowd) -> None:
        lab = all_of_us.lab
        client = await lab.client.dial(PATIENT)
        part = await lab.phones["101"].rings()
        await all_of_us.hear("INCOMING 101")

        async def answered() -> None:
            await part.answer()
            await talk(client, part, TALK)

        await all_of_us.miss(answered)
        await talk(client, part, TALK)
        await finish(lab, client, part)
        await all_of_us.agree(*ANSWERED, exactly=False)

    async def test_the_client_gives_up(self, all_of_us: Crowd) -> None:
        lab = all_of_us.lab
        client = await lab.client.dial(PATIENT)
        part = await lab.phones["101"].rings()
        await all_of_us.hear("INCOMING 101")
        await all_of_us.miss(lambda: finish(lab, client, part))
        await all_of_us.agree("INCOMING 101", "COMPLETED 101 Missed")

    async def test_they_hang_up(self, all_of_us: Crowd) -> None:
        conversation = await converse(all_of_us.lab)
        await all_of_us.hear("ACCEPTED 101")
        await all_of_us.miss(lambda: conversation.client_hangs_up(all_of_us.lab))
        await all_of_us.agree(*ANSWERED, exactly=False)

    async def test_the_client_is_handed_over(self, all_of_us: Crowd) -> None:
        lab = all_of_us.lab
        conversation = await converse(lab)
        await conversation.employee.hold()
        second_line = await lab.phones["101"].dial("102")
        colleague = await lab.phones["102"].rings()
        await colleague.answer()
        await talk(second_line, colleague, TALK)

        async def handed_over() -> None:
            await conversation.employee.transfer_to(second_line)
            await asyncio.gather(conversation.employee.ended(), second_line.ended())
            await talk(conversation.client, colleague, TALK)

        await all_of_us.miss(handed_over)
        await finish(lab, conversation.client, colleague)
        await all_of_us.agree(*HANDED_OVER, exactly=False)

    async def test_it_begins_and_is_answered(self, all_of_us: Crowd) -> None:
        lab = all_of_us.lab
        parts = []

        async def begun() -> None:
            conversation = await converse(lab)
            parts.append(conversation)

        await all_of_us.miss(begun)
        await moment()
        await parts[0].client_hangs_up(lab)
        await all_of_us.agree(*ANSWERED, exactly=False)


async def test_a_restart_of_asterisk_ends_the_call_that_went_on(lab: Lab, tmp_path: Path) -> None:
    async with post(lab, tmp_path) as there:
        await converse(lab)
        before = there.wire.snapshots
        await lab.restart()
        await there.wire.snapshot(before)
        await there.hears(*ANSWERED)
        assert there.told() == list(ANSWERED)
        lab.forget()
        conversation = await converse(lab)
        await conversation.client_hangs_up(lab)
        await there.until(lambda: len(there.told()) == 2 * len(ANSWERED))
        assert len({report.callid for report in there.reports()}) == 2
