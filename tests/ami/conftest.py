"""A connection to the embedded Asterisk, and somebody who listens."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from ami_planfix.ami.connection import Connection
from ami_planfix.ami.link import AmiSettings
from ami_planfix.ami.listening import Heard
from ami_planfix.ami.pacing import Pacing
from ami_planfix.calls.events import Event, Snapshot
from ami_planfix.demo.asterisk import Asterisk

PATIENCE = 10.0
"""Seconds after which a test that waits has failed."""

QUICK = Pacing(first=0.01, most=0.02, refused_first=0.05, refused_most=0.1)


class Diary:
    """A listener that writes down what it is told, in order."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.batches: list[list[Heard]] = []
        self.snapshots: list[Snapshot] = []
        self.on_heard: Callable[[list[Heard]], None] = lambda batch: None
        self._changed = asyncio.Event()

    @property
    def events(self) -> list[Event]:
        return [heard.event for batch in self.batches for heard in batch]

    def heard(self, batch: list[Heard]) -> None:
        self._write(*[type(heard.event).__name__ for heard in batch])
        self.batches.append(batch)
        self.on_heard(batch)

    def connected(self, since: float) -> None:
        self._write("connected")

    def resync(self, snapshot: Snapshot) -> None:
        self._write("resync")
        self.snapshots.append(snapshot)

    def lost(self, at: float) -> None:
        self._write("lost")

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds, looked at after each entry."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def _write(self, *entries: str) -> None:
        self.entries += entries
        self._changed.set()


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something holds that nobody announces."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (nobody announces it)
            await asyncio.sleep(0.001)


@asynccontextmanager
async def connected(
    asterisk: Asterisk,
    diary: Diary,
    *,
    pacing: Pacing = QUICK,
    silence: float = 30.0,
    patience: float = 5.0,
    secret: str = "secret",
    tls: ssl.SSLContext | None = None,
    wait: bool = True,
) -> AsyncIterator[Connection]:
    """Run a connection until the context ends."""
    settings = AmiSettings("127.0.0.1", asterisk.port, "ami-planfix", secret, tls, timeout=patience, silence=silence)
    connection = Connection(settings, diary, pacing)
    running = asyncio.create_task(connection.run())
    try:
        if wait:
            await diary.until(lambda: "resync" in diary.entries)
        yield connection
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def asterisk() -> AsyncIterator[Asterisk]:
    async with Asterisk() as embedded:
        yield embedded


@pytest.fixture
def diary() -> Diary:
    return Diary()
