"""Delivery: empties the outbox in order per call, calls side by side, as fast as Planfix takes it.

One loop leaves out popups that are too old and claims what is due, in one transaction; each claimed row is then sent
by a task of its own, and what became of it is written down at once (`noting`). Nothing is polled: the loop sleeps
until a report was written, an answer was noted, or the next row is due.

Planfix away: each row tries again by `retry`, and all at once when it is back. Our token refused: nothing is
sent, `ping` asks every 30 s. No account yet: wait for `setup`. As many failures in a row as requests go at once: one
report at a time asks whether Planfix is back, and the others stay as they are.

Two clocks: leases and next attempts go by the database's, which all daemons share; the age of popups and all that is
said of time goes by ours.
"""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, Protocol

import structlog

from ami_planfix.calls.reports import Report
from ami_planfix.entries import Buried, Delivered, Due, Entry, Observed, Postponed, Result, Returned
from ami_planfix.errors import PlanfixError, PlanfixUnreachable, StorageError, TokenRefused
from ami_planfix.metrics import Sent
from ami_planfix.noting import STORAGE_PAUSE, Notebook
from ami_planfix.outbox import Outbox
from ami_planfix.planfix.messages import event_name
from ami_planfix.retry import Again, Bury, Halt, decide
from ami_planfix.status import Board, State
from ami_planfix.storage.database import Database

log = structlog.get_logger("ami_planfix.delivery")

LEAST_PAUSE = 0.05
"""Seconds; what is due at once and cannot be claimed (another daemon has it) must not make us spin."""
LONGEST_SLEEP = 60.0
"""Seconds; whatever the clock says, the outbox is looked at now and then while something waits in it."""
OUTAGE = 3
"""Failures in a row after which Planfix counts as away."""
PROBE_EVERY = 5.0
"""Seconds between two looks whether Planfix is back, at most."""
CALM = 60.0
"""Seconds without a popup that was left out, after which Planfix is fast enough again."""
PART = "planfix"
_SHED = "popups that come too late are left out, ends of calls wait and all arrive"


class Planfix(Protocol):
    """Where reports go: `planfix.api.PlanfixApi`, or what only looks on (`observing`)."""

    @property
    def is_set_up(self) -> bool:
        """Tell whether url and token are known."""

    @property
    def looks_on(self) -> bool:
        """Tell whether nothing is sent to anybody."""

    async def event(self, report: Report) -> None:
        """Tell a report; raise a PlanfixError if it was not taken."""

    async def record(self, callid: str, link: str, temporary: bool = False) -> None:
        """Tell where a recording is; raise a PlanfixError if it was not taken."""

    async def ping(self) -> object:
        """Find out whether our token is taken; raise a PlanfixError if not."""


class Settings(NamedTuple):
    """What the administrator chose (`delivery`), and what nobody needs to."""

    opened: bool = True
    """`history: opened`: an INCOMING or OUTGOING that was left out goes directly before its COMPLETED."""
    popup_max_age: float = 60.0
    parallel: int = 20
    """Requests at once."""
    ping_every: float = 30.0


DEFAULT_SETTINGS = Settings()


class _Wait(NamedTuple):
    """A wait that was chosen; one that would last longer than that waits for a clock that was moved, and is over."""

    until: float = 0.0
    seconds: float = 0.0

    def left(self, now: float) -> float:
        """Tell how many seconds of it are left."""
        rest = self.until - now
        return rest if 0.0 < rest <= self.seconds else 0.0


_OVER = _Wait()


