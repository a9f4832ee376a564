"""The alerts that there are, kept in storage: a restart of the daemon tells nothing twice, and forgets no end."""

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import replace

import structlog
from pydantic import TypeAdapter

from ami_planfix.alerts.deciding import REMEMBERED, Alert
from ami_planfix.alerts.looking import Trouble
from ami_planfix.errors import StorageError
from ami_planfix.storage.settings import Settings

log = structlog.get_logger("ami_planfix.alerts")

SHARED = "alerts"
GIVEN_UP = 24 * 3600.0
"""Seconds after its end for which an alert is worth telling."""
_ALERTS = TypeAdapter(list[Alert])


def own(owner: str) -> str:
    """Name the book of one daemon among those that share a database."""
    return f"{SHARED}.{hashlib.sha256(owner.encode()).hexdigest()[:16]}"


class Book:
    """Alerts of the same daemons; while storage is in trouble memory has them."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.alerts: dict[Trouble, Alert] = {}
        self._settings = settings
        self._name = name
        self._is_read = False
        self._is_written = True
        self._turn = asyncio.Lock()

    def close(self) -> None:
        """Leave it to another daemon; it is read anew before it is used again."""
        self._is_read = False
        self.alerts = {}

    async def open(self) -> None:
        """Read it, unless that was done; what storage cannot tell, nobody knows."""
        if self._is_read:
            return
        try:
            text = (await self._settings.read((self._name,))).get(self._name, "[]")
            known = {alert.trouble: alert for alert in _ALERTS.validate_json(text)}
            self.alerts = known | self.alerts
        except StorageError as fault:
            log.warning("alerts not read", error=str(fault))
            return
        except ValueError:
            log.warning("alerts not understood", consequence="what is wrong is told anew")
        self._is_read = True

    async def take(self, changed: Iterable[Alert], ways: Iterable[str], now: float) -> None:
        """Note alerts that began or ended, before anybody is told."""
        for alert in changed:
            done = alert.until is not None and not list(ways)
            self.alerts[alert.trouble] = replace(alert, settled=True) if done else alert
            self._is_written = False
        for alert in list(self.alerts.values()):
            self._tidy(alert, now)
        await self.write()

    async def told(self, alert: Alert, way: str, ways: Iterable[str]) -> None:
        """Note that a way has told of an alert as it was."""
        current = self.alerts.get(alert.trouble)
        if current is None or current.since != alert.since:
            return  # another one by now
        self.alerts[alert.trouble] = current.told(way, alert.stage, ways)
        self._is_written = False
        await self.write()

    async def write(self) -> None:
        """Write what has changed; if that fails, at the next turn."""
        async with self._turn:
            if self._is_written or not self._is_read:
                return
            self._is_written = True
            try:
                await self._settings.write({self._name: _ALERTS.dump_json(list(self.alerts.values())).decode()})
            except StorageError as fault:
                self._is_written = False
                log.debug("alerts not written", error=str(fault))

    def owed(self, way: str) -> Alert | None:
        """Find what a way has to tell first."""
        owed = [alert for alert in self.alerts.values() if alert.owes(way)]
        return min(owed, key=lambda alert: alert.until or alert.since, default=None)

    def _tidy(self, alert: Alert, now: float) -> None:
        ended = now - alert.until if alert.until is not None else 0.0
        if not alert.settled and ended > GIVEN_UP:
            log.error("alert not told", trouble=alert.trouble.value, remedy="`ami-planfix alerts test`")
            self.alerts[alert.trouble] = replace(alert, settled=True)
            self._is_written = False
        elif alert.settled and ended > REMEMBERED:
            del self.alerts[alert.trouble]
            self._is_written = False
