"""The pipeline: event -> tracker -> what is to be written; each event is heard once, in the order of the calls.

The tracker runs at once, as events are heard; what it concluded goes to the writer (`writing`). After a restart it is
told once more what was heard of the calls that go on.

Several daemons may follow the same PBX. Whoever connects takes what the others heard meanwhile (`joining`), then what
came since: until then what is heard waits, in the journal, where the others find it. Calls that go on then are left to
them (`following`).
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress

import structlog

from ami_planfix.ami.listening import Heard
from ami_planfix.calls.events import Event, Snapshot, Uniqueid
from ami_planfix.calls.reports import CallId, Report, Silence, Stage
from ami_planfix.calls.tracker import Conclusion, Tracker
from ami_planfix.errors import StorageError
from ami_planfix.following import Following, Withheld, stand_back
from ami_planfix.joining import Held, Learned, Overheard, Waiting, learn, meet
from ami_planfix.journal import Kind, Row, Scribe
from ami_planfix.storage.database import Database
from ami_planfix.writing import Writer

log = structlog.get_logger("ami_planfix.pipeline")

JOIN_WITHIN = 3.0
"""Seconds for which what is heard may wait until it is known what others heard before."""
MOST_IN_VAIN = 10
"""Times that a database is asked which is too slow to answer, until we tell what we know: nobody else is there to."""
LAST_LOOK = 1.0
"""Seconds that we ask at the end whether somebody else follows the calls that we know in part."""
REPLAYED_AT_ONCE = 200
_FAULT = "report this as a fault of ami-planfix"


class Pipeline:
    """What the connection to Asterisk tells (`ami.listening.Listener`)."""

    def __init__(
        self,
        database: Database,
        tracker: Tracker,
        writer: Writer,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.silences: Counter[Silence] = Counter()
        """Calls that ended without a report, by reason."""
        self._database = database
        self._journal = writer.journal
        self._tracker = tracker
        self._writer = writer
        self._clock = clock
        self._scribe = Scribe()
        self._heard_until = 0.0
        """When the last event happened that we know of."""
        self._held: list[Waiting] | None = None
        """What waits until we have learned what others heard before it."""
        self._joining: asyncio.Task[None] | None = None
        self._listening_since = 0.0
        self._connected_again = False
        """While we joined: what we joined with was another connection."""
        self._learning = asyncio.Lock()
        self._ahead: frozenset[bytes] = frozenset()
        self._ahead_until = 0.0
        self._following = Following(database, writer.journal.pbx)
        self._withheld = Withheld()
        self._standing_back: asyncio.Task[None] | None = None
        self._asked_in_vain = 0
        self._leaving: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._leaving.set_result(None)
        self._deaf_since: float | None = None
        """When the last event happened before this connection, until its first snapshot."""
        self._settled: set[CallId] = set()

    # What the connection tells

    def heard(self, batch: Iterable[Heard]) -> None:
        """Take events, in order."""
        for one in batch:
            row = self._hear(one) if self._held is None else self._hold(self._held, one)
            if row is not None:
                self._writer.waiting.rows.append(row)
        self._writer.wake()

    def resync(self, snapshot: Snapshot) -> None:
        """Take what exists, in order with the events."""
        row = self._see(snapshot) if self._held is None else self._hold(self._held, snapshot)
        if row is not None:
            self._writer.waiting.rows.append(row)
        self._writer.wake()

    def settle(self, callids: Iterable[CallId]) -> None:
        """Take note that all is reported of these calls, which ended unheard: the next snapshot adds nothing."""
        self._settled.update(callids)

    def connected(self, since: float) -> None:
        """Take note that Asterisk knows us: what others heard meanwhile comes first, then the snapshot that follows."""
        self._listening_since = since
        if self._held is None:
            self._held = []
        if self._joining is None:
            self._joining = asyncio.create_task(self._join())
        else:
            self._connected_again = True

    def lost(self, at: float) -> None:
        """Take note that nothing is heard: calls stay as they are until the next snapshot."""
        self._leaving = asyncio.create_task(self._leave())

    # Start, run, stop

    async def restore(self) -> None:
        """Follow again the calls that went on when the last run ended; raise StorageError.

        Their reports come out once more and are recognized by their identity: what the outbox has, it keeps.
        """
        async with self._database.read() as connection:
            heard = await self._journal.live(connection, self._clock())
        await self._replay(heard)
        log.info("calls followed again", events=len(heard), calls=len(self._tracker.live()))
        if self._database.is_shared:
            await self._leave_untold()
        await self._writer.write()

    async def run(self) -> None:
        """Write what is heard until `stop`."""
        try:
            await self._writer.run()
        finally:
            await self._following.end()

    async def stop(self, limit: float = 5.0) -> None:
        """Write what was heard, then end; give up after `limit` seconds if the database still fails."""
        if self._joining is not None:
            await asyncio.wait({self._joining}, timeout=JOIN_WITHIN)
        tasks = [task for task in (self._leaving, self._joining, self._standing_back) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._held is not None:  # cut short: we know these calls in part, for all we know
            self._withheld.takes_all = True
            self._let_go()
            self._withheld.takes_all = False
            self._withheld.withhold(self._tracker.callids())
        if not self._withheld.is_over:
            await self._take_last_look()
        await self._writer.stop(limit)

    # What others heard

    async def _join(self) -> None:
        in_part = await self._ask_others()
        while self._connected_again:
            self._connected_again = False
            in_part = await self._ask_others()
        self._joining = None
        self._deaf_since = self._heard_until or None
        # Until the first snapshot anything may be heard of calls that began before: the stream may be late.
        self._withheld.takes_all = in_part
        self._let_go()
        if in_part:
            self._withheld.withhold(self._tracker.callids())
        if not self._withheld.is_over and self._standing_back is None:
            self._standing_back = asyncio.create_task(self._stand_back())

    async def _ask_others(self) -> bool:
        """Follow from now on, and learn what others know; tell whether we know the calls that go on in part."""
        try:
            async with asyncio.timeout(JOIN_WITHIN):
                await self._leaving
                await self._following.begin(self._listening_since)
                if self._database.is_shared:
                    await meet(self._database, self._journal, self._waiting, self._following.is_alone)
        except (StorageError, TimeoutError) as fault:
            _not_asked(fault)
            self._following.go_on(self._listening_since)
            return True  # it cannot be known; without a database nothing can be written either
        if await self._learn(self._heard_until) is None:
            return True
        try:
            async with asyncio.timeout(JOIN_WITHIN):
                # Only now: who has listened for longer may have been slower to say so.
                return await self._following.seniors() > 0
        except (StorageError, TimeoutError) as fault:
            _not_asked(fault)
            return True

    async def _leave(self) -> None:
        """Follow no more once all is written that we have heard: until then nobody else knows it."""
        await self._writer.all_written()
        await self._following.end()

    async def _learn(self, since: float) -> frozenset[CallId] | None:
        """Begin anew with all that is known of the calls that go on, if others know more.

        Returns the calls of which that tells; None if others could not be asked.
        """
        async with self._learning:  # each begins anew
            learned: Learned | None = None
            try:
                async with asyncio.timeout(JOIN_WITHIN):
                    await self._writer.all_written()
                    learned = await learn(self._database, self._journal, since, self._waiting)
            except (StorageError, TimeoutError) as fault:
                _not_asked(fault)
                return None
            except Exception:
                log.exception("others not asked", remedy=_FAULT)
            if learned is None:
                return frozenset()
            silences = self.silences.copy()
            self._tracker.restart()
            self._scribe = Scribe()
            self._waiting[:] = learned.since
            told = await self._replay(learned.heard)
            self.silences = silences
            self._ahead, self._ahead_until = learned.ahead, learned.until
            log.info("heard what others heard", events=len(learned.heard), calls=len(self._tracker.live()))
            return self._tracker.callids() | told

    async def _leave_untold(self) -> None:
        """Withhold what our last run has not told either: it may have known these calls in part, and left them."""
        waiting = self._writer.waiting
        told = {report.identity for report in await self._writer.told({report.callid for report in waiting.reports})}
        self._withheld.withhold(report.callid for report in waiting.reports if report.identity not in told)
        waiting.reports = self._withheld.sift(waiting.reports)
        # Which of these had to do with the withheld ones is not known any more.
        waiting.gone = list(self._withheld.hold_on_to(waiting.gone, self._withheld.calls))

    async def _stand_back(self) -> None:
        """Withhold reports of calls that we know in part, until nobody else follows them or they are over."""
        try:
            live, is_stuck = self._tracker.callids, self._writer.is_stuck
            await stand_back(self._following, self._withheld, live, is_stuck, self._end_journal, self._take_over)
        except Exception:
            log.exception("others not asked", remedy=_FAULT)
            kept = self._withheld.emptied()
            self._writer.waiting.reports += kept.reports
            self._end_journal(kept.gone)
        finally:
            self._standing_back = None

    async def _take_last_look(self) -> None:
        """Take over what nobody else will tell once we are gone."""
        with suppress(StorageError, TimeoutError):
            async with asyncio.timeout(LAST_LOOK):
                seniors = await self._following.seniors()
            if not seniors:
                await self._take_over()

    async def _take_over(self) -> None:
        if self._held is not None:
            return  # connecting just now
        self._held = []
        kept = self._withheld.emptied()
        try:
            # Whenever they heard it: some may have written it only now, or we could not ask them before.
            known = await self._learn(0.0)
            untold = await self._untold(kept.reports, known) if known else kept.reports
        except asyncio.CancelledError:
            self._withheld.extend(kept)
            raise
        self._asked_in_vain = self._asked_in_vain + 1 if known is None else 0
        if 0 < self._asked_in_vain < MOST_IN_VAIN:
            self._withheld.extend(kept)
        else:
            self._asked_in_vain = 0
            self._writer.waiting.reports += untold
            self._end_journal(kept.gone)
            log.info("calls taken over", reports=len(untold))
        if self._joining is None:
            self._let_go()

    async def _untold(self, reports: Sequence[Report], known: frozenset[CallId]) -> list[Report]:
        """Choose what is of calls that nobody else knew: we have learned nothing of them, and nobody ended them."""
        calls = {report.callid for report in reports} - known
        with suppress(StorageError):
            calls -= _ended(await self._writer.told(calls))
        return [report for report in reports if report.callid in calls]

    def _let_end(self, gone: Sequence[Uniqueid]) -> Sequence[Uniqueid]:
        """Choose the channels whose journal is needed no more, of those of which nothing else is kept."""
        return self._withheld.hold_on_to(gone, map(self._tracker.callid, gone))

    def _end_journal(self, gone: Iterable[Uniqueid]) -> None:
        self._writer.waiting.gone += gone
        self._writer.wake()

    @property
    def _waiting(self) -> list[Waiting]:
        return self._held if self._held is not None else []

    def _hold(self, held: list[Waiting], what: Heard | Snapshot) -> Row | None:
        """Let something wait; its row, unless it is about nobody: a snapshot is about all, named or not."""
        if isinstance(what, Heard):
            row = self._scribe.event_row(what.event, what.raw) or Row(what.event.at, Kind.EVENT, what.raw)
        else:
            row = self._scribe.resync_row(what._replace(heard_until=self._heard_until or None))
        held.append(Held(what, row))
        return row if row.channels or row.kind is Kind.RESYNC else None

    def _let_go(self) -> None:
        """Take what waited."""
        held, self._held = self._held or [], None
        named: set[Uniqueid] = set()
        for one in held:
            match one:
                case Overheard(what):
                    self._take(self._tell_again(what))
                case Held(Heard() as heard, row):
                    self._hear(heard)
                    named |= row.channels
                case Held(Snapshot() as snapshot, row):
                    self._see(snapshot)
                    named |= row.channels
        # It was written before anybody knew whether it was about a call.
        self._end(named - self._tracker.kept())
        self._writer.wake()

    async def _replay(self, heard: Sequence[Event | Snapshot]) -> frozenset[CallId]:
        """Hear it once more; the calls of which it tells anything."""
        told: set[CallId] = set()
        for number, one in enumerate(heard):
            conclusion = self._tell_again(one)
            self._take(conclusion)
            told.update(report.callid for report in conclusion.reports)
            if number % REPLAYED_AT_ONCE == REPLAYED_AT_ONCE - 1:
                await asyncio.sleep(0)
        self._heard_until = max([self._heard_until, *(one.at for one in heard)])
        self.silences.clear()
        return frozenset(told)

    def _tell_again(self, what: Event | Snapshot) -> Conclusion:
        """Tell the tracker what is in the journal."""
        if isinstance(what, Snapshot):
            self._scribe.resync_row(what)
            return self._reconcile(what)
        self._scribe.event_row(what, b"")
        return self._handle(what)

    # From events to rows

    def _hear(self, one: Heard) -> Row | None:
        """Tell the tracker; the event's row, if a replay needs it."""
        if self._ahead:
            if one.raw in self._ahead:
                return None
            if one.event.at > self._ahead_until:
                self._ahead = frozenset()
        conclusion = self._handle(one.event)
        self._heard_until = one.event.at
        row = self._scribe.event_row(one.event, one.raw) if conclusion.used else None
        self._take(conclusion)
        return row

    def _see(self, snapshot: Snapshot) -> Row | None:
        """Tell the tracker; the snapshot's row, if a replay needs it."""
        # Written down, since who replays one call alone has not heard what else there was.
        heard_until, self._deaf_since = self._deaf_since or self._tracker.last_heard, None
        snapshot = snapshot._replace(heard_until=heard_until)
        conclusion = self._reconcile(snapshot)
        left = tuple(report for report in conclusion.reports if report.callid not in self._settled)
        self._settled.clear()
        row = self._scribe.resync_row(snapshot) if conclusion.used else None
        self._take(conclusion._replace(reports=left))
        if self._withheld.takes_all:
            self._withheld.takes_all = False
            self._withheld.withhold(self._tracker.callids())
        return row

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

    def _take(self, conclusion: Conclusion) -> None:
        if conclusion.reports:
            companions = map(self._tracker.callid, conclusion.companions)
            self._writer.waiting.reports += self._withheld.sift(conclusion.reports, companions)
        self._end(conclusion.gone)
        self.silences.update(conclusion.silences)

    def _end(self, gone: Collection[Uniqueid]) -> None:
        """Take note that nothing is kept any more of these channels."""
        if gone:
            self._writer.waiting.gone += self._let_end(self._scribe.forget(gone))


def _ended(told: Iterable[Report]) -> set[CallId]:
    """Tell of which calls an end is told, and no part goes on: a transfer ends one and begins another."""
    parts = {(report.callid, report.extension, report.part): report.stage for report in told}
    going_on = {callid for (callid, _, _), stage in parts.items() if stage is not Stage.COMPLETED}
    return {callid for callid, _, _ in parts} - going_on


def _not_asked(fault: Exception) -> None:
    log.warning("others not asked", reason=str(fault) or "the database is too slow", again="when it can be")