class Delivery:
    """Sends what the outbox holds."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        planfix: Planfix,
        settings: Settings = DEFAULT_SETTINGS,
        board: Board | None = None,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.sent = Sent()
        self._database = database
        self._outbox = outbox
        self._planfix = planfix
        self._settings = settings
        self._board = board or Board(clock)
        self._clock = clock
        self._chance = chance
        self._woken = asyncio.Event()
        self._ended = asyncio.Event()
        self._running = self._stopping = self._cut = False
        self._notebook = Notebook(database, outbox, self._now, self._woken.set)
        self._noting: asyncio.Task[None] | None = None
        self._sending: dict[asyncio.Task[None], int] = {}
        """Requests, and their rows."""
        self._take_back_first = True
        """We may have rows of which we do not know: claimed in an earlier life, or by a claim that seemed to fail."""
        self._pinging: asyncio.Task[None] | None = None
        self._until_ping: _Wait | None = None
        """Our token is refused; when to ask again."""
        self._paused = _OVER
        self._failures = 0
        """In a row."""
        self._said_not_set_up = False
        self._too_slow = _OVER
        """Popups were left out not long ago, since Planfix was busy with others."""

    def wake(self) -> None:
        """Look at the outbox now: something was written, or a dead letter got another chance."""
        self._woken.set()

    def account_changed(self) -> None:
        """Try at once what `setup` brought."""
        self._paused = _OVER
        self._said_not_set_up = False
        if self._until_ping is not None:
            self._until_ping = _OVER
        self._woken.set()

    async def run(self) -> None:
        """Deliver until `stop`."""
        self._running = True
        self._noting = asyncio.create_task(self._notebook.run())
        try:
            while True:
                self._woken.clear()
                pause = await self._turn()
                if self._stopping and (self._cut or self._is_done()):
                    break
                await self._sleep(pause)
        finally:
            await self._end()

    async def stop(self, limit: float = 5.0) -> None:
        """Send what is due now, then end; after `limit` seconds without what is still on its way."""
        self._stopping = True
        self._woken.set()
        if not self._running:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._ended.wait()
        if not self._ended.is_set():
            log.warning("delivery cut short", requests=len(self._sending))
            self._cut = True
            self._woken.set()
            await self._ended.wait()

    # The loop's turn

    async def _turn(self) -> float | None:
        """Do the bookkeeping and start what is due; tell for how long there is nothing to do, None: until woken."""
        here = self._clock()
        now = self._now()
        places = self._places(here)
        left_out: list[Report] = []
        due: list[Due] = []
        next_at: float | None = None
        try:
            async with self._database.write() as connection:
                ours = {*self._sending.values(), *self._notebook.rows}
                if self._take_back_first:
                    await self._outbox.take_back(connection, ours)
                more = await self._outbox.waits_besides(connection, len(ours))
                if more:
                    left_out = await self._outbox.leave_out(connection, now, here - self._settings.popup_max_age)
                if more and places:
                    due = await self._outbox.claim(connection, now, places, opened=self._settings.opened)
                # What was claimed wakes us by its answer, and the question is dear when much waits.
                if more and places and not due:
                    next_at = await self._outbox.next_due(connection, now - here + self._settings.popup_max_age)
        except StorageError as fault:
            self._take_back_first = True
            return _not_written(fault)
        self._take_back_first = False
        self.sent.left_out += len(left_out)
        self._note_overload(len(left_out))
        for report in left_out:
            log.info("report left out", **_names(report), reason="too old for a popup", lag=self._lag(report))
        for one in due:
            self._start(one)
        return self._pause(here, None if next_at is None else next_at - now, places - len(due))

    def _is_done(self) -> bool:
        return not self._sending and self._notebook.is_empty and not self._woken.is_set()

    def _places(self, now: float) -> int:
        """Tell how many more requests may be made now."""
        if not self._planfix.is_set_up:
            self._say_not_set_up()
            return 0
        if self._until_ping is not None:
            if not self._until_ping.left(now) and self._pinging is None:
                self._pinging = asyncio.create_task(self._ping())
            return 0
        if self._cut or self._paused.left(now):
            return 0
        at_once = 1 if self._failures >= self._settings.parallel else self._settings.parallel
        return max(0, at_once - len(self._sending))

    def _say_not_set_up(self) -> None:
        if not self._said_not_set_up:
            self._said_not_set_up = True
            remedy = "switch the integration on in Planfix, or give planfix.url and planfix.token"
            log.warning("planfix not set up", consequence="reports are kept", remedy=remedy)
            self._board.say(PART, State.WAITING, f"not set up: {remedy}")

    def _pause(self, now: float, due_in: float | None, places: int) -> float | None:
        if not self._planfix.is_set_up or self._pinging is not None:
            return None
        if self._until_ping is not None:
            due_in = self._until_ping.left(now)
        elif self._paused.left(now):
            due_in = self._paused.left(now)
        elif not places:
            return None  # an answer will wake us
        return None if due_in is None else max(min(due_in, LONGEST_SLEEP), LEAST_PAUSE)

    async def _sleep(self, pause: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._woken.wait()

    async def _end(self) -> None:
        tasks = [*self._sending, *([self._pinging] if self._pinging is not None else [])]
        for task in tasks:
            task.cancel()
        if self._noting is not None:
            self._noting.cancel()
            tasks.append(self._noting)
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await self._notebook.write()
        except StorageError as fault:
            _not_written(fault)
        self._ended.set()

    # One row

    def _start(self, due: Due) -> None:
        task = asyncio.create_task(self._send(due))
        self._sending[task] = due.id
        task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        del self._sending[task]
        if self._stopping:
            self._woken.set()

    async def _send(self, due: Due) -> None:
        try:
            if due.opener is not None:
                result = await self._attempt(due.opener, due.attempts)
                if isinstance(result, Postponed | Returned):
                    self._notebook.add(result._replace(id=due.id))
                    return
                self._notebook.add(result)
            self._notebook.add(await self._attempt(due, due.attempts))
        except asyncio.CancelledError:
            self._notebook.add(Returned(due.id))
            raise

    async def _attempt(self, due: Due, failed: int) -> Result:
        """Send a row once; whatever fails, there is a result: without one it and its call would wait for ever."""
        try:
            return await self._try(due, failed)
        except Exception:
            log.exception("report not sent", **_names(due.entry), remedy="report this as a fault of ami-planfix")
            return Buried(due.id, "a fault of ami-planfix; its log has the details")

    async def _try(self, due: Due, failed: int) -> Result:
        try:
            await self._tell(due.entry)
        except PlanfixError as fault:
            return self._failed(due, fault, failed + 1)
        if self._planfix.looks_on:
            self._board.say(PART, State.OFF, "observing: nothing is sent")
            return Observed(due.id)
        if self._failures >= OUTAGE:
            log.info("planfix reachable again")
            self._notebook.hasten()
        self._failures = 0
        self._say_how_fast()
        lag = self._lag(due.entry)
        self.sent.delivered += 1
        self.sent.seconds.observe(max(0.0, lag))
        log.info("report delivered", **_names(due.entry), answer="200", lag=lag)
        return Delivered(due.id, "200")

    def _note_overload(self, left_out: int) -> None:
        """Take note if popups became too old while Planfix answered as many requests at once as it gets."""
        if left_out and not self._failures and len(self._sending) >= self._settings.parallel:
            if self._too_slow is _OVER:
                log.warning("planfix slower than calls come in", consequence=_SHED)
            self._too_slow = _Wait(self._clock() + CALM, CALM)

    def _say_how_fast(self) -> None:
        if self._too_slow.left(self._clock()):
            self._board.say(PART, State.WAITING, f"slower than calls come in: {_SHED}")
            return
        if self._too_slow is not _OVER:
            self._too_slow = _OVER
            log.info("planfix fast enough again", left_out=self.sent.left_out)
        self._board.say(PART, State.WELL, "takes our reports")

    async def _tell(self, entry: Entry) -> None:
        if isinstance(entry, Report):
            await self._planfix.event(entry)
        else:
            await self._planfix.record(entry.callid, entry.link, entry.temporary)

    def _failed(self, due: Due, fault: PlanfixError, attempt: int) -> Result:
        names = _names(due.entry)
        match decide(fault, attempt, self._chance()):
            case Bury():
                self.sent.refused += 1
                log.error("report refused", **names, answer=str(fault), remedy="see `ami-planfix deliveries`")
                return Buried(due.id, str(fault))
            case Halt():
                self.halt(fault)
                return Returned(due.id)
            case Again(after):
                self.sent.postponed += 1
                self._failures += 1
                if self._failures >= OUTAGE:
                    self._board.say(PART, State.WAITING, str(fault))
                asked = fault.retry_after if isinstance(fault, PlanfixUnreachable) else None
                self._hold(asked or (PROBE_EVERY if self._failures >= self._settings.parallel else 0.0))
                log.warning("report postponed", **names, answer=str(fault), again_in=round(after, 1))
                return Postponed(due.id, str(fault), self._now() + after)

    def _hold(self, seconds: float) -> None:
        now = self._clock()
        if seconds > self._paused.left(now):
            self._paused = _Wait(now + seconds, seconds)

    def _now(self) -> float:
        """Tell the time that all daemons on the database share."""
        return self._clock() + self._database.skew

    def _lag(self, entry: Entry) -> float:
        return round(self._clock() - entry.at, 3)

    # Our token is refused

    def halt(self, fault: PlanfixError) -> None:
        """Send nothing until `ping` is taken."""
        if self._until_ping is None:
            log.error("planfix refused our token", error=str(fault), consequence="nothing is sent, all is kept")
        self._ask_again()
        self._board.say(PART, State.FAILED, str(fault))

    def _ask_again(self) -> None:
        self._until_ping = _Wait(self._clock() + self._settings.ping_every, self._settings.ping_every)

    async def _ping(self) -> None:
        try:
            await self._planfix.ping()
        except TokenRefused as fault:
            self.halt(fault)
        except PlanfixError:
            self._ask_again()
        else:
            self._until_ping = None
            self._board.say(PART, State.WELL, "takes our token again")
            log.info("planfix takes our token again")
        finally:
            self._pinging = None
            self._woken.set()


def _names(entry: Entry) -> dict[str, str]:
    if isinstance(entry, Report):
        return {"call": entry.callid, "extension": entry.extension, "report": event_name(entry.stage)}
    return {"call": entry.callid, "report": "record"}


def _not_written(fault: StorageError) -> float:
    log.debug("outbox not written", error=str(fault), again_in=STORAGE_PAUSE)
    return STORAGE_PAUSE
