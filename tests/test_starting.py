"""A start while the database's server is away: it is waited for, said, and nobody who watches takes it for a hang."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from ami_planfix.demo.asterisk import Asterisk
from ami_planfix.demo.planfix import EmbeddedPlanfix
from tests.conftest import NO_SYNC
from tests.daemon_process import Place, Process, expected
from tests.ports import free_port
from tests.postgresql import PostgreSql, a_postgresql

STORY = "ring_group/ring_all_second_answers"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with Asterisk() as asterisk, EmbeddedPlanfix() as planfix:
        yield Place(asterisk, planfix, tmp_path)


@pytest.fixture
def server() -> Iterator[PostgreSql]:
    with a_postgresql(*NO_SYNC) as found:
        yield found


def keep_state_at(place: Place, url: str) -> None:
    place.sections["storage"] = {"url": url}
    place.write_config()


async def look(place: Place, path: str) -> tuple[int, dict[str, Any]]:
    async with ClientSession() as session, session.get(f"http://127.0.0.1:{place.admin_port}{path}") as answer:
        return answer.status, await answer.json()


async def test_it_says_what_it_waits_for_and_can_be_ended(place: Place) -> None:
    keep_state_at(place, f"postgresql://user:password-of-it@127.0.0.1:{free_port()}/calls")
    daemon = await Process.start(place, (), None)
    line = await daemon.logged("database away", consequence="not started")
    assert "is the server running" in line["error"]
    await daemon.told("EXTEND_TIMEOUT_USEC=60000000")
    assert (await look(place, "/healthz"))[1]["parts"][0]["state"] == "failed"
    assert (await look(place, "/readyz"))[0] == 503
    assert (await look(place, "/metrics"))[0] == 503
    assert await daemon.end() == 0
    assert b"password-of-it" not in daemon.raw


@pytest.mark.postgresql
async def test_it_starts_as_soon_as_the_server_is_there(place: Place, server: PostgreSql) -> None:
    keep_state_at(place, server.database())
    server.stop()
    daemon = await Process.start(place, (), None)
    await daemon.logged("database away")
    server.start()
    await daemon.ready()
    await place.logged_in()
    await place.play(STORY)
    assert sorted(await place.heard(len(expected(STORY)))) == expected(STORY)
    assert await daemon.end() == 0


@pytest.mark.postgresql
async def test_what_waiting_would_not_mend_ends_the_start(place: Place, server: PostgreSql) -> None:
    keep_state_at(place, server.url("no_such_database"))
    daemon = await Process.start(place, (), None)
    assert await daemon.process.wait() == 1
    await daemon.end()
    assert b'database "no_such_database" does not exist' in daemon.raw
