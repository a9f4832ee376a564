"""Every kind of call on a real Asterisk 22: Planfix hears what the rules demand, and nothing else."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.daemon.performing import MAIN_JOB, Act, perform, sentence
from tests.daemon.running import Post, post
from tests.lab import Lab
from tests.lab.stories import attended_transfer, blind_transfer, forward, hold, incoming, parking, queue, recording

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

ALL_ELSE: list[Act] = [
    incoming.direct_busy,
    incoming.caller_with_a_name,
    queue.queue_two_rounds,
    blind_transfer.blind_not_answered,
    attended_transfer.blonde_refer,
    parking.parked_and_fetched,
    forward.forward_by_phone_302,
    hold.hold_and_unhold,
    recording.out_recorded,
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at_work(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Post]:
    async with post(running_lab, tmp_path_factory.mktemp("d")) as there:
        yield there
        await there.end()
        there.forget()


@pytest.mark.parametrize("act", MAIN_JOB + ALL_ELSE, ids=sentence)
async def test_planfix_hears_what_the_rules_demand(at_work: Post, act: Act) -> None:
    await perform(act, at_work)
