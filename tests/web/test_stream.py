"""The stream: whoever looks sees the same, each change is told once, and nobody's slowness is anybody else's."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, TCPConnector, web

from ami_planfix.web import stream as module
from ami_planfix.web.app import Listener
from ami_planfix.web.overview import Json, Overview
from ami_planfix.web.sessions import Session
from ami_planfix.web.stream import LOOKING, MOST_VIEWERS, Stream

LIMIT = 10.0


class Seen(Overview):
    """How things are, as the test wants them; counts how often it was asked."""

    def __init__(self) -> None:
        self.live: dict[str, Json] = {}
        self.parts: list[Json] = []
        self.outbox: Json = {"waiting": 0}
        self.looks = self.questions = 0

    def about(self) -> Json:
        return {"pbx": "north"}

    def calls(self) -> dict[str, Json]:
        self.looks += 1
        return dict(self.live)

    def moving(self) -> Json:
        return {"parts": list(self.parts)}

    async def kept(self) -> Json:
        self.questions += 1
        return {"outbox": dict(self.outbox)}


class Viewer:
    """A browser that looks."""

    def __init__(self, lines: AsyncIterator[bytes]) -> None:
        self.lines = lines

    async def told(self) -> tuple[str, dict[str, Any]]:
        """Wait for the next event; tell its name and what it says but the time."""
        name = ""
        async with asyncio.timeout(LIMIT):
            async for line in self.lines:
                if line.startswith(b"event: "):
                    name = line[7:].decode().strip()
                if line.startswith(b"data: "):
                    found = json.loads(line[6:])
                    assert found.pop("now") > 0
                    return name, found
        raise AssertionError("the stream ended")


class Theatre:
    def __init__(self, seen: Seen, stream: Stream, port: int, sessions: Mapping[int, Session]) -> None:
        self.seen, self.stream, self.port, self.sessions = seen, stream, port, sessions

    @asynccontextmanager
    async def viewer(self) -> AsyncIterator[Viewer]:
        async with ClientSession() as session, session.get(f"http://127.0.0.1:{self.port}/live") as answer:
            assert answer.status == 200
            assert answer.content_type == "text/event-stream"
            yield Viewer(aiter(answer.content))

    async def until_nobody_looks(self) -> None:
        async with asyncio.timeout(LIMIT):
            await self.stream.nobody.wait()


@pytest.fixture
async def theatre(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Theatre]:
    monkeypatch.setattr(module, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(module, "ASK_EVERY", 0.02)
    monkeypatch.setattr(module, "PULSE", 0.05)
    seen = Seen()
    stream = Stream(seen)
    visits = count(1)
    sessions: dict[int, Session] = defaultdict(lambda: Session("", 0.0))

    async def live(request: web.Request) -> web.StreamResponse:
        return await stream.serve(request, sessions[next(visits)])

    listener = Listener("admin", [web.get("/live", live)])
    port = await listener.open("127.0.0.1", 0)
    yield Theatre(seen, stream, port, sessions)
    stream.close()
    await listener.close()


async def test_first_the_whole_then_what_changes(theatre: Theatre) -> None:
    theatre.seen.live = {"1.1": {"client": "7910"}}
    async with theatre.viewer() as viewer:
        whole = {"parts": [], "outbox": {"waiting": 0}, "about": {"pbx": "north"}, "calls": {"1.1": {"client": "7910"}}}
        assert await viewer.told() == ("whole", whole)
        theatre.seen.live = {"2.2": {"client": "\ud800<script>\n\n"}}
        theatre.seen.outbox = {"waiting": 5}
        told: dict[str, Any] = {}
        while told.keys() != {"moved", "gone", "outbox"}:
            told |= (await viewer.told())[1]
    assert told == {"moved": {"2.2": {"client": "?<script>\n\n"}}, "gone": ["1.1"], "outbox": {"waiting": 5}}


async def test_where_nothing_changes_only_a_pulse_is_told(theatre: Theatre) -> None:
    async with theatre.viewer() as viewer:
        await viewer.told()
        assert await viewer.told() == ("change", {})


async def test_all_see_the_same_and_one_look_serves_them(theatre: Theatre) -> None:
    async with theatre.viewer() as one, theatre.viewer() as other:
        assert await one.told() == await other.told()
        theatre.seen.parts = [{"part": "planfix", "state": "waiting"}]
        for viewer in (one, other):
            while "parts" not in (told := (await viewer.told())[1]):
                pass
            assert told["parts"] == theatre.seen.parts
        before = theatre.seen.looks
        await one.told()
        assert theatre.seen.looks - before < 20


async def test_nobody_looks_and_nothing_is_asked(theatre: Theatre) -> None:
    assert (theatre.seen.looks, theatre.seen.questions) == (0, 0)
    async with theatre.viewer() as viewer:
        await viewer.told()
    await theatre.until_nobody_looks()
    async with asyncio.timeout(LIMIT):
        await asyncio.gather(
            *(task for task in asyncio.all_tasks() if task.get_name() == LOOKING), return_exceptions=True
        )


async def test_somebody_comes_back_and_sees_what_is_now(theatre: Theatre) -> None:
    async with theatre.viewer() as viewer:
        await viewer.told()
    await theatre.until_nobody_looks()
    theatre.seen.live = {"3.3": {}}
    async with theatre.viewer() as viewer:
        assert (await viewer.told())[1]["calls"] == {"3.3": {}}


async def test_one_viewer_too_many_is_refused(theatre: Theatre) -> None:
    async with ClientSession() as session:
        url = f"http://127.0.0.1:{theatre.port}/live"
        answers = [await session.get(url) for _ in range(MOST_VIEWERS + 1)]
        assert [answer.status for answer in answers] == [200] * MOST_VIEWERS + [503]
        for answer in answers:
            answer.close()


async def test_nor_do_many_who_come_at_once_get_in(theatre: Theatre) -> None:
    """They all find nobody there, and wait for the database together."""
    url = f"http://127.0.0.1:{theatre.port}/live"
    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        answers = await asyncio.gather(*(session.get(url) for _ in range(MOST_VIEWERS + 15)))
        assert sorted(one.status for one in answers) == [200] * MOST_VIEWERS + [503] * 15
        for answer in answers:
            answer.close()


async def test_who_has_logged_out_sees_no_more(theatre: Theatre) -> None:
    async with theatre.viewer() as one, theatre.viewer() as other:
        await one.told()
        await other.told()
        theatre.stream.end(theatre.sessions[1])
        with suppress(ClientError):
            async for _ in one.lines:
                pass
        assert theatre.stream.viewers == 1
        await other.told()


async def test_who_takes_nothing_is_let_go_and_the_others_go_on(theatre: Theatre) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", theatre.port, limit=1024)
    writer.write(b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    await reader.readline()
    async with theatre.viewer() as viewer:
        await viewer.told()
        assert theatre.stream.viewers == 2
        number = 0
        async with asyncio.timeout(LIMIT):
            while theatre.stream.viewers == 2:
                number += 1
                theatre.seen.parts = [{"part": f"{number}", "detail": "x" * 200_000}]
                await viewer.told()
        assert await viewer.told()
    writer.close()


async def test_at_the_end_all_are_let_go_at_once(theatre: Theatre) -> None:
    async with theatre.viewer() as viewer:
        await viewer.told()
        theatre.stream.close()
        await theatre.until_nobody_looks()
