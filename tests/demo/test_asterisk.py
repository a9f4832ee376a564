"""The embedded Asterisk speaks AMI to whoever comes."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ami_planfix.ami.wire import parse
from ami_planfix.demo.asterisk import Asterisk


class Visitor:
    """Somebody with a plain socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def says(self, text: str) -> None:
        self.writer.write(text.replace("\n", "\r\n").encode() + b"\r\n\r\n")
        await self.writer.drain()

    async def hears(self) -> str:
        raw = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        return raw.decode().strip().replace("\r\n", "\n")


@asynccontextmanager
async def visit(asterisk: Asterisk) -> AsyncIterator[Visitor]:
    reader, writer = await asyncio.open_connection("127.0.0.1", asterisk.port)
    try:
        yield Visitor(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def logged_in(asterisk: Asterisk) -> AsyncIterator[Visitor]:
    async with visit(asterisk) as visitor:
        await visitor.reader.readline()
        await visitor.says("Action: Login\nUsername: ami-planfix\nSecret: secret")
        assert "Authentication accepted" in await visitor.hears()
        yield visitor


async def test_it_greets_and_asks_for_the_secret() -> None:
    async with Asterisk() as asterisk, visit(asterisk) as visitor:
        assert await visitor.reader.readline() == b"Asterisk Call Manager/7.0.3\r\n"
        await visitor.says("Action: Ping\nActionID: 1")
        assert await visitor.hears() == "Response: Error\nActionID: 1\nMessage: Permission denied"
        await visitor.says("Action: Login\nUsername: ami-planfix\nSecret: wrong")
        assert await visitor.hears() == "Response: Error\nMessage: Authentication failed"
        assert await visitor.reader.read() == b""


async def test_it_answers_what_it_knows_and_refuses_the_rest() -> None:
    channels = [{"Channel": "PJSIP/101-1"}]
    async with Asterisk(channels=channels) as asterisk, logged_in(asterisk) as visitor:
        await visitor.says("Action: CoreShowChannels\nActionID: 7")
        assert "EventList: start" in await visitor.hears()
        assert await visitor.hears() == "Event: CoreShowChannel\nActionID: 7\nChannel: PJSIP/101-1"
        assert "ListItems: 1" in await visitor.hears()
        await visitor.says("Action: Command\nCommand: core stop now")
        assert await visitor.hears() == "Response: Error\nMessage: Invalid/unknown command"
        await visitor.says("Action: Logoff")
        assert "Goodbye" in await visitor.hears()
        assert await visitor.reader.read() == b""


async def test_a_capture_is_played_as_if_it_happened_now() -> None:
    async with Asterisk() as asterisk, logged_in(asterisk) as visitor:
        begun = time.time()
        await asterisk.play(
            [b"Event: A\r\nTimestamp: 100.0\r\nX: 1", b"Event: B\r\nTimestamp: 100.5\r\nX: 2", b"Event: C"],
            speed=10,
        )
        first, second = parse((await visitor.hears()).encode()), parse((await visitor.hears()).encode())
        assert await visitor.hears() == "Event: C"
    assert (first.get("X"), second.get("X")) == ("1", "2")
    assert 0 <= float(first.get("Timestamp")) - begun < 5
    assert abs(float(second.get("Timestamp")) - float(first.get("Timestamp")) - 0.05) < 0.001


async def test_garbage_costs_only_its_own_connection() -> None:
    async with Asterisk() as asterisk, logged_in(asterisk) as other, visit(asterisk) as visitor:
        visitor.writer.write(b"x" * 200_000)
        with contextlib.suppress(ConnectionResetError):
            await asyncio.wait_for(visitor.reader.read(), 10)
        await other.says("Action: Ping")
        assert "Pong" in await other.hears()
