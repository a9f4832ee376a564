"""The Asterisks on which lookups and clicks are tried, one after another for all tests of a module."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.lab import Lab
from tests.lab.asterisk import Driver

ASTERISKS: list[tuple[int, Driver]] = [(22, "pjsip"), (16, "pjsip"), (16, "chan_sip")]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=ASTERISKS, ids=lambda one: f"{one[0]}-{one[1]}")
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
    """Run each of them with its phones; `house` lets no test leave anything to the next."""
    async with Lab(*request.param) as running:
        yield running
