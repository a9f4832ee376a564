"""What the command line is told of recordings, and that a new key ends all links."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from aiohttp import ClientSession

from ami_planfix.config.model import Config
from ami_planfix.outbox import Outbox
from ami_planfix.recordings.ledger import Progress
from ami_planfix.recordings.parts import Recordings, make_recordings
from ami_planfix.status import Board
from ami_planfix.storage.schema import open_database
from ami_planfix.web.app import Listener
from ami_planfix.web.recorded import Recorded
from tests.recordings.conftest import NOW, PUBLIC, recorded

SERVER = {"public_url": PUBLIC, "token": "a-long-word-of-our-own"}


class Site(NamedTuple):
    """The recordings of a PBX, and whoever asks about them."""

    recordings: Recordings
    session: ClientSession
    url: str

    async def ask(self, path: str, method: str = "GET") -> tuple[int, dict[str, object]]:
        async with self.session.request(method, self.url + path) as answer:
            found: dict[str, object] = json.loads(await answer.read())
            return answer.status, found


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    config = Config.model_validate({"server": SERVER, "recordings": {"cache": str(tmp_path / "cache")}})
    async with await open_database(f"sqlite:///{tmp_path}/state.db") as database:
        outbox = Outbox(database)
        made = await make_recordings(config, database, outbox, lambda: None, lambda callid: False, Board())
        assert made is not None
        async with database.write() as connection:
            await made.ledger.put(connection, [recorded(f"{nth}.wav", callid=f"1.{nth}") for nth in range(3)])
            await made.ledger.settle(connection, "1.1", Progress.MISSING, NOW, "it is not there")
            await made.ledger.settle(connection, "1.2", Progress.LINKED, NOW)
        listener = Listener("control", Recorded(made).routes())
        port = await listener.open("127.0.0.1", 0)
        async with ClientSession() as session:
            yield Site(made, session, f"http://127.0.0.1:{port}")
        await listener.close()
        made.close()


async def test_what_waits_or_is_missing_is_told(site: Site) -> None:
    status, answer = await site.ask("/recordings")
    assert status == 200
    rows = answer["recordings"]
    assert isinstance(rows, list)
    assert {(row["callid"], row["state"], row["detail"]) for row in rows} == {
        ("1.0", "waiting", ""),
        ("1.1", "missing", "it is not there"),
    }
    assert answer["counts"] == {"waiting": 1, "linked": 1, "missing": 1}


async def test_one_calls_recording_is_told_whatever_its_state(site: Site) -> None:
    _, answer = await site.ask("/recordings?call=1.2")
    row = {"callid": "1.2", "at": NOW, "state": "linked", "files": ["2.wav"], "detail": "", "expires": None}
    assert answer["recordings"] == [row]
    _, answer = await site.ask("/recordings?call=nobody")
    assert answer["recordings"] == []


async def test_a_limit_that_is_no_number_is_refused(site: Site) -> None:
    assert (await site.ask("/recordings?limit=all"))[0] == 400


async def test_a_new_key_ends_all_links(site: Site) -> None:
    before = site.recordings.links.link("1.2", "2.wav", ".mp3")
    assert (await site.ask("/recordings/revoke", "POST"))[0] == 200
    assert site.recordings.links.link("1.2", "2.wav", ".mp3") != before


async def test_without_a_place_for_links_there_is_nothing(tmp_path: Path) -> None:
    async with await open_database(f"sqlite:///{tmp_path}/state.db") as database:
        made = await make_recordings(Config(), database, Outbox(database), lambda: None, lambda _: False, Board())
    assert made is None
    listener = Listener("control", Recorded(made).routes())
    port = await listener.open("127.0.0.1", 0)
    async with ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/recordings") as answer:
            assert await answer.json() == {"recordings": [], "counts": {}}
        async with session.post(f"http://127.0.0.1:{port}/recordings/revoke") as answer:
            assert answer.status == 400
    await listener.close()
