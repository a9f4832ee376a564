"""The daemon: starts and stops the parts in order, and tells systemd how it goes.

Start: state, what the journal knows, listeners, Asterisk. Stop: no new clicks, no new events, what was heard
is written down, what is due is sent for a few seconds more; the rest waits in the outbox for the next start.
"""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from contextlib import suppress
from enum import StrEnum

import structlog

from ami_planfix import __version__
from ami_planfix.calls.tracker import is_compiled
from ami_planfix.config.model import Config
from ami_planfix.errors import AmiError, ConfigurationError, PlanfixError, StorageError, TokenRefused
from ami_planfix.gate import PART as PLANFIX
from ami_planfix.notify import ServiceManager
from ami_planfix.parts import Parts
from ami_planfix.planfix.messages import Ping
from ami_planfix.serving import Serving
from ami_planfix.setup import compare
from ami_planfix.starting import begin
from ami_planfix.status import Board, State
from ami_planfix.storage.notices import Topic

log = structlog.get_logger("ami_planfix.daemon")

RESYNC_EVERY = 180.0
"""Seconds between two looks at what Asterisk says exists."""
LOOK_EVERY = 1.0
GREET_AGAIN = 60.0
"""Seconds until a Planfix that was not reached at the start is greeted again."""
DRAIN = 4.0
"""Seconds that delivery gets at the end for what is due."""


class End(StrEnum):
    """How a run ended."""

    STOPPED = "stopped"
    RESTART = "restart"
    """Begin anew with the configuration as it is now."""


class Daemon:
    """One run of the daemon."""

    def __init__(self, config: Config, observe: bool = False) -> None:
        self.board = Board()
        self.started = asyncio.Event()
        self._config = config
        self._observe = observe
        self._manager = ServiceManager()
        self._ended: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._serving: Serving | None = None

    @property
    def server_port(self) -> int:
        """Tell where Planfix may call, once started; 0 if it cannot."""
        return self._serving.server_port if self._serving is not None else 0

    def end(self, how: End = End.STOPPED) -> None:
        """Have the run end; it takes seconds."""
        if not self._ended.done():
            self._ended.set_result(how)

    def reload(self, check: Callable[[], object]) -> None:
        """Begin anew if `check` finds no error in the configuration; else go on as before."""
        try:
            check()
        except ConfigurationError as fault:
            log.error("configuration not taken", problems=str(fault), consequence="all goes on as before")  # noqa: TRY400
            return
        self.end(End.RESTART)

    async def run(self) -> End:
        """Run until told to end. Raises ConfigurationError, StorageError, or the fault of a part."""
        log.info("starting", version=__version__, compiled=is_compiled(), observing=self._observe)
        try:
            begun = await begin(self._config, self._observe, self.board, self._manager, self._ended)
            if begun is not None:
                parts, stack = begun
                async with stack:
                    await self._serve(parts)
            how = await self._ended
        finally:
            self._manager.close()
        log.info("ended", how=how.value)
        return how

    async def _serve(self, parts: Parts) -> None:
        self._serving = serving = Serving(parts)
        await serving.start()
        try:
            self._start_all(parts)
            self._manager.ready()
            self.started.set()
            log.info("started")
            # What is there now stays: to look through it for garbage would take 40 ms each time.
            gc.collect()
            gc.freeze()
            how = await self._ended
            self._manager.ends(anew=how is End.RESTART)
        finally:
            gc.unfreeze()
            await self._stop(parts, serving)

    def _start_all(self, parts: Parts) -> None:
        self.board.listen(lambda _: self._manager.status(self.board.summary()))
        self._start("asterisk", parts.connection.run())
        self._start("pipeline", parts.pipeline.run())
        if not self._observe:
            self._start("presence", parts.presence.run(parts.connection))
            self._start("notices", parts.notices.run())
            self._start("settings", _take_settings(parts))
        self._start("delivery", parts.delivery.run())
        if parts.recordings is not None:
            self._start("recordings", parts.recordings.run())
        self._start("keeping", parts.keeping.run())
        self._start("retention", parts.retention.run())
        self._start("alerts", parts.watch.run())
        self._start("resync", _resync(parts))
        self._start("looking", _look(parts))
        self._start("watchdog", self._manager.watchdog(lambda: parts.writer.alive))
        if not self._observe:
            self._start("greeting", _greet(parts))

    def _start(self, name: str, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        """A part that fails takes the daemon along: systemd starts it anew, and the journal knows the calls."""
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None and not self._ended.done():
            self._ended.set_exception(fault)

    async def _stop(self, parts: Parts, serving: Serving) -> None:
        await serving.stop_server()
        await self._cancel({"asterisk", "resync", "greeting", "recordings", "presence"})
        await parts.records.stop()
        await parts.clicks.close()
        await parts.pipeline.stop()
        await parts.presence.end(parts.connection)
        await parts.delivery.stop(DRAIN)
        await self._cancel(None)
        await serving.stop()
        await parts.keeping.end()

    async def _cancel(self, names: set[str] | None) -> None:
        tasks = [task for task in self._tasks if names is None or task.get_name() in names]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _resync(parts: Parts) -> None:
    """Look every few minutes at what exists: an event may be lost without the connection being."""
    while True:
        await asyncio.sleep(RESYNC_EVERY)
        if parts.connection.status.connected_since is None:
            continue
        try:
            await parts.connection.resync()
        except AmiError as fault:
            log.warning("ami snapshot failed", error=str(fault))


async def _look(parts: Parts) -> None:
    """Tell the board how the connection is."""
    while True:
        status = parts.connection.status
        if status.connected_since is not None:
            parts.board.say("asterisk", State.WELL, status.asterisk)
        else:
            parts.board.say("asterisk", State.WAITING, status.last_error or "connecting")
        await asyncio.sleep(LOOK_EVERY)


async def _take_settings(parts: Parts) -> None:
    """Take what other daemons on this PBX were told: another account, another key of links, other phones."""
    changed = asyncio.Event()
    parts.notices.listen(Topic.SETTINGS, changed.set)
    while True:
        await changed.wait()
        changed.clear()
        try:
            await parts.account.load()
            await parts.phones.load()
            if parts.recordings is not None:
                await parts.recordings.links.refresh()
        except StorageError as fault:
            log.warning("settings not read", error=str(fault), again="when the database is reached again")


async def _greet(parts: Parts) -> None:
    """Find out at once, not at the first call, whether Planfix knows us and we it; again after each `setup`."""
    changed = asyncio.Event()
    parts.account.listen(changed.set)
    while True:
        changed.clear()
        known = parts.account.credentials() is not None
        reached = not known or await _is_greeted(parts)
        with suppress(TimeoutError):
            async with asyncio.timeout(None if reached else GREET_AGAIN):
                await changed.wait()


async def _is_greeted(parts: Parts) -> bool:
    """Greet Planfix; False if it did not answer."""
    try:
        told: Ping = await parts.api.ping()
    except TokenRefused as fault:
        parts.delivery.halt(fault)
        return True
    except PlanfixError as fault:
        log.warning("planfix not reached", error=str(fault), again_in=GREET_AGAIN)
        parts.board.say(PLANFIX, State.WAITING, str(fault))
        return False
    log.info("planfix reached")
    parts.board.say(PLANFIX, State.WELL, "knows our token")
    if (server := parts.config.server) is not None:
        compare(told, server.token.get_secret_value(), server.public_url)
    return True
