"""Every kind of call on a real Asterisk 22, the main ones on 16 too: Planfix hears what the rules demand, no more."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.daemon.conftest import note_delays
from tests.daemon.performing import MAIN_JOB, Act, perform, perform_everywhere, sentence
from tests.daemon.promptness import delays
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
async def everywhere(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Post]]:
    async with AsyncExitStack() as stack:
        labs = [Lab(22), Lab(16), Lab(16, "chan_sip")]
        for lab in labs:
            await stack.enter_async_context(lab)
        posts = [await stack.enter_async_context(post(lab, tmp_path_factory.mktemp("d"))) for lab in labs]
        yield posts
        for one in posts:
            await one.end()
            one.forget()


@pytest.fixture
def on_22(everywhere: list[Post]) -> Post:
    return everywhere[0]


@pytest.mark.parametrize("act", MAIN_JOB, ids=sentence)
async def test_planfix_hears_what_the_rules_demand_on_22_and_on_16(everywhere: list[Post], act: Act) -> None:
    await perform_everywhere(act, everywhere)


@pytest.mark.parametrize("act", ALL_ELSE, ids=sentence)
async def test_planfix_hears_what_the_rules_demand(on_22: Post, act: Act) -> None:
    await perform(act, on_22)


async def test_the_duration_is_in_whole_seconds_from_meeting_to_parting(on_22: Post) -> None:
    lab = on_22.lab
    await perform(incoming.direct_employee_hangs_up, on_22)
    events = lab.ami.events[lab.story_begins :]
    met = max(float(event["Timestamp"]) for event in events if event["Event"] == "BridgeEnter")
    parted = min(float(event["Timestamp"]) for event in events if event["Event"] == "BridgeLeave")
    assert on_22.reports()[-1].duration == int(parted - met)


async def test_the_first_popup_is_there_at_once(everywhere: list[Post]) -> None:
    for one in everywhere:
        for _ in range(5):
            await perform(incoming.direct_client_gives_up, one)
            note_delays(one.asterisk, delays(one))
