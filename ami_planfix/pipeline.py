"""The pipeline: event -> tracker -> journal and outbox in one transaction; nothing lost, nothing twice.

The tracker runs at once, as events are heard. What it concluded is gathered, and written as a whole: while one
batch is being written the next one gathers, so that a quiet PBX gets each report written at once and a busy one
gets few large transactions. What brought no report waits a moment for more: nobody does, and a transaction costs more
than many rows.

The database fails: nothing is lost that memory holds, and it is tried again until it works. Memory is bounded:
over `MOST_ROWS` waiting messages these are given up (a restart in that state follows calls from what Asterisk
says exists; reports suffer nothing); over `MOST_WAITING` reports, or when writing is merely too slow, Asterisk is
read no further until there is room.

Several daemons may follow the same PBX. Whoever connects takes what the others heard meanwhile (`joining`), then what
came since: until then what is heard waits. Calls that go on then are left to the others (`following`).
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from ami_planfix.ami.listening import Heard
from ami_planfix.batch import Batch, Gathering
from ami_planfix.calls.events import Event, Snapshot
from ami_planfix.calls.reports import CallId, Direction, Outcome, Report, Silence
from ami_planfix.calls.tracker import Conclusion, Tracker
from ami_planfix.errors import StorageError
from ami_planfix.following import Following, Withheld, stand_back
from ami_planfix.joining import Learned, OwnEar, learn
from ami_planfix.journal import Journal, Row, Scribe
from ami_planfix.metrics import written_histogram
from ami_planfix.outbox import Outbox
from ami_planfix.storage.database import Database

log = structlog.get_logger("ami_planfix.pipeline")

MOST_WAITING = 20_000
"""Reports and messages that wait to be written, about 20 MB; over it Asterisk is read no further."""
ENOUGH_ROOM = 2_000
"""As few of them as must be left before it is read again."""
MOST_ROWS = 50_000
"""Messages that wait while the database fails, about 50 MB."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds until a failing database is tried again."""
JOIN_WITHIN = 3.0
"""Seconds for which what is heard may wait until it is known what others heard before."""
REPLAYED_AT_ONCE = 200
_FAULT = "report this as a fault of ami-planfix"


class Source(Protocol):
    """What can be read no further for a while: the connection to Asterisk."""

    def pause(self) -> None:
        """Read no more until `resume`."""

    def resume(self) -> None:
        """Read again."""


Noting = Callable[[AsyncConnection, Iterable[Report]], Awaitable[None]]
"""Writes down more about reports, in the transaction in which they are put into the outbox."""

Written = Callable[[Iterable[Report]], None]


