"""Whose is a number: asked of Planfix once, kept for a while, and never waited for longer than the limit.

A caller hears silence while we ask. So every wait here ends at the limit, whatever the network does: those who
wait do not wait for the request but for its outcome or the limit, whichever comes first. Simultaneous questions
about one number are one request, and only so many requests run at once. After some failures nobody waits at all:
one question in each pause is asked in the background, and its answer ends that.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import structlog

from ami_planfix.contacts.breaker import Breaker, Verdict
from ami_planfix.errors import PlanfixError, ReportRefused
from ami_planfix.metrics import Histogram
from ami_planfix.planfix.messages import Contact

log = structlog.get_logger("ami_planfix.contacts")

MOST_KEPT = 20_000
"""Answers; the oldest go first."""
UNKNOWN = Contact("", None)


class Found(NamedTuple):
    """What is known of a number, or why nothing is."""

    contact: Contact
    reason: str
    """`''` if Planfix knows the number."""


class Planfix(Protocol):
    """Whom to ask."""

    @property
    def is_set_up(self) -> bool:
        """Tell whether there is an account to ask."""

    async def contact(self, phone: str, callid: str = "") -> Contact:
        """Ask whose a number is; raise a PlanfixError if there is no answer."""


class Limits(NamedTuple):
    """What the administrator chose (`contacts`)."""

    timeout: float = 1.5
    """Seconds that anybody waits."""
    cache: float = 300.0
    """Seconds for which an answer is kept, also that a number is unknown."""
    at_once: int = 10
    """Requests that run at the same time."""


DEFAULT_LIMITS = Limits()
BOUNDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 3.0, 10.0)
LATEST = 100
"""Answers whose speed is remembered one by one."""


@dataclass(slots=True)
class Tally:
    """How questions were answered since the daemon began."""

    kept: int = 0
    """At once, from memory."""
    answered: int = 0
    """By Planfix, in time."""
    unanswered: int = 0
    """Not at all: Planfix did not answer in time, or is not asked for a while."""
    seconds: Histogram = field(default_factory=lambda: Histogram(BOUNDS))
    """How long Planfix took for each answer."""
    latest: deque[float] = field(default_factory=lambda: deque(maxlen=LATEST))
    """The same of the latest answers, in seconds."""

    def took(self, seconds: float) -> None:
        """Count one answer of Planfix."""
        self.seconds.observe(seconds)
        self.latest.append(seconds)


class Lookup:
    """Answers whose a number is."""

    def __init__(
        self,
        planfix: Planfix,
        limits: Limits = DEFAULT_LIMITS,
        clock: Callable[[], float] = time.monotonic,
        breaker: Breaker | None = None,
        listener: Callable[[str], None] = lambda reason: None,
    ) -> None:
        """`listener` is told why Planfix is not asked for a while, and `''` when it answers again."""
        self.tally = Tally()
        self._listener = listener
        self._planfix = planfix
        self._limits = limits
        self._clock = clock
        self._breaker = breaker or Breaker(clock)
        self._kept: OrderedDict[str, tuple[float, Found]] = OrderedDict()
        self._running: dict[str, asyncio.Task[Found]] = {}
        self._tasks: set[asyncio.Task[Found]] = set()
        self._slots = asyncio.Semaphore(limits.at_once)

    @property
    def is_refusing(self) -> bool:
        """Tell whether nobody waits for Planfix now, because it does not answer."""
        return self._breaker.is_open

    def known(self, phone: str) -> Contact:
        """Tell what memory has of a number, asking nobody."""
        kept = self._from_cache(phone)
        return kept.contact if kept is not None else UNKNOWN

    async def find(self, phone: str, callid: str = "") -> Found:
        """Tell whose a number (digits with country code) is, within the limit; never raises a PlanfixError."""
        kept = self._from_cache(phone)
        if kept is not None:
            self.tally.kept += 1
            return kept
        if not self._planfix.is_set_up:
            return Found(UNKNOWN, "Planfix is not set up")
        found = await self._within_limit(phone, callid)
        if found is _NO_ANSWER:
            self.tally.unanswered += 1
        else:
            self.tally.answered += 1
        return found

    async def _within_limit(self, phone: str, callid: str) -> Found:
        task = self._running.get(phone)
        if task is None:
            verdict = self._breaker.ask()
            if verdict is not Verdict.REFUSE:
                task = self._ask(phone, callid, is_trial=verdict is Verdict.TRY)
            if verdict is not Verdict.ASK:
                return _NO_ANSWER
        elif self._breaker.is_open:
            return _NO_ANSWER
        assert task is not None  # noqa: S101 - the verdict was ASK
        done, _ = await asyncio.wait({task}, timeout=self._limits.timeout)
        if not done and self._running.get(phone) is task:
            del self._running[phone]  # its own time is over too: whoever asks next starts anew
        if not done or task.cancelled() or task.exception() is not None:
            return _NO_ANSWER
        return task.result()

    def forget(self) -> None:
        """Forget all answers: another account has other contacts."""
        self._kept.clear()

    async def close(self) -> None:
        """End what is being asked."""
        running = list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _from_cache(self, phone: str) -> Found | None:
        kept = self._kept.get(phone)
        if kept is None:
            return None
        until, found = kept
        if self._clock() >= until:
            del self._kept[phone]
            return None
        return found

    def _ask(self, phone: str, callid: str, *, is_trial: bool) -> asyncio.Task[Found]:
        task = asyncio.create_task(self._answer(phone, callid, is_trial=is_trial))
        self._running[phone] = task
        self._tasks.add(task)

        def done(task: asyncio.Task[Found]) -> None:
            self._tasks.discard(task)
            if self._running.get(phone) is task:
                del self._running[phone]
            if not task.cancelled() and (fault := task.exception()) is not None:
                log.error("contact lookup failed", exc_info=fault)

        task.add_done_callback(done)
        return task

    async def _answer(self, phone: str, callid: str, *, is_trial: bool) -> Found:
        try:
            async with asyncio.timeout(self._limits.timeout):
                async with self._slots:
                    if self._breaker.is_open and not is_trial:
                        return _NO_ANSWER  # it was opened while this one waited for its turn
                    begun = self._clock()
                    contact = await self._planfix.contact(phone, callid)
                    self.tally.took(self._clock() - begun)
        except ReportRefused as refusal:
            # An answer too: Planfix will say the same about this number the next time.
            return self._take(phone, Found(UNKNOWN, str(refusal)))
        except (PlanfixError, TimeoutError) as fault:
            self._fail(str(fault) or f"no answer within {self._limits.timeout:g} s")
            return _NO_ANSWER
        known = bool(contact.name or contact.responsible)
        return self._take(phone, Found(contact, "" if known else "Planfix does not know this number"))

    def _take(self, phone: str, found: Found) -> Found:
        if self._breaker.succeed():
            log.info("contacts are answered again")
            self._listener("")
        if self._limits.cache:
            self._kept[phone] = (self._clock() + self._limits.cache, found)
            self._kept.move_to_end(phone)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return found

    def _fail(self, reason: str) -> None:
        if self._breaker.fail():
            log.warning("contacts are not asked for a while", reason=reason)
            self._listener(reason)
        else:
            log.info("contact not answered", reason=reason)


_NO_ANSWER = Found(UNKNOWN, "Planfix does not answer")
