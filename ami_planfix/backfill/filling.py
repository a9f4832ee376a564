"""Fills gaps: at each connect, calls that ended while no daemon listened are reported from Asterisk's own records.

Before the first snapshot of a connection, for a few seconds at most: what ended unheard is decided from the records,
which know of transfers and ends, and not from its absence in the snapshot. Later passes find what was written late.
Nothing is told twice: the outbox knows what was told, the journal what was heard to its end.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from ami_planfix.ami.wire import Message
from ami_planfix.backfill.deciding import derive, missing
from ami_planfix.backfill.grouping import Group, group
from ami_planfix.backfill.reading import Found
from ami_planfix.calls.reports import CallId, Report
from ami_planfix.calls.tracker import Tracker
from ami_planfix.errors import AmiError, BackfillError, StorageError
from ami_planfix.journal import Journal
from ami_planfix.outbox import Outbox
from ami_planfix.presence import Gap, Presence
from ami_planfix.status import Board, State
from ami_planfix.storage.database import Database
from ami_planfix.storage.settings import Settings

log = structlog.get_logger("ami_planfix.backfill")

PART = "backfill"
CURSOR = "backfill"
"""The setting that tells until when gaps are filled."""
WAIT = 5.0
"""Seconds for which the first snapshot of a connection waits at most."""
LATER = (15.0, 345.0)
"""Seconds until records are read again: some are written late, CDR in batches after five minutes."""
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 600.0
"""Seconds until it is tried again to read them."""
READ_WITHIN = 300.0
MARGIN = 15.0
"""Seconds at the end of what was heard that count as not heard: a crash leaves it that uncertain."""
AFTER = 10.0
"""Seconds after a connect within which what is not known yet may end unheard."""
LOOKBACK = 3 * 3600.0
"""Seconds that a call may have begun before it ended in what is looked at."""
PIECE = 2 * 3600.0
"""Seconds of a gap whose records are in memory at once."""
SETTLE = 2.0
"""Seconds after which no more is written of a call whose end is not among its records."""


class Asker(Protocol):
    """The connection to Asterisk."""

    async def collect(self, action: str) -> list[Message]:
        """Do an action that answers with a list."""


class Source(Protocol):
    """Asterisk's records, wherever they are."""

    async def read(self, since: float, until: float) -> Found:
        """Read the records of a time; raises BackfillError."""


class Live(NamedTuple):
    """What follows calls now, and takes what is found."""

    calls: Callable[[], frozenset[CallId]]
    """The calls that go on, as far as events have told."""
    settle: Callable[[Iterable[CallId]], None]
    """Told of those that have ended and are reported now."""
    fresh_tracker: Callable[[], Tracker]
    note: Callable[[AsyncConnection, Iterable[Report]], Awaitable[None]]
    """Notes recordings, in the transaction of the reports."""
    written: Callable[[Iterable[Report]], None]


class Kept(NamedTuple):
    """What is known of the past."""

    database: Database
    outbox: Outbox
    presence: Presence


class Outcome(NamedTuple):
    """What a look at records brought."""

    reports: list[Report]
    calls: int
    """Calls that ended then, also those of which nothing was missing."""
    bad: Counter[str]
    """Records that were skipped, by what is wrong with them."""