class Pipeline:
    """What the connection to Asterisk tells (`ami.listening.Listener`); `written` is called after reports were."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        tracker: Tracker,
        written: Written,
        clock: Callable[[], float] = time.time,
        noting: Noting | None = None,
    ) -> None:
        self.silences: Counter[Silence] = Counter()
        """Calls that ended without a report, by reason."""
        self.ended: Counter[tuple[Direction, Outcome]] = Counter()
        """Parts of calls that ended."""
        self.delay = written_histogram()
        """From the event that caused a report until it is on disk."""
        self._database = database
        self._journal = Journal(outbox.pbx, outbox.owner)
        self._outbox = outbox
        self._tracker = tracker
        self.written = written
        """Tells whoever it concerns that reports were written."""
        self._noting = noting
        self._clock = clock
        self._scribe = Scribe()
        self._heard_until = 0.0
        """When the last event happened that we know of."""
        self._held: list[Heard | Snapshot] | None = None
        """What waits until we have learned what others heard before it."""
        self._joining: asyncio.Task[None] | None = None
        self._ahead: frozenset[bytes] = frozenset()
        self._following = Following(database, outbox.pbx)
        self._withheld = Withheld()
        self._standing_back: asyncio.Task[None] | None = None
        self._leaving: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._leaving.set_result(None)
        self._snapshot_due = False
        """The first snapshot after joining tells of calls that others know better."""
        self._source: Source | None = None
        self._paused = False
        self._unwritten = Gathering()
        self._writing_since: float | None = None
        self._woken = asyncio.Event()
        self._idle = asyncio.Event()
        """All that was taken is written."""
        self._idle.set()
        self._hurried = asyncio.Event()
        self._settled: set[CallId] = set()
        self._running = self._stopping = self._cut = self._failing = False
        self._ended = asyncio.Event()

    def attach(self, source: Source) -> None:
        """Say what is to be paused when too much waits."""
        self._source = source

    @property
    def alive(self) -> bool:
        """Tell whether it still writes what it hears, or says why it cannot."""
        stuck = self._writing_since is not None and time.monotonic() - self._writing_since > self._database.patience
        return not self._ended.is_set() and not stuck

    @property
    def backlog(self) -> int:
        """Tell how many reports and messages wait to be written."""
        return len(self._unwritten)

    # What the connection tells

    def heard(self, batch: Iterable[Heard]) -> None:
        """Take events, in order."""
        if self._held is not None:
            self._held += batch
            return
        for one in batch:
            self._hear(one)
        self._wake()

    def resync(self, snapshot: Snapshot) -> None:
        """Take what exists, in order with the events."""
        if self._held is not None:
            self._held.append(snapshot)
            return
        self._see(snapshot)
        self._wake()

    def settle(self, callids: Iterable[CallId]) -> None:
        """Take note that all is reported of these calls, which ended unheard: the next snapshot adds nothing."""
        self._settled.update(callids)

    def connected(self) -> None:
        """Take note that Asterisk knows us: what others heard meanwhile comes first, then the snapshot that follows."""
        if self._joining is None:
            self._held = []
            self._joining = asyncio.create_task(self._join())

    def lost(self, at: float) -> None:
        """Take note that nothing is heard: calls stay as they are until the next snapshot."""
        self._leaving = asyncio.create_task(self._following.end())

    # Start, run, stop

    async def restore(self) -> None:
        """Follow again the calls that went on when the last run ended; raise StorageError.

        Their reports come out once more and are recognized by their identity: what the outbox has, it keeps.
        """
        async with self._database.read() as connection:
            heard = await self._journal.live(connection, self._clock())
        await self._replay(heard)
        log.info("calls followed again", events=len(heard), calls=len(self._tracker.live()))
        self._unwritten.gather()
        await self._write()

    async def run(self) -> None:
        """Write what is heard until `stop`."""
        self._running = True
        pause = FIRST_PAUSE
        try:
            while not (self._stopping and (self._cut or not self.backlog)):
                await self._woken.wait()
                self._woken.clear()
                while self.backlog and not self._cut:
                    await self._unwritten.linger()
                    self._unwritten.gather()
                    try:
                        await self._write()
                    except StorageError as fault:
                        self._failing = True
                        log.debug("nothing written", error=str(fault), waiting=self.backlog, again_in=pause)
                        await self._rest(pause)
                        pause = min(2 * pause, LONGEST_PAUSE)
                    else:
                        pause = FIRST_PAUSE
                if not self.backlog:
                    self._idle.set()
        finally:
            await self._following.end()
            self._ended.set()

    async def stop(self, limit: float = 5.0) -> None:
        """Write what was heard, then end; give up after `limit` seconds if the database still fails."""
        self._stopping = True
        for task in (self._joining, self._standing_back):
            if task is not None:
                task.cancel()
        if self._held is not None:
            self._let_go()
        self._woken.set()
        self._unwritten.press()
        self._hurried.set()
        if not self._running:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._ended.wait()
        if not self._ended.is_set():
            log.error("heard and not written", reports=self._unwritten.reports, remedy="see the error before")
            self._cut = True
            self._woken.set()
            self._hurried.set()
            await self._ended.wait()

    # What others heard

    async def _join(self) -> None:
        seniors = 1  # as long as it cannot be known; without a database nothing can be written either
        try:
            async with asyncio.timeout(JOIN_WITHIN):
                await self._leaving
                await self._following.begin()
                seniors = await self._following.seniors()
        except (StorageError, TimeoutError) as fault:
            _not_asked(fault)
        in_part = not await self._learn(self._heard_until) or seniors > 0
        self._joining = None
        self._withheld.takes_all = self._snapshot_due = in_part
        self._let_go()
        self._withheld.takes_all = False
        if in_part:
            self._leave_to_others(self._tracker.callids())

    async def _learn(self, since: float) -> bool:
        """Begin anew with all that is known of the calls that go on, if others know more; tell whether we could ask."""
        learned: Learned | None = None
        try:
            async with asyncio.timeout(JOIN_WITHIN):
                await self._idle.wait()
                learned = await learn(self._database, self._journal, since, self._own_ears)
        except StorageError as fault:
            _not_asked(fault)
            return False
        except TimeoutError as fault:
            _not_asked(fault)  # too slow to wait for: what we know is told
        except Exception:
            log.exception("others not asked", remedy=_FAULT)
        if learned is not None:
            silences = self.silences.copy()
            self._tracker.restart()
            self._scribe = Scribe()
            await self._replay(learned.heard)
            self.silences = silences
            self._ahead = learned.ahead
            log.info("heard what others heard", events=len(learned.heard), calls=len(self._tracker.live()))
        return True

    def _leave_to_others(self, calls: Iterable[CallId]) -> None:
        self._withheld.calls.update(calls)
        if self._standing_back is None:
            self._standing_back = asyncio.create_task(self._stand_back(self._heard_until))

    async def _stand_back(self, since: float) -> None:
        """Withhold reports of calls that we know in part, until nobody else follows them or they are over."""
        try:
            await stand_back(self._following, self._withheld, self._tracker.callids, partial(self._take_over, since))
        except Exception:
            log.exception("others not asked", remedy=_FAULT)
            self._unwritten.waiting.reports += self._withheld.emptied().reports
            self._wake()
        finally:
            self._standing_back = None

    async def _take_over(self, since: float) -> None:
        if self._held is not None:
            return  # connecting just now
        self._held, kept = [], self._withheld.emptied()  # what is learned stands before it, or instead of it
        if await self._learn(since):
            self._unwritten.waiting.reports += kept.reports
            log.info("calls taken over", reports=len(kept.reports))
        else:
            self._withheld.extend(kept)
        self._let_go()

    def _own_ears(self) -> list[OwnEar]:
        return [OwnEar(one.event.at, one.raw) for one in self._held or () if isinstance(one, Heard)]

    def _let_go(self) -> None:
        """Take what waited."""
        held, self._held = self._held or [], None
        for one in held:
            if isinstance(one, Snapshot):
                self._see(one)
            else:
                self._hear(one)
        self._wake()

    async def _replay(self, heard: Sequence[Event | Snapshot]) -> None:
        for number, one in enumerate(heard):
            if isinstance(one, Snapshot):
                self._scribe.resync_row(one)
                self._take(self._reconcile(one))
            else:
                self._scribe.event_row(one, b"")
                self._take(self._handle(one))
            if number % REPLAYED_AT_ONCE == REPLAYED_AT_ONCE - 1:
                await asyncio.sleep(0)
        self._heard_until = max((one.at for one in heard), default=self._heard_until)
        self.silences.clear()

    # From events to rows

    def _hear(self, one: Heard) -> None:
        if one.raw in self._ahead:
            return
        conclusion = self._handle(one.event)
        self._heard_until = one.event.at
        self._take(conclusion, self._scribe.event_row(one.event, one.raw) if conclusion.used else None)

    def _see(self, snapshot: Snapshot) -> None:
        due, self._snapshot_due = self._snapshot_due, False
        before = self._tracker.callids() if due else frozenset()
        taking, self._withheld.takes_all = self._withheld.takes_all, self._withheld.takes_all or due
        conclusion = self._reconcile(snapshot)
        left = tuple(report for report in conclusion.reports if report.callid not in self._settled)
        self._settled.clear()
        self._take(conclusion._replace(reports=left), self._scribe.resync_row(snapshot) if conclusion.used else None)
        self._withheld.takes_all = taking
        if due:
            self._leave_to_others(self._tracker.callids() - before)

    def _handle(self, event: Event) -> Conclusion:
        try:
            return self._tracker.handle(event)
        except Exception:
            log.exception("event not understood", kind=type(event).__name__, remedy=_FAULT)
            return Conclusion(used=True)

    def _reconcile(self, snapshot: Snapshot) -> Conclusion:
        try:
            return self._tracker.resync(snapshot)
        except Exception:
            log.exception("snapshot not understood", remedy=_FAULT)
            return Conclusion(used=True)

    def _take(self, conclusion: Conclusion, row: Row | None = None) -> None:
        if row is not None:
            self._unwritten.waiting.rows.append(row)
        if conclusion.gone:
            self._unwritten.waiting.gone += self._scribe.forget(conclusion.gone)
        self._unwritten.waiting.reports += self._withheld.sift(conclusion.reports)
        self.silences.update(conclusion.silences)

    def _wake(self) -> None:
        if self._failing and self._unwritten.rows > MOST_ROWS:
            self._unwritten.give_rows_up()
            log.error("journal given up", consequence="a restart now would follow calls from what Asterisk says")
        self._hold_back()
        if self.backlog:
            self._idle.clear()
            self._woken.set()
        self._unwritten.look()

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

    # From rows to the disk

    async def _write(self) -> None:
        batch = self._unwritten.in_hand
        self._writing_since = time.monotonic()
        try:
            async with self._database.write() as connection:
                await self._journal.write(connection, batch.rows, batch.gone)
                await self._outbox.put(connection, batch.reports, self._clock() + self._database.skew)
                if self._noting is not None and batch.reports:
                    await self._noting(connection, batch.reports)
        finally:
            self._writing_since = None
        self._unwritten.in_hand = Batch()
        self._failing = False
        self._hold_back()
        if batch.reports:
            self._count(batch.reports)
            self.written(batch.reports)

    def _count(self, reports: Iterable[Report]) -> None:
        if not self._running:
            return  # they come out once more, by `restore`
        now = self._clock()
        for report in reports:
            self.delay.observe(max(0.0, now - report.at))
            if report.outcome is not None:
                self.ended[report.direction, report.outcome] += 1

    async def _rest(self, pause: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._hurried.wait()
        self._hurried.clear()


def _not_asked(fault: Exception) -> None:
    log.warning("others not asked", reason=str(fault) or "the database is too slow", again="when it can be")
