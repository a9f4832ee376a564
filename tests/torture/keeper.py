"""Keeps a daemon running as systemd does, ends it on request, and remembers when it ended and how."""

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.daemon_process import Home, Notices, command_of

RESTART = 2.0
"""Seconds until what ended by itself is started again (`RestartSec` of the unit)."""
PATIENCE = 60.0
"""Seconds that a start and an end may take."""


class How(StrEnum):
    """How a daemon ended."""

    KILLED = "killed"
    TOLD = "told"
    BY_ITSELF = "by itself"


@dataclass
class End:
    """An end; times in seconds since the epoch."""

    how: How
    begun: float
    """When it was told, or found dead."""
    over: float
    status: int = 0
    said: str = ""
    """The last lines of its log, if it ended by itself."""


class Keeper:
    """One daemon, through all its lives."""

    def __init__(self, home: Home, environment: Mapping[str, str], log: Path) -> None:
        self.home = home
        self.ends: list[End] = []
        self.log = log
        self._environment = {**os.environ, **environment, "NOTIFY_SOCKET": str(home.folder / "notify.sock")}
        self._process: asyncio.subprocess.Process | None = None
        self._notices: Notices | None = None
        self._watching: asyncio.Task[None] | None = None
        self._busy = asyncio.Lock()

    async def start(self) -> None:
        """Run the daemon; return when it is ready."""
        self._notices = await Notices.at(self.home.folder / "notify.sock")
        await self._run()
        await self._ready()

    async def kill(self, pause: float) -> None:
        """Kill it without a warning, and start it again after so many seconds."""
        async with self._busy:
            await self._end(signal.SIGKILL, How.KILLED)
            await asyncio.sleep(pause)
            await self._run()
        await self._ready()

    async def restart(self, pause: float) -> None:
        """Tell it to end, and start it again after so many seconds."""
        async with self._busy:
            await self._end(signal.SIGTERM, How.TOLD)
            await asyncio.sleep(pause)
            await self._run()
        await self._ready()

    async def reload(self) -> None:
        """Tell it to begin anew."""
        async with self._busy:
            process = self._running()
            begun = time.time()
            process.send_signal(signal.SIGHUP)
        await self._ready()
        self.ends.append(End(How.TOLD, begun, time.time()))

    async def stop(self) -> int:
        """Tell it to end for good; its exit status."""
        async with self._busy:
            status = await self._end(signal.SIGTERM, How.TOLD)
        if self._notices is not None:
            self._notices.close()
        return status

    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "not started"
        return self._process

    async def _run(self) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command_of(self.home), stderr=log, env=self._environment
            )
        self._watching = asyncio.create_task(self._watch(self._process))

    async def _ready(self) -> None:
        """Wait until it is ready, however often it must be started for that; never mind if that takes too long."""
        assert self._notices is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._notices.told("READY=1")

    async def _end(self, number: signal.Signals, how: How) -> int:
        process = self._running()
        if self._watching is not None:
            self._watching.cancel()
        begun = time.time()
        with suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            async with asyncio.timeout(PATIENCE):
                status = await process.wait()
        except TimeoutError:
            process.kill()
            status = await process.wait()
            how = How.BY_ITSELF
        said = self._last_words() if how is How.BY_ITSELF or (how is How.TOLD and status) else ""
        self.ends.append(End(how, begun, time.time(), status, said))
        return status

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Start it again if it ends by itself."""
        status = await process.wait()
        async with self._busy:
            if process is not self._process:
                return
            now = time.time()
            self.ends.append(End(How.BY_ITSELF, now, now, status, self._last_words()))
            await asyncio.sleep(RESTART)
            await self._run()

    def _last_words(self) -> str:
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 3000))
            return log.read().decode(errors="replace")
