"""The wire between a daemon and Asterisk: passes on what is said, and can be cut or frozen."""

import asyncio
import time
from typing import Self

from tests.lab.waiting import Noticeboard

SNAPSHOT_ENDS = b"Event: CoreShowChannelsComplete\r\n"
PIECE = 64 * 1024


class Wire:
    """A TCP proxy on loopback; daemons connect to `port`."""

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self.snapshots = 0
        """Lists of what exists that have passed."""
        self.joined: list[float] = []
        """When each connection came, seconds since the epoch."""
        self._behind = (host, port)
        self._broken = False
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._board = Noticeboard()
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        await self._end_all()

    async def cut(self) -> None:
        """End what connections there are, and let none through until `mend`."""
        self._broken = True
        await self._end_all()

    def freeze(self) -> None:
        """Pass nothing on, and end nothing, until `mend`: as a firewall that forgot us."""
        self._flowing.clear()

    def mend(self) -> None:
        """Be as new."""
        self._broken = False
        self._flowing.set()

    async def snapshot(self, after: int = 0) -> None:
        """Wait until more than `after` lists of what exists have passed."""
        await self._board.until("a daemon that asks what exists", lambda: self.snapshots > after, 30)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._passing.add(task)
        try:
            if not self._broken:
                await self._join(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._passing.discard(task)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, to_behind = await asyncio.open_connection(*self._behind)
        self.joined.append(time.time())
        try:
            async with asyncio.TaskGroup() as both:
                up = both.create_task(self._pass_on(reader, to_behind))
                down = both.create_task(self._pass_on(behind, writer))
                await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
                up.cancel()
                down.cancel()
        except* ConnectionError:
            pass
        finally:
            to_behind.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        last = b""
        while piece := await reader.read(PIECE):
            await self._flowing.wait()
            writer.write(piece)
            await writer.drain()
            seen = last + piece
            if found := seen.count(SNAPSHOT_ENDS):
                self.snapshots += found
                self._board.changed()
                seen = seen[seen.rindex(SNAPSHOT_ENDS) + len(SNAPSHOT_ENDS) :]
            last = seen[-len(SNAPSHOT_ENDS) + 1 :]

    async def _end_all(self) -> None:
        passing = list(self._passing)
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)
