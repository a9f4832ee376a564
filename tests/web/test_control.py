"""The unix socket against orders that nobody gives: refused in words, and nothing is done."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, UnixConnector

from ami_planfix.deliveries import Deliveries
from ami_planfix.planfix.messages import DEFAULT_WORDING
from ami_planfix.storage.schema import open_database
from ami_planfix.web.app import Listener
from ami_planfix.web.control import Control


class Forgetful:
    async def forget(self) -> None:
        raise AssertionError("nobody asked for that")


@pytest.fixture
async def session(tmp_path: Path) -> AsyncIterator[ClientSession]:
    async with await open_database(f"sqlite:///{tmp_path}/state.db") as database:
        control = Control(tuple, Deliveries(database, ""), Forgetful(), lambda: None, DEFAULT_WORDING)
        listener = Listener("control", control.routes())
        await listener.open_unix(tmp_path / "c.sock")
        async with ClientSession(connector=UnixConnector(str(tmp_path / "c.sock"))) as opened:
            yield opened
        await listener.close()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"ids": "1"}',
        b'{"ids": [true]}',
        b'{"ids": [0]}',
        b'{"ids": [-1]}',
        json.dumps({"ids": [2**63]}).encode(),
        b'{"ids": [' + b"9" * 5000 + b"]}",
        b"[" * 15_000,
        b'{"ids":' * 2000,
    ],
)
async def test_ids_that_are_none_are_refused(session: ClientSession, body: bytes) -> None:
    async with session.post("http://daemon/deliveries/drop", data=body) as answer:
        assert answer.status == 400
        assert (await answer.json())["reason"] == "ids: a list of numbers, or null for all dead letters"


async def test_the_largest_id_that_a_database_knows_is_just_not_there(session: ClientSession) -> None:
    async with session.post("http://daemon/deliveries/drop", json={"ids": [2**63 - 1]}) as answer:
        assert (answer.status, await answer.json()) == (200, {"count": 0})


@pytest.mark.parametrize("limit", ["-1", "0", str(10**30)])
async def test_a_limit_is_never_no_limit(session: ClientSession, limit: str) -> None:
    async with session.get("http://daemon/deliveries", params={"limit": limit}) as answer:
        assert answer.status == 200


async def test_a_limit_that_is_no_number_is_refused(session: ClientSession) -> None:
    async with session.get("http://daemon/deliveries", params={"limit": "9" * 5000}) as answer:
        assert answer.status == 400
