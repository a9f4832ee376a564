"""Tells systemd how we are (sd_notify): ready, what is going on, and that we are alive; silent without it."""

import asyncio
import os
from collections.abc import Callable

import sdnotify
import structlog

log = structlog.get_logger("ami_planfix.notify")

_MICROSECONDS = 1_000_000
_LONGEST_STATUS = 400


class ServiceManager:
    """What systemd is told."""

    def __init__(self) -> None:
        # Without a socket it would make one, and leave it open.
        self._notifier = sdnotify.SystemdNotifier() if os.environ.get("NOTIFY_SOCKET") else None

    def ready(self) -> None:
        """Say that the daemon has started, or started anew after a reload."""
        self._say("READY=1")

    def still_starting(self, why: str, seconds: int) -> None:
        """Say that the start is not over because of something, and that nobody is to worry for so long."""
        self.status(why)
        self._say(f"EXTEND_TIMEOUT_USEC={seconds * _MICROSECONDS}")

    def ends(self, anew: bool) -> None:
        """Say that the daemon ends, or begins anew."""
        self._say("RELOADING=1" if anew else "STOPPING=1")

    def status(self, text: str) -> None:
        """Say in one line how the parts are (`systemctl status` shows it)."""
        self._say("STATUS=" + " ".join(text.split())[:_LONGEST_STATUS])

    def close(self) -> None:
        """Say nothing any more."""
        if self._notifier is not None and self._notifier.socket is not None:
            self._notifier.socket.close()
        self._notifier = None

    async def watchdog(self, alive: Callable[[], bool]) -> None:
        """Say so as long as `alive` does, twice in the time that systemd waits; until cancelled."""
        within = _watchdog_seconds()
        if within is None:
            return
        while True:
            if alive():
                self._say("WATCHDOG=1")
            else:
                log.error("watchdog not fed", remedy="systemd restarts the daemon; no report is lost")
            await asyncio.sleep(within / 3)

    def _say(self, word: str) -> None:
        if self._notifier is not None:
            # It writes Latin-1, systemd reads UTF-8.
            self._notifier.notify(word.encode().decode("latin-1"))


def _watchdog_seconds() -> float | None:
    """Tell systemd's patience (`WatchdogSec`), None if it has none with this process."""
    text = os.environ.get("WATCHDOG_USEC", "")
    whose = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not text.isdigit() or int(text) == 0 or whose != str(os.getpid()):
        return None
    return int(text) / _MICROSECONDS