class Backfill:
    """Fills the gaps of one PBX (`ami.name`)."""

    def __init__(
        self,
        reader: Source,
        kept: Kept,
        live: Live,
        board: Board,
        hours: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._reader = reader
        self._database, self._outbox, self._presence = kept
        pbx = kept.outbox.pbx
        self._journal = Journal(pbx)
        self._settings = Settings(kept.database, pbx)
        self._prefix = f"{pbx}-" if pbx else ""
        self._live = live
        self._board = board
        self._hours = hours
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._looked = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()

    async def greet(self, asker: Asker) -> None:
        """Begin to fill the gap before this connection; wait if calls may have ended in it, but not for long."""
        await self.stop()
        self._looked.clear()
        self._task = asyncio.create_task(self._run(asker, self._clock()))
        if not self._live.calls():
            return
        try:
            async with asyncio.timeout(WAIT):
                await self._looked.wait()
        except TimeoutError:
            log.warning("backfill slow", waited=WAIT, consequence="calls that ended unheard end as far as was heard")

    async def stop(self) -> None:
        """End; what is not filled is filled after the next connect."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def look(self, asker: Asker, since: float, until: float, *, dry: bool) -> Outcome:
        """Report what is missing of the calls that ended in a time, or only tell it; raise as `read` does, AmiError."""
        return await self._fill(asker, Gap(since, until), _Look(self._clock(), first=False, dry=dry))

    async def _run(self, asker: Asker, connected: float) -> None:
        try:
            gaps = await self._gaps(connected)
            for number, pause in enumerate((0.0, *LATER)):
                await asyncio.sleep(pause)
                await self._pass(asker, gaps, _Look(connected, first=not number, dry=False))
            await self._settings.write({CURSOR: repr(connected)})
        except StorageError as fault:
            self._say_waiting(str(fault), None)
        except Exception:
            log.exception("backfill failed", remedy="report this as a fault of ami-planfix; live reporting goes on")
            self._board.say(PART, State.FAILED, "a fault of ami-planfix, see its log")
        finally:
            self._looked.set()

    async def _gaps(self, connected: float) -> tuple[Gap, ...]:
        """Tell the gaps that are not filled yet; the last one ends with this connection."""
        filled = _number((await self._settings.read((CURSOR,))).get(CURSOR, ""))
        earliest = max(connected - self._hours * 3600.0, filled)
        gaps = [gap for gap in await self._presence.gaps(earliest, MARGIN, connecting=True) if gap.since < connected]
        # The last one ends with this connection's first snapshot, which is yet to come.
        return tuple(gap._replace(until=connected + AFTER if gap.until >= connected else gap.until) for gap in gaps)

    async def _pass(self, asker: Asker, gaps: tuple[Gap, ...], look: "_Look") -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                found = [await self._fill(asker, gap, look) for gap in gaps]
            except (BackfillError, StorageError, AmiError) as fault:
                self._looked.set()
                self._say_waiting(str(fault), pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                look = look._replace(first=False)
            else:
                self._looked.set()
                self._say_done(gaps, found, look)
                return

    async def _fill(self, asker: Asker, gap: Gap, look: "_Look") -> Outcome:
        async with self._one_at_a_time:
            whole = Outcome([], 0, Counter())
            existing = await _existing(asker)
            for piece in _pieces(gap):
                one = await self._fill_piece(piece, existing, look)
                whole = Outcome(whole.reports + one.reports, whole.calls + one.calls, whole.bad + one.bad)
            if whole.bad and not look.dry:
                log.warning("records skipped", rows=whole.bad.total(), why=dict(whole.bad))
            return whole

    async def _fill_piece(self, piece: Gap, existing: frozenset[str], look: "_Look") -> Outcome:
        try:
            async with asyncio.timeout(READ_WITHIN):
                found = await self._reader.read(piece.since - LOOKBACK, piece.until)
        except TimeoutError as fault:
            raise BackfillError(f"reading records took more than {READ_WITHIN:g} s") from fault
        reports: list[Report] = []
        calls = 0
        now = self._clock()
        for one in group(found.cels, found.cdrs):
            if not piece.since <= one.ends <= piece.until or one.begins > look.connected or one.ids & existing:
                continue
            if not one.is_whole:
                found.bad["of a channel whose beginning is not there"] += len(one.cels)
            elif one.has_ended or now - one.ends > SETTLE:
                calls += 1
                reports += await self._report(one, look)
        return Outcome(reports, calls, found.bad)

    async def _report(self, one: Group, look: "_Look") -> list[Report]:
        """Add what is missing of one group's calls."""
        callids = {CallId(self._prefix + each) for each in one.ids}
        followed = self._live.calls() & callids
        if followed and not look.first:
            return []  # the next snapshot ends it
        derived = derive(one, self._live.fresh_tracker())
        callids |= {report.callid for report in derived}
        async with self._database.write() as connection:
            # Of what ended after the connect perhaps the end alone was heard.
            if one.ends < look.connected and await self._journal.is_over(connection, one.ids):
                return []
            added = missing(derived, await self._outbox.reports(connection, callids))
            if not look.dry and added:
                await self._outbox.put(connection, added, self._clock(), history=True)
                await self._live.note(connection, added)
        if not look.dry:
            self._live.settle(followed)
            if added:
                self._live.written(added)
        return added

    def _say_waiting(self, reason: str, pause: float | None) -> None:
        self._board.say(PART, State.WAITING, reason)
        log.warning("backfill not possible", error=reason, again_in=pause)

    def _say_done(self, gaps: tuple[Gap, ...], found: list[Outcome], look: "_Look") -> None:
        calls = sum(one.calls for one in found)
        reports = sum(len(one.reports) for one in found)
        seconds = sum(gap.until - gap.since for gap in gaps)
        self._board.say(PART, State.WELL, f"{calls} calls of the last gap looked at" if gaps else "nothing was missed")
        if reports or (look.first and gaps):
            log.info("gap filled", seconds=round(seconds), calls=calls, reports=reports)


class _Look(NamedTuple):
    """How records are looked at."""

    connected: float
    """What began later was heard live."""
    first: bool
    """Before the first snapshot of a connection."""
    dry: bool


async def _existing(asker: Asker) -> frozenset[str]:
    """Ask for the channels that exist: whose call goes on is followed live."""
    items = await asker.collect("CoreShowChannels")
    return frozenset(found for item in items for name in ("Uniqueid", "Linkedid") if (found := item.get(name)))


def _pieces(gap: Gap) -> Iterator[Gap]:
    since = gap.since
    while since < gap.until:
        until = min(since + PIECE, gap.until)
        yield Gap(since, until)
        since = until


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
