"""What all tests share: how many run at once, an empty database of each kind, each Asterisk of the lab."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.lab import Lab
from tests.lab.asterisk import ASTERISKS
from tests.postgresql import PostgreSql, a_postgresql

NO_SYNC = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200")
"""What a server that is thrown away need not do."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Have one more of them run than there are processors: some of them wait."""
    return len(os.sched_getaffinity(0)) + 1


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """Give the tests' own server."""
    with a_postgresql(*NO_SYNC) as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql: PostgreSql) -> str:
    """Give an empty PostgreSQL database."""
    return postgresql.database()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state.db"
    return str(request.getfixturevalue("postgresql_url"))


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=ASTERISKS, ids=str)
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
    """Run each Asterisk once for all tests of a module; what a test does goes into `lab.cleared()`."""
    async with Lab(*request.param) as running:
        yield running
