"""A circuit breaker: after some failures nobody waits for Planfix until it answers again (pure)."""

from collections.abc import Callable
from enum import StrEnum

FAILURES = 3
"""In a row, after which nobody asks any more."""
PAUSE = 10.0
"""Seconds between two trials of whether Planfix answers again."""


class Verdict(StrEnum):
    """What to do with a question."""

    ASK = "ask"
    TRY = "try"
    """Ask to see whether Planfix answers again, and let nobody wait for it."""
    REFUSE = "refuse"


class Breaker:
    """Counts failures in a row; `clock` tells seconds that only grow."""

    def __init__(self, clock: Callable[[], float], failures: int = FAILURES, pause: float = PAUSE) -> None:
        self._clock = clock
        self._most = failures
        self._pause = pause
        self._failures = 0
        self._next_trial = 0.0

    @property
    def is_open(self) -> bool:
        """Tell whether nobody is let through."""
        return self._failures >= self._most

    def ask(self) -> Verdict:
        """Decide about one question; of those that come while it is open one in each pause is a trial."""
        if not self.is_open:
            return Verdict.ASK
        now = self._clock()
        if now < self._next_trial:
            return Verdict.REFUSE
        self._next_trial = now + self._pause
        return Verdict.TRY

    def succeed(self) -> bool:
        """Take an answer, whatever it says; tell whether it closes the breaker."""
        was_open = self.is_open
        self._failures = 0
        return was_open

    def fail(self) -> bool:
        """Take a failure; tell whether it opens the breaker."""
        was_open = self.is_open
        self._failures += 1
        if self.is_open:
            self._next_trial = self._clock() + self._pause
        return self.is_open and not was_open
