"""The listener for this machine: health and figures."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from ami_planfix.metrics import Figures
from ami_planfix.status import Board, State
from ami_planfix.web.admin import Admin
from ami_planfix.web.app import Listener
from tests.making import some_figures


class Machine:
    def __init__(self) -> None:
        self.board = Board()
        self.alive = self.trusts = True
        self.port = 0

    async def figures(self) -> Figures:
        return some_figures()

    async def get(self, path: str) -> tuple[int, str]:
        async with ClientSession() as session, session.get(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.status, await answer.text()


@pytest.fixture
async def machine() -> AsyncIterator[Machine]:
    found = Machine()
    admin = Admin(found.board, lambda: found.alive, found.figures, lambda _: found.trusts)
    listener = Listener("admin", admin.routes())
    found.port = await listener.open("127.0.0.1", 0)
    yield found
    await listener.close()


async def test_health_names_every_part_and_the_worst_state(machine: Machine) -> None:
    machine.board.say("asterisk", State.WELL, "22.10.0")
    machine.board.say("planfix", State.WAITING, "did not answer within 10 s")
    machine.board.say("clicks", State.OFF, "no section `server`")
    status, body = await machine.get("/healthz")
    assert status == 200
    assert '"status": "waiting"' in body
    assert "did not answer within 10 s" in body
    machine.board.say("planfix", State.FAILED, "token refused")
    assert '"status": "failed"' in (await machine.get("/healthz"))[1]


async def test_strangers_are_told_no_hosts_and_no_files(machine: Machine) -> None:
    machine.board.say("storage", State.FAILED, "database postgresql://planfix:***@db.internal/planfix: no route")
    machine.trusts = False
    assert await machine.get("/healthz") == (200, '{"status": "failed"}')
    assert await machine.get("/readyz") == (503, '{"ready": false}')


async def test_only_a_stuck_daemon_is_unhealthy(machine: Machine) -> None:
    machine.alive = False
    status, body = await machine.get("/healthz")
    assert status == 503
    assert '"status": "stuck"' in body


async def test_figures_are_written_for_prometheus(machine: Machine) -> None:
    status, body = await machine.get("/metrics")
    assert status == 200
    assert "ami_planfix_ami_connected 1.0" in body.splitlines()


async def test_ready_is_who_hears_calls_and_keeps_them(machine: Machine) -> None:
    assert (await machine.get("/readyz"))[0] == 503
    machine.board.say("asterisk", State.WELL, "22.10.0")
    machine.board.say("planfix", State.FAILED, "token refused")
    assert (await machine.get("/readyz"))[0] == 200
    machine.board.say("storage", State.FAILED, "the disk is full")
    status, body = await machine.get("/readyz")
    assert status == 503
    assert "storage: the disk is full" in body
    machine.board.say("storage", State.WELL)
    machine.board.say("asterisk", State.WAITING, "refused")
    assert "asterisk: refused" in (await machine.get("/readyz"))[1]


async def test_nothing_else_is_served(machine: Machine) -> None:
    for path in ("/", "/calls", "/deliveries", "/planfix"):
        assert (await machine.get(path))[0] == 404
