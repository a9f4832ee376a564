"""What to do after a failed delivery: when to try again, or why not; pure.

A network fault is never a reason to give up: what is too old to be shown is left out by its age, and
history is wanted however late.
"""

from typing import NamedTuple

from ami_planfix.errors import PlanfixError, PlanfixUnreachable, ReportRefused, TokenRefused

FIRST = 1.0
"""Seconds after the first failure."""
LONGEST = 300.0


class Again(NamedTuple):
    """Try this report again."""

    after: float
    """Seconds from now."""


class Bury(NamedTuple):
    """Keep it as a dead letter; nothing but this report is wrong."""


class Halt(NamedTuple):
    """Send nothing at all until `ping` is taken; nothing is wrong with this report."""


def decide(failure: PlanfixError, attempt: int, chance: float) -> Again | Bury | Halt:
    """Decide after the `attempt`-th failure (from 1); `chance` in [0, 1) spreads those that failed together."""
    if isinstance(failure, TokenRefused):
        return Halt()
    if isinstance(failure, ReportRefused):
        return Bury()
    pause = min(FIRST * 2 ** min(attempt - 1, 30), LONGEST) * (0.5 + chance / 2)
    asked = failure.retry_after if isinstance(failure, PlanfixUnreachable) else None
    return Again(max(pause, min(asked or 0.0, LONGEST)))
