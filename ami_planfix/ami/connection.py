"""Asterisk as long as the daemon lives: stay connected, notice silence, back off, say what exists."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import NamedTuple

import structlog

from ami_planfix.ami import snapshot
from ami_planfix.ami.asking import Asking
from ami_planfix.ami.link import AmiSettings, Link, open_link
from ami_planfix.ami.listening import Ears, Listener
from ami_planfix.ami.pacing import Pacing
from ami_planfix.calls.events import Snapshot
from ami_planfix.errors import AmiError, LoginRefused

log = structlog.get_logger("ami_planfix.ami")


class Status(NamedTuple):
    """How the connection is, for the status page and the metrics; times in seconds since the epoch."""

    connected_since: float | None = None
    attempts: int = 0
    """Attempts to connect since the daemon began."""
    last_error: str = ""
    asterisk: str = ""
    """`22.10.0`; empty until Asterisk said so."""
    synced_at: float | None = None
    """When the last snapshot of this connection was taken; None if none was."""
    heard_at: float | None = None
    """When Asterisk was last heard, also on a connection that is gone."""
    lost_at: float | None = None
    """Until when Asterisk was heard on the last connection that is gone."""
    bytes_read: int = 0
    messages_read: int = 0

    @property
    def is_synced(self) -> bool:
        """Tell whether this connection's first snapshot has been taken."""
        return self.connected_since is not None and self.synced_at is not None


class Connection(Asking):
    """Asterisk's manager interface, as long as the daemon lives."""

    def __init__(
        self,
        settings: AmiSettings,
        listener: Listener,
        pacing: Pacing | None = None,
        greet: Callable[["Connection"], Awaitable[None]] | None = None,
    ) -> None:
        """`greet` asks on each new connection what must be known before the first snapshot is told."""
        super().__init__(settings, Ears(listener, self._booted))
        self._greeting = greet
        self._pacing = pacing or Pacing()
        self._paused = False
        self._syncing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._status = Status()

    @property
    def status(self) -> Status:
        """Tell how the connection is."""
        ears, heard_at = self._ears, self._status.heard_at
        if self._link is not None:
            heard_at = self._heard_at(self._link)
        return self._status._replace(heard_at=heard_at, bytes_read=ears.bytes_read, messages_read=ears.messages_read)

    async def run(self) -> None:
        """Connect, listen, and connect again, until cancelled."""
        failures = refusals = 0
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            try:
                error = await self._live()
            except AmiError as failed:
                error = failed
            self._status = self._status._replace(last_error=str(error))
            failures = 1 if loop.time() - begun >= self._pacing.steady else failures + 1
            chance = random.random()  # noqa: S311 (no secret depends on it)
            if isinstance(error, LoginRefused):
                refusals += 1
                pause = self._pacing.after_refusal(refusals, chance)
                log.error("ami login refused", error=str(error), again_in=round(pause, 1))
            else:
                refusals = 0
                pause = self._pacing.after_failure(failures, chance)
                log.warning("ami not connected", error=str(error), again_in=round(pause, 1))
            await asyncio.sleep(pause)

    async def resync(self, settle: float = 1.0) -> Snapshot:
        """Tell the listener what exists, and return it; `settle` as in `snapshot.take`."""
        async with self._syncing:
            taken = await snapshot.take(self, self._ears.resync, settle)
        self._status = self._status._replace(synced_at=time.time())  # `taken.at` is by Asterisk's clock
        return taken

    def pause(self) -> None:
        """Read no more until `resume`; Asterisk keeps what comes, for a while."""
        self._paused = True
        if self._link is not None:
            self._link.set_reading(False)

    def resume(self) -> None:
        """Read on."""
        self._paused = False
        if self._link is not None:
            self._link.set_reading(True)

    def _heard_at(self, link: Link) -> float:
        return time.time() - (asyncio.get_running_loop().time() - link.heard_at)

    async def _live(self) -> AmiError:
        """Connect and stay so; return why it ended. Raises AmiError if it never began."""
        self._status = self._status._replace(attempts=self._status.attempts + 1)
        link = await open_link(self._settings, self._ears)
        self._link = link
        if self._paused:
            link.set_reading(False)
        self._status = self._status._replace(connected_since=time.time(), synced_at=None, last_error="")
        log.info("ami connected", host=self._settings.host, port=self._settings.port, banner=link.banner)
        self._start(self._greet())
        self._start(self._watch(link))
        try:
            error = await asyncio.shield(link.gone)
            self._ears.lost(time.time())
            return error
        finally:
            self._link = None
            heard = self._heard_at(link)
            self._status = self._status._replace(connected_since=None, heard_at=heard, lost_at=heard)
            for task in self._tasks:
                task.cancel()
            link.close()

    async def _greet(self) -> None:
        """Ask a new connection for what it does not say by itself."""
        try:
            core = await self.act("CoreSettings")
            self._status = self._status._replace(asterisk=core.get("AsteriskVersion"))
        except AmiError as error:
            log.info("asterisk version unknown", error=str(error))
        if self._greeting is not None:
            await self._greeting(self)
        await self._resync_or_say_so(settle=0)

    async def _resync_or_say_so(self, settle: float) -> None:
        try:
            await self.resync(settle)
        except AmiError as error:
            log.warning(
                "ami snapshot failed",
                error=str(error),
                consequence="calls that ended unheard stay open until one succeeds",
            )

    def _booted(self) -> None:
        """Ask again after Asterisk has booted: before, it has not had everything."""
        # It also comes at each login, just before the first snapshot, and changes nothing then.
        if self._link is not None and self._status.is_synced:
            self._ears.connected(time.time())
            self._start(self._resync_or_say_so(settle=1.0))

    async def _watch(self, link: Link) -> None:
        """Notice silence: what says nothing must answer a ping."""
        silence = self._settings.silence
        while True:
            quiet = asyncio.get_running_loop().time() - link.heard_at
            if self._paused or quiet < silence:
                await asyncio.sleep(silence if self._paused else silence - quiet)
                continue
            before = link.heard_at
            try:
                await self.act("Ping", within=self._settings.timeout)
            except AmiError:
                if link.heard_at == before and not self._paused:
                    link.drop(
                        AmiError(f"{self._settings.where} fell silent: nothing heard, and a ping was not answered")
                    )
                    return

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("ami task failed", exc_info=error)
