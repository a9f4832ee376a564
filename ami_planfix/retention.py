"""Removes what has been kept long enough, in steps so small that no report waits for it."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from ami_planfix.errors import StorageError
from ami_planfix.journal import Journal
from ami_planfix.outbox import Outbox
from ami_planfix.presence import Presence
from ami_planfix.storage.database import Database

log = structlog.get_logger("ami_planfix.retention")

EVERY = 3600.0
"""Seconds between two cleanings."""
STEP = 100
"""Rows of one transaction."""
BREATH = 0.05
"""Seconds between two of them."""
DAY = 86400.0

Removal = Callable[[AsyncConnection, float, int], Awaitable[int]]


class Retention:
    """Keeps settled reports and the timelines of calls for so many days."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        presence: Presence,
        reports_days: int,
        timeline_days: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._kept: tuple[tuple[str, Removal, float], ...] = (
            ("reports", outbox.remove_old, reports_days * DAY),
            ("timelines", Journal(outbox.pbx).remove_old, timeline_days * DAY),
            ("presence", presence.remove_old, reports_days * DAY),
        )
        self._clock = clock

    async def run(self) -> None:
        """Clean every hour, until cancelled."""
        while True:
            try:
                await self.clean()
            except StorageError as fault:
                log.warning("old rows not removed", error=str(fault), again_in=EVERY)
            await asyncio.sleep(EVERY)

    async def clean(self) -> None:
        """Remove all that is too old; raise StorageError."""
        for what, remove, age in self._kept:
            before, removed = self._clock() - age, 0
            while True:
                async with self._database.write() as connection:
                    step = await remove(connection, before, STEP)
                removed += step
                if step < STEP:
                    break
                await asyncio.sleep(BREATH)
            if removed:
                log.info("old rows removed", kind=what, rows=removed)
