"""Whether reports may go to Planfix now, and how many at once: what its answers say of it.

Planfix away: as many failures in a row as requests go at once, and one report at a time asks whether it is back; the
others stay as they are. Back: all are tried at once, but not more often than every 5 s, or who fails now and then would
get all of it with each success. Our token refused: nothing is sent, `ping` asks every 30 s. No account yet: wait for
`setup`.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol

import structlog

from ami_planfix.calls.reports import Report
from ami_planfix.errors import PlanfixError, PlanfixUnreachable, TokenRefused
from ami_planfix.status import Board, State

log = structlog.get_logger("ami_planfix.delivery")

OUTAGE = 3
"""Failures in a row after which Planfix counts as away."""
PROBE_EVERY = 5.0
"""Seconds between two looks whether Planfix is back, at most; and between two times that all is tried, at least."""
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


class _Wait(NamedTuple):
    """A wait that was chosen; one that would last longer than that waits for a clock that was moved, and is over."""

    until: float = 0.0
    seconds: float = 0.0

    def left(self, now: float) -> float:
        """Tell how many seconds of it are left."""
        rest = self.until - now
        return rest if 0.0 < rest <= self.seconds else 0.0


_OVER = _Wait()


class Gate:
    """Counts failures and waits; `changed` is called when more may be sent than before."""

    def __init__(
        self,
        planfix: Planfix,
        parallel: int,
        ping_every: float,
        board: Board,
        clock: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        self._planfix = planfix
        self._parallel = parallel
        self._ping_every = ping_every
        self._board = board
        self._clock = clock
        self._changed = changed
        self._pinging: asyncio.Task[None] | None = None
        self._until_ping: _Wait | None = None
        """Our token is refused; when to ask again."""
        self._paused = _OVER
        self._tried = _OVER
        """All that waited has been tried not long ago."""
        self._failures = 0
        """In a row."""
        self._said_not_set_up = False
        self._too_slow = _OVER
        """Popups were left out not long ago, since Planfix was busy with others."""

    def places(self, now: float, in_flight: int) -> int:
        """Tell how many more requests may be made now."""
        if not self._planfix.is_set_up:
            self._say_not_set_up()
            return 0
        if self._until_ping is not None:
            if not self._until_ping.left(now) and self._pinging is None:
                self._pinging = asyncio.create_task(self._ping())
            return 0
        if self._paused.left(now):
            return 0
        at_once = 1 if self._failures >= self._parallel else self._parallel
        return max(0, at_once - in_flight)

    def closed_for(self, now: float) -> float | None:
        """Tell for how many seconds nothing may be sent, 0: something may; None: until `changed`."""
        if not self._planfix.is_set_up or self._pinging is not None:
            return None
        if self._until_ping is not None:
            return self._until_ping.left(now)
        return self._paused.left(now)

    def account_changed(self) -> None:
        """Try at once what `setup` brought."""
        self._paused = _OVER
        self._said_not_set_up = False
        if self._until_ping is not None:
            self._until_ping = _OVER
        self._changed()

    def taken(self, left_out: int) -> float | None:
        """Take note that Planfix took something; if it is back, tell in how many seconds to try all that waits.

        `left_out`: popups so far, for the log.
        """
        is_back, self._failures = self._failures >= OUTAGE, 0
        self._say_how_fast(left_out)
        if not is_back:
            return None
        now = self._clock()
        wait = self._tried.left(now)
        if not wait:
            self._tried = _Wait(now + PROBE_EVERY, PROBE_EVERY)
            log.info("planfix reachable again")
        return wait

    def failed(self, fault: PlanfixError) -> None:
        """Take note that it did not, and may later."""
        self._failures += 1
        if self._failures >= OUTAGE:
            self._board.say(PART, State.WAITING, str(fault))
        asked = fault.retry_after if isinstance(fault, PlanfixUnreachable) else None
        seconds = asked or (PROBE_EVERY if self._failures >= self._parallel else 0.0)
        now = self._clock()
        if seconds > self._paused.left(now):
            self._paused = _Wait(now + seconds, seconds)

    def left_out(self, in_flight: int) -> None:
        """Take note that popups became too old: Planfix is slow if it answers as many requests at once as it gets."""
        if not self._failures and in_flight >= self._parallel:
            if self._too_slow is _OVER:
                log.warning("planfix slower than calls come in", consequence=_SHED)
            self._too_slow = _Wait(self._clock() + CALM, CALM)

    def halt(self, fault: PlanfixError) -> None:
        """Send nothing until `ping` is taken: our token is refused."""
        if self._until_ping is None:
            log.error("planfix refused our token", error=str(fault), consequence="nothing is sent, all is kept")
        self._ask_again()
        self._board.say(PART, State.FAILED, str(fault))

    async def close(self) -> None:
        """Ask no more."""
        if self._pinging is not None:
            self._pinging.cancel()
            await asyncio.gather(self._pinging, return_exceptions=True)

    def _say_not_set_up(self) -> None:
        if not self._said_not_set_up:
            self._said_not_set_up = True
            remedy = "switch the integration on in Planfix, or give planfix.url and planfix.token"
            log.warning("planfix not set up", consequence="reports are kept", remedy=remedy)
            self._board.say(PART, State.WAITING, f"not set up: {remedy}")

    def _say_how_fast(self, left_out: int) -> None:
        if self._too_slow.left(self._clock()):
            self._board.say(PART, State.WAITING, f"slower than calls come in: {_SHED}")
            return
        if self._too_slow is not _OVER:
            self._too_slow = _OVER
            log.info("planfix fast enough again", left_out=left_out)
        self._board.say(PART, State.WELL, "takes our reports")

    def _ask_again(self) -> None:
        self._until_ping = _Wait(self._clock() + self._ping_every, self._ping_every)

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
            self._changed()
