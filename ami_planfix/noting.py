"""Writes down at once what became of reports: what is not noted yet when a daemon dies is sent again.

Results that come while others are being written go into the next transaction. The database fails: they are kept, and
written when it works again.
"""

import asyncio
from collections.abc import Callable

import structlog

from ami_planfix.entries import Result
from ami_planfix.errors import StorageError
from ami_planfix.outbox import Outbox
from ami_planfix.storage.database import Database

log = structlog.get_logger("ami_planfix.delivery")

STORAGE_PAUSE = 1.0
"""Seconds until the database is tried again."""


class Notebook:
    """Results until they are written; `written` is called each time that some are."""

    def __init__(
        self, database: Database, outbox: Outbox, clock: Callable[[], float], written: Callable[[], None]
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._clock = clock
        self._written = written
        self._results: list[Result] = []
        self._in_hand: list[Result] = []
        self._hasten = False
        self._new = asyncio.Event()

    def add(self, result: Result) -> None:
        """Note what became of a row."""
        self._results.append(result)
        self._new.set()

    def hasten(self) -> None:
        """Note that what waits for another attempt is due now."""
        self._hasten = True
        self._new.set()

    @property
    def is_empty(self) -> bool:
        """Tell whether all is written."""
        return not (self._results or self._in_hand)

    @property
    def rows(self) -> set[int]:
        """Tell of which rows something is not written yet."""
        return {result.id for result in self._results + self._in_hand}

    async def run(self) -> None:
        """Write, until cancelled."""
        while True:
            await self._new.wait()
            self._new.clear()
            try:
                await self.write()
            except StorageError as fault:
                log.debug("results not written", error=str(fault), again_in=STORAGE_PAUSE)
                await asyncio.sleep(STORAGE_PAUSE)
                self._new.set()

    async def write(self) -> None:
        """Write what there is; raise StorageError, and keep it."""
        self._in_hand += self._results
        self._results = []
        hasten, self._hasten = self._hasten, False
        try:
            async with self._database.write() as connection:
                await self._outbox.settle(connection, self._in_hand, self._clock())
                if hasten:
                    await self._outbox.hasten(connection, self._clock())
        except BaseException:
            self._hasten |= hasten
            raise
        self._in_hand = []
        self._written()
