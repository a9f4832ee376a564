"""The writer: what was heard and concluded goes to the disk, journal and outbox in one transaction.

While one batch is being written the next one gathers, so that a quiet PBX gets each report written at once and a busy
one gets few large transactions. What brought no report waits a moment for more: nobody does, and a transaction costs
more than many rows.

The database fails: nothing is lost that memory holds, and it is tried again until it works. Memory is bounded:
over `MOST_ROWS` waiting messages these are given up (a restart in that state follows calls from what Asterisk
says exists; reports suffer nothing); over `MOST_WAITING` reports, or when writing is merely too slow, Asterisk is
read no further until there is room.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from typing import Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from ami_planfix.batch import Batch, Gathering
from ami_planfix.calls.reports import CallId, Direction, Outcome, Report
from ami_planfix.errors import StorageError
from ami_planfix.journal import Journal
from ami_planfix.metrics import written_histogram
from ami_planfix.outbox import Outbox
from ami_planfix.storage.database import Database

log = structlog.get_logger("ami_planfix.writing")

MOST_WAITING = 20_000
"""Reports and messages that wait to be written, about 20 MB; over it Asterisk is read no further."""
ENOUGH_ROOM = 2_000
"""As few of them as must be left before it is read again."""
MOST_ROWS = 50_000
"""Messages that wait while the database fails, about 50 MB."""
SLOW = 1.0
"""Seconds after which a write that has not ended counts as stuck."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds until a failing database is tried again."""


class Source(Protocol):
    """What can be read no further for a while: the connection to Asterisk."""

    def pause(self) -> None:
        """Read no more until `resume`."""

    def resume(self) -> None:
        """Read again."""


Take = Callable[[AsyncConnection, Sequence[Report]], Awaitable[None]]
"""Does more about reports, in the transaction in which they are put into the outbox."""

Companion = Callable[[], AbstractAsyncContextManager[Take]]
"""Who does that, and goes on from there once the transaction is over: it is open round each."""


class Writer:
    """Writes batches in their order."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        companions: Sequence[Companion] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.ended: Counter[tuple[Direction, Outcome]] = Counter()
        """Parts of calls that ended."""
        self.delay = written_histogram()
        """From the event that caused a report until it is on disk."""
        self.journal = Journal(outbox.pbx, outbox.owner)
        """What is to be told again after a restart."""
        self._database = database
        self._outbox = outbox
        self._companions = companions
        self._clock = clock
        self._unwritten = Gathering()
        self._source: Source | None = None
        self._paused = self._failing = False
        self._writing_since: float | None = None
        self._woken = asyncio.Event()
        self._hurried = asyncio.Event()
        self._running = self._stopping = self._cut = False
        self._ended = asyncio.Event()

    def attach(self, source: Source) -> None:
        """Say what is to be paused when too much waits."""
        self._source = source

    @property
    def alive(self) -> bool:
        """Tell whether it still writes what it gets, or says why it cannot."""
        return not self._ended.is_set() and self._writes_for() <= self._database.patience

    def is_stuck(self) -> bool:
        """Tell whether the database takes nothing just now."""
        return self._failing or self._writes_for() > SLOW

    @property
    def backlog(self) -> int:
        """Tell how many reports and messages wait to be written."""
        return len(self._unwritten)

    @property
    def waiting(self) -> Batch:
        """What is to be written next; after adding to it, `wake`."""
        return self._unwritten.waiting

    def wake(self) -> None:
        """Write what is `waiting`, as soon as that before it is written."""
        if self._failing and self._unwritten.rows > MOST_ROWS:
            self._unwritten.give_rows_up()
            log.error("journal given up", consequence="a restart now would follow calls from what Asterisk says")
        self._hold_back()
        if self.backlog:
            self._woken.set()
        self._unwritten.look()

    async def told(self, callids: Iterable[CallId]) -> list[Report]:
        """Tell what is written of these calls; raise StorageError."""
        async with self._database.read() as connection:
            return await self._outbox.reports(connection, callids)

    async def all_written(self) -> None:
        """Wait until all is written that waits now."""
        await self._unwritten.written()

    async def run(self) -> None:
        """Write until `stop`."""
        self._running = True
        pause = FIRST_PAUSE
        try:
            while not (self._stopping and (self._cut or not self.backlog)):
                await self._woken.wait()
                self._woken.clear()
                while self.backlog and not self._cut:
                    await self._unwritten.linger()
                    try:
                        await self.write()
                    except StorageError as fault:
                        self._failing = True
                        log.debug("nothing written", error=str(fault), waiting=self.backlog, again_in=pause)
                        await self._rest(pause)
                        pause = min(2 * pause, LONGEST_PAUSE)
                    else:
                        pause = FIRST_PAUSE
        finally:
            self._ended.set()

    async def stop(self, limit: float) -> None:
        """Write what there is, then end; give up after `limit` seconds if the database still fails."""
        self._stopping = True
        self._hurry()
        if not self._running:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._ended.wait()
        if not self._ended.is_set():
            log.error("heard and not written", reports=self._unwritten.reports, remedy="see the error before")
            self._cut = True
            self._hurry()
            await self._ended.wait()

    async def write(self) -> None:
        """Write all that waits, now; raise StorageError, and keep it."""
        self._writing_since = time.monotonic()
        try:
            async with AsyncExitStack() as stack:
                takes = [await stack.enter_async_context(companion()) for companion in self._companions]
                connection = await stack.enter_async_context(self._database.write())
                reports = await self._write(connection, takes)
        finally:
            self._writing_since = None
        self._unwritten.put_down()
        self._failing = False
        self._hold_back()
        self._count(reports)

    async def _write(self, connection: AsyncConnection, takes: Iterable[Take]) -> list[Report]:
        self._unwritten.gather()
        batch = self._unwritten.in_hand
        await self.journal.write(connection, batch.rows, batch.gone)
        if batch.reports:
            await self._outbox.put(connection, batch.reports, self._clock() + self._database.skew)
            for take in takes:
                await take(connection, batch.reports)
        return batch.reports

    def _writes_for(self) -> float:
        """Tell for how many seconds a batch has been being written."""
        return 0.0 if self._writing_since is None else time.monotonic() - self._writing_since

    def _hold_back(self) -> None:
        """Pause or resume the source, by how much waits."""
        size = self._unwritten.reports if self._failing else self.backlog
        if not self._paused and size > MOST_WAITING:
            self._paused = True
            log.warning("too much waits to be written", waiting=size, consequence="Asterisk is read no further")
            if self._source is not None:
                self._source.pause()
        elif self._paused and size <= ENOUGH_ROOM:
            self._paused = False
            log.info("read again")
            if self._source is not None:
                self._source.resume()

    def _count(self, reports: Iterable[Report]) -> None:
        if not self._running:
            return  # they come out once more, at a restart
        now = self._clock()
        for report in reports:
            self.delay.observe(max(0.0, now - report.at))
            if report.outcome is not None:
                self.ended[report.direction, report.outcome] += 1

    def _hurry(self) -> None:
        self._woken.set()
        self._unwritten.press()
        self._hurried.set()

    async def _rest(self, pause: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._hurried.wait()
        self._hurried.clear()
