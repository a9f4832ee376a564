"""How Planfix behaves while something is wrong with it; each answer that is not as documented is counted."""

import random
from collections import Counter
from collections.abc import Callable, Mapping

from ami_planfix.demo.planfix import (
    EmbeddedPlanfix,
    Fault,
    broken,
    cut,
    garbage,
    hang,
    refuse,
    refuse_token,
    slow,
    too_many,
    torn,
)
from tests.torture.schedule import Kind

HUGE = 8 * 1024 * 1024
SLOWEST = 2.0
"""Seconds; less than the daemon's patience (`planfix.timeout`), so that slow is not the same as none."""


class Weather:
    """One kind of misbehaviour at a time, for some of the requests."""

    def __init__(self, planfix: EmbeddedPlanfix, seed: int) -> None:
        self.answers: Counter[str] = Counter()
        """Not as documented, by kind."""
        self._planfix = planfix
        self._chance = random.Random(seed)
        self._kind: Kind | None = None
        planfix.fault_for = self._fault_for

    async def become(self, kind: Kind) -> None:
        """Be bad from now on."""
        self._kind = kind
        if kind is Kind.AWAY:
            self.answers[kind] += 1
            await self._planfix.stop()

    async def clear_up(self) -> None:
        """Be good again."""
        if self._kind is Kind.AWAY:
            await self._planfix.start()
        self._kind = None
        self._planfix.release()

    def _fault_for(self, fields: Mapping[str, str]) -> Fault | None:
        kind = self._kind
        if kind is None or kind not in _FAULTS:
            return None
        share, fault = _FAULTS[kind]
        if self._chance.random() >= share or (kind is Kind.REFUSES and fields.get("cmd") != "event"):
            return None
        self.answers[kind] += 1
        return fault(self._chance)


_FAULTS: dict[Kind, tuple[float, Callable[[random.Random], Fault]]] = {
    Kind.REFUSES: (0.1, lambda _: refuse()),
    Kind.TOKEN: (1.0, lambda _: refuse_token()),
    Kind.TOO_MANY: (0.5, lambda chance: too_many(str(chance.randint(1, 3)))),
    Kind.BROKEN: (0.8, lambda chance: broken(chance.choice((500, 502, 503)))),
    Kind.GARBAGE: (0.5, lambda _: garbage()),
    Kind.HUGE: (0.1, lambda _: garbage(HUGE)),
    Kind.HANGS: (0.5, lambda _: hang()),
    Kind.SLOW: (0.8, lambda chance: slow(chance.uniform(0.2, SLOWEST))),
    Kind.CUTS: (0.5, lambda _: cut()),
    Kind.CUTS_HEADERS: (0.5, lambda _: torn(b"HTTP/1.1 200 OK\r\nConte")),
    Kind.CUTS_BODY: (0.5, lambda _: torn(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a', status=200)),
}
"""Kind -> which share of the requests it hits, and how."""
