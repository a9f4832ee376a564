"""The main kinds of calls on Asterisk 16, with chan_pjsip and with chan_sip: as on 22."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.daemon.performing import MAIN_JOB, Act, perform, sentence
from tests.daemon.running import Post, post
from tests.lab import Lab

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["pjsip", "chan_sip"])
async def at_work(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Post]:
    async with Lab(16, request.param) as lab, post(lab, tmp_path_factory.mktemp("d")) as there:
        yield there
        await there.end()
        there.forget()


@pytest.mark.parametrize("act", MAIN_JOB, ids=sentence)
async def test_planfix_hears_what_the_rules_demand(at_work: Post, act: Act) -> None:
    await perform(act, at_work)
