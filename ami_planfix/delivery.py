"""Delivery: empties the outbox in order per call, calls side by side, as fast as Planfix takes it.

One loop writes down what became of reports (`noting`), leaves out popups that are too old and claims what is due, in
one transaction; each claimed row is then sent by a task of its own, and with SQLite what waits behind it after it. A
report that nothing stands in the way of is claimed in the transaction that writes it, which also takes along what is to
be noted. Nothing is polled: the loop sleeps until a report was written, an answer has come, or the next row is due.

Planfix away: each row tries again by `retry`, and all at once when it is back; how many requests may be made, and
whether any, `gate` knows.

Two clocks: leases and next attempts go by the database's, which all daemons share; the age of popups and all that is
said of time goes by ours.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import chain
from typing import NamedTuple

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from ami_planfix.calls.reports import Report
from ami_planfix.entries import Buried, Delivered, Due, Entry, Observed, Postponed, Result, Returned
from ami_planfix.errors import PlanfixError, StorageError
from ami_planfix.gate import PART, Gate, Planfix
from ami_planfix.metrics import Sent
from ami_planfix.noting import Notebook
from ami_planfix.outbox import POPUPS, Outbox
from ami_planfix.planfix.messages import event_name
from ami_planfix.retry import Again, Bury, Halt, decide
from ami_planfix.status import Board, State
from ami_planfix.storage.database import Database
from ami_planfix.writing import Take

log = structlog.get_logger("ami_planfix.delivery")

LEAST_PAUSE = 0.05
"""Seconds; what is due at once and cannot be claimed (another daemon has it) must not make us spin."""
SLOW = 1.0
"""Seconds; behind a request that took longer nothing is sent without asking what is more urgent."""
LONGEST_SLEEP = 60.0
"""Seconds; whatever the clock says, and whatever we believe of it, the outbox is looked at now and then."""
STORAGE_PAUSE = 1.0
"""Seconds until a failing database is tried again."""


class Settings(NamedTuple):
    """What the administrator chose (`delivery`), and what nobody needs to."""

    opened: bool = True
    """`history: opened`: an INCOMING or OUTGOING that was left out goes directly before its COMPLETED."""
    popup_max_age: float = 60.0
    parallel: int = 20
    """Requests at once."""
    ping_every: float = 30.0


DEFAULT_SETTINGS = Settings()


class _Found(NamedTuple):
    """What a look at the outbox brought."""

    left_out: list[Report]
    due: list[Due]
    next_in: float | None
    """Seconds until something is to be done next; None: unknown."""
    places: int
    """Requests that may be made besides."""


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
        self._notebook = Notebook(outbox, self._now)
        self._sending: dict[asyncio.Task[None], list[int]] = {}
        """Who makes requests, one after another, and the rows of which nothing has become yet."""
        self._take_back_first = True
        """We may have rows of which we do not know: claimed in an earlier life, or by a claim that seemed to fail."""
        self._more = True
        """Rows wait that we have not in hand, for all we know: without any there is nothing to look for."""
        self._gate = Gate(planfix, settings.parallel, settings.ping_every, self._board, clock, self._woken.set)

    def wake(self) -> None:
        """Look at the outbox now: something was written, or a dead letter got another chance."""
        self._more = True
        self._woken.set()

    @asynccontextmanager
    async def taking(self) -> AsyncIterator[Take]:
        """Give what takes reports in hand in the transaction in which they are written; then they are sent.

        All of them, or none: then they are looked for as anything that waits. Where other daemons use the database they
        stay free until then: if we die just now, another one takes them at once.
        """
        due: list[Due] = []
        left = False

        async def take(connection: AsyncConnection, reports: Sequence[Report]) -> None:
            nonlocal left
            left = True
            if self._database.is_shared:
                return
            self._more |= await note(connection)
            places = self._places_for(reports)
            if places:
                now = self._now()
                due.extend(await self._outbox.claim(connection, now, places, opened=self._settings.opened))
                if len(due) < len(reports):
                    due[:] = await self._outbox.claim_behind(connection, due, now, opened=self._settings.opened)
                left = len(_rows(due)) < len(reports)

        try:
            async with self._notebook.writing() as note:
                yield take
        except BaseException:
            if due:
                self._take_back_first = self._more = True
            self._woken.set()
            raise
        if not self._running:
            return  # ended meanwhile; the next start takes it back
        for one in due:
            self._start(one)
        if left:
            self.wake()
        elif self._stopping:
            self._woken.set()

    def account_changed(self) -> None:
        """Try at once what `setup` brought."""
        self._gate.account_changed()

    def halt(self, fault: PlanfixError) -> None:
        """Send nothing until `ping` is taken."""
        self._gate.halt(fault)

    async def run(self) -> None:
        """Deliver until `stop`."""
        self._running = True
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
        found = _Found([], [], None, self._places(here))
        try:
            if self._more or self._notebook.is_waiting:
                async with self._notebook.writing() as note, self._database.write() as connection:
                    self._more |= await note(connection)
                    if self._more:
                        found = await self._look(connection)
        except StorageError as fault:
            self._take_back_first = self._more = True
            return _not_written(fault)
        self._take_back_first = False
        self.sent.left_out += len(found.left_out)
        if found.left_out:
            self._gate.left_out(len(self._sending))
        for report in found.left_out:
            log.info("report left out", **_names(report), reason="too old for a popup", lag=self._lag(report))
        for one in found.due:
            self._start(one)
        return self._pause(here, found.next_in, found.places)

    async def _look(self, connection: AsyncConnection) -> _Found:
        """Look at all that waits."""
        here = self._clock()
        now = here + self._database.skew  # at once: our clock may be moved while we wait for the database
        places = self._places(here)
        ours = {*chain(*self._sending.values()), *self._notebook.rows}
        self._more = False
        if self._take_back_first:
            await self._outbox.take_back(connection, ours)
        if not await self._outbox.waits_besides(connection, ours):
            return _Found([], [], None, places)
        left_out = await self._outbox.leave_out(connection, now, here - self._settings.popup_max_age)
        due = await self._outbox.claim(connection, now, places, opened=self._settings.opened) if places else []
        next_at: float | None = None
        if due:
            more = await self._outbox.waits_besides(connection, {*ours, *_rows(due)})
            if more and not self._database.is_shared:
                due = await self._outbox.claim_behind(connection, due, now, opened=self._settings.opened)
                more = await self._outbox.waits_besides(connection, {*ours, *_rows(due)})
            self._more |= more
        else:
            self._more = True
            # What was claimed wakes us by its answer, and the question is dear when much waits.
            if places:
                next_at = await self._outbox.next_due(connection, now - here + self._settings.popup_max_age)
        return _Found(left_out, due, None if next_at is None else next_at - now, places - len(due))

    def _places_for(self, reports: Collection[Report]) -> int:
        """Tell how many requests may be made if all of these can be sent at once, before anything else; else 0."""
        here = self._clock()
        too_old = here - self._settings.popup_max_age
        if self._more or not self._running or any(one.stage in POPUPS and one.at < too_old for one in reports):
            return 0
        places = self._places(here)
        return places if len(reports) <= places else 0

    def _is_done(self) -> bool:
        return not self._sending and self._notebook.is_empty and not self._woken.is_set()

    def _places(self, now: float) -> int:
        return 0 if self._cut else self._gate.places(now, len(self._sending))

    def _pause(self, now: float, due_in: float | None, places: int) -> float | None:
        closed_for = self._gate.closed_for(now)
        if closed_for is None:
            return None
        if closed_for:
            due_in = closed_for
        elif not places:
            return None  # an answer will wake us
        return None if due_in is None else max(min(due_in, LONGEST_SLEEP), LEAST_PAUSE)

    async def _sleep(self, pause: float | None) -> None:
        try:
            async with asyncio.timeout(LONGEST_SLEEP if pause is None else pause):
                await self._woken.wait()
        except TimeoutError:
            self._more = True

    async def _end(self) -> None:
        self._running = False
        tasks = list(self._sending)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._gate.close()
        try:
            async with self._notebook.writing() as note, self._database.write() as connection:
                await note(connection)
        except StorageError as fault:
            _not_written(fault)
        self._ended.set()

    # Rows

    def _start(self, due: Due) -> None:
        rows = _rows([due])
        task = asyncio.create_task(self._send_all(due, rows))
        self._sending[task] = rows
        task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        for row in self._sending.pop(task):
            self._notebook.add(Returned(row))
        self._woken.set()

    async def _send_all(self, due: Due, rows: list[int]) -> None:
        """Send a row and those behind it, as long as nothing speaks against it; takes each out of `rows`."""
        for one in (due, *due.behind):
            begun = time.monotonic()
            result = await self._send(one)
            rows.remove(one.id)
            self._notebook.add(result)
            _afterwards(self._woken.set)
            is_slow = time.monotonic() - begun > SLOW
            is_open = self._gate.closed_for(self._clock()) == 0
            if is_slow or self._cut or not is_open or isinstance(result, Postponed | Returned):
                return

    async def _send(self, due: Due) -> Result:
        if due.opener is not None:
            result = await self._attempt(due.opener, due.attempts)
            if isinstance(result, Postponed | Returned):
                return result._replace(id=due.id)
            self._notebook.add(result)
        return await self._attempt(due, due.attempts)

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
        back_in = self._gate.taken(self.sent.left_out)
        if back_in is not None:
            self._notebook.hasten(self._now() + back_in)
        lag = self._lag(due.entry)
        self.sent.delivered += 1
        self.sent.seconds.observe(max(0.0, lag))
        _afterwards(partial(log.info, "report delivered", **_names(due.entry), answer="200", lag=lag))
        return Delivered(due.id, "200")

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
                self._gate.halt(fault)
                return Returned(due.id)
            case Again(after):
                self.sent.postponed += 1
                self._gate.failed(fault)
                log.warning("report postponed", **names, answer=str(fault), again_in=round(after, 1))
                return Postponed(due.id, str(fault), self._now() + after)

    def _now(self) -> float:
        """Tell the time that all daemons on the database share."""
        return self._clock() + self._database.skew

    def _lag(self, entry: Entry) -> float:
        return round(self._clock() - entry.at, 3)


def _afterwards(do: Callable[[], object]) -> None:
    """Do what nobody waits for once the next request of the call is on its way.

    A line of the log or a look at the outbox takes as long as a request; aiohttp writes a request in the next turn of
    the event loop, so that this is for the turn after it.
    """
    loop = asyncio.get_running_loop()
    loop.call_soon(loop.call_soon, do)


def _rows(due: Sequence[Due]) -> list[int]:
    """Tell their rows, and those behind them."""
    return [row.id for one in due for row in (one, *one.behind)]


def _names(entry: Entry) -> dict[str, str]:
    if isinstance(entry, Report):
        return {"call": entry.callid, "extension": entry.extension, "report": event_name(entry.stage)}
    return {"call": entry.callid, "report": "record"}


def _not_written(fault: StorageError) -> float:
    log.debug("outbox not written", error=str(fault), again_in=STORAGE_PAUSE)
    return STORAGE_PAUSE
