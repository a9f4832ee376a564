"""A listener that cannot open disables its own feature, says so, and opens as soon as it can."""

import socket

import pytest
import structlog
from aiohttp import ClientSession, web

from ami_planfix.status import Board, PartState, State
from ami_planfix.web import opening
from ami_planfix.web.answers import taken
from ami_planfix.web.app import Listener
from ami_planfix.web.opening import Opening


async def well(_request: web.Request) -> web.Response:
    return taken()


async def test_a_port_in_use_is_said_once_and_taken_when_it_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "AGAIN", 0.01)
    board = Board()
    states: list[PartState] = []
    board.listen(states.append)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port: int = other.getsockname()[1]
        listener = Listener("server", [web.get("/", well)])
        found = Opening(listener, lambda one: one.open("127.0.0.1", port), "clicks in Planfix", board)
        with structlog.testing.capture_logs() as lines:
            await found.start()
            assert states[-1].detail == (
                f"server: cannot listen on 127.0.0.1:{port}: Address already in use (`ss -ltnp` shows which program "
                "has it; or choose another port); without it: no clicks in Planfix"
            )
            other.close()
            assert found.again is not None
            await found.again
    assert [part.state for part in states] == [State.FAILED, State.WELL]
    assert [line["event"] for line in lines] == ["listener not opened", "listener opened"]
    async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as answer:
        assert answer.status == 200
    await found.stop()


async def test_one_that_never_opens_can_be_stopped() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port: int = other.getsockname()[1]
        listener = Listener("server", [web.get("/", well)])
        found = Opening(listener, lambda one: one.open("127.0.0.1", port), "clicks", Board())
        await found.start()
        await found.stop()
