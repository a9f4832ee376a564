"""The FastAGI server answers a dialplan, and lets go of whoever is none; over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from structlog.testing import capture_logs

from ami_planfix.contacts import fastagi
from ami_planfix.contacts.answer import Answer, Question
from ami_planfix.contacts.fastagi import LINE_BYTES, LINES, FastAgi
from ami_planfix.errors import ListenerError

SAID = {
    "agi_network": "yes",
    "agi_network_script": "contact",
    "agi_request": "agi://127.0.0.1:4583/contact",
    "agi_channel": "PJSIP/provider-00000001",
    "agi_uniqueid": "1700000000.1",
    "agi_callerid": "79101234567",
    "agi_dnid": "unknown",
    "agi_extension": "74951230001",
}
PATIENCE = 5.0


class Oracle:
    """Answers questions, or raises."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.fault: Exception | None = None
        self.held: asyncio.Event | None = None
        self.answer = Answer("Иванов Пётр", "103", True, "")
        self._changed = asyncio.Event()

    async def until_asked(self, times: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.asked) < times:
                self._changed.clear()
                await self._changed.wait()

    async def __call__(self, question: Question) -> Answer:
        self.asked.append(question)
        self._changed.set()
        if self.held is not None:
            await self.held.wait()
        if self.fault is not None:
            raise self.fault
        return self.answer


class Dialplan:
    """Asterisk's side of one conversation."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, said: dict[str, str]) -> None:
        self.writer.write(("".join(f"{name}: {value}\n" for name, value in said.items()) + "\n").encode())

    async def obey(self, result: bytes = b"200 result=1\n") -> dict[str, str]:
        """Answer every command until the server closes; the variables that it set."""
        variables = {}
        while line := (await self.ends_line()).decode():
            command, name, value = line.rstrip("\n").split(" ", 2)[0], *line.rstrip("\n").split(" ", 3)[2:]
            assert command == "SET"
            variables[name] = value.strip('"')
            self.writer.write(result)
        return variables

    async def ends_line(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readline()

    async def is_let_go(self) -> None:
        """Wait until the server has closed, having said nothing."""
        with suppress(ConnectionError):
            assert await self.ends_line() == b""


@asynccontextmanager
async def calling(port: int) -> AsyncIterator[Dialplan]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Dialplan(reader, writer)
    finally:
        writer.close()


class Server:
    def __init__(self) -> None:
        self.oracle = Oracle()
        self.agi = FastAgi(self.oracle)
        self.port = 0

    async def variables(self, **said: str) -> dict[str, str]:
        async with calling(self.port) as dialplan:
            dialplan.say(SAID | said)
            return await dialplan.obey()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    found = Server()
    found.port = await found.agi.open("127.0.0.1", 0)
    yield found
    await found.agi.close()


class TestAnswers:
    async def test_the_dialplan_gets_four_variables(self, server: Server) -> None:
        assert await server.variables() == {
            "PLANFIX_NAME": "Иванов Пётр",
            "PLANFIX_MANAGER": "103",
            "PLANFIX_REACHABLE": "1",
            "PLANFIX_REASON": "",
        }
        assert server.oracle.asked == [Question("79101234567", "74951230001", "1700000000.1")]

    async def test_what_the_dialplan_gives_wins_over_what_the_channel_has(self, server: Server) -> None:
        await server.variables(agi_arg_1="phone=79990000000", agi_arg_2="did=1=2", agi_arg_3="callid=1.9")
        assert server.oracle.asked == [Question("79990000000", "1=2", "1.9")]

    async def test_a_given_number_that_is_empty_is_not_replaced_by_the_caller(self, server: Server) -> None:
        await server.variables(agi_arg_1="phone=", agi_arg_2="did=")
        assert server.oracle.asked == [Question("", "74951230001", "1700000000.1")]

    async def test_an_unknown_caller_has_no_number(self, server: Server) -> None:
        await server.variables(agi_callerid="unknown", agi_dnid="74951230002")
        assert server.oracle.asked == [Question("", "74951230002", "1700000000.1")]

    async def test_many_calls_are_answered_side_by_side(self, server: Server) -> None:
        server.oracle.held = asyncio.Event()
        waiting = [asyncio.create_task(server.variables()) for _ in range(50)]
        await server.oracle.until_asked(50)
        server.oracle.held.set()
        assert {answer["PLANFIX_MANAGER"] for answer in await asyncio.gather(*waiting)} == {"103"}


class TestWhoIsNoDialplan:
    @pytest.mark.parametrize(
        "said",
        [
            b"",
            b"agi_network_script: contact\n",
            b"\n",
            b"agi_network_script: other\n\n",
            b"\xff\xfe\x00\n\n",
            b"x" * (2 * LINE_BYTES),
            b"a: b\n" * (LINES + 1),
        ],
        ids=["nothing", "half", "empty", "script", "bytes", "line", "lines"],
    )
    async def test_nonsense_is_let_go_and_the_next_call_is_answered(self, server: Server, said: bytes) -> None:
        with capture_logs() as lines:
            async with calling(server.port) as dialplan:
                dialplan.writer.write(said)
                dialplan.writer.write_eof()
                await dialplan.is_let_go()
            assert (await server.variables())["PLANFIX_MANAGER"] == "103"
        assert len(server.oracle.asked) == 1
        assert "fastagi question failed" not in [line["event"] for line in lines]

    async def test_who_says_nothing_is_let_go(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fastagi, "SAYING", 0.05)
        async with calling(server.port) as dialplan:
            await dialplan.is_let_go()

    async def test_who_answers_nothing_is_let_go(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fastagi, "SAYING", 0.05)
        async with calling(server.port) as dialplan:
            dialplan.say(SAID)
            assert await dialplan.ends_line() == 'SET VARIABLE PLANFIX_NAME "Иванов Пётр"\n'.encode()
            await dialplan.is_let_go()

    async def test_who_hung_up_is_let_go(self, server: Server) -> None:
        async with calling(server.port) as dialplan:
            dialplan.say(SAID)
            assert await dialplan.obey(b"511 Command Not Permitted on a dead channel\n") == {
                "PLANFIX_NAME": "Иванов Пётр"
            }

    async def test_one_too_many_is_let_go_at_once(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fastagi, "CONNECTIONS", 1)
        async with calling(server.port) as first:
            async with calling(server.port) as second:
                await second.is_let_go()
            first.say(SAID)
            assert (await first.obey())["PLANFIX_MANAGER"] == "103"


class TestOurOwnTroubles:
    async def test_a_fault_of_ours_lets_the_call_go_on(self, server: Server) -> None:
        server.oracle.fault = ZeroDivisionError()
        assert await server.variables() == {}

    async def test_the_end_of_the_daemon_lets_waiting_calls_go_on(self, server: Server) -> None:
        server.oracle.held = asyncio.Event()
        async with calling(server.port) as dialplan:
            dialplan.say(SAID)
            waiting = asyncio.create_task(dialplan.is_let_go())
            await server.oracle.until_asked(1)
            await server.agi.close()
            await waiting
        with pytest.raises(ConnectionRefusedError):
            await server.variables()

    async def test_a_taken_port_is_said(self, server: Server) -> None:
        with pytest.raises(ListenerError, match=rf"fastagi: cannot listen on 127\.0\.0\.1:{server.port}: "):
            await FastAgi(server.oracle).open("127.0.0.1", server.port)
