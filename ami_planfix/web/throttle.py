"""Wrong tokens are answered ever more slowly, per address; a right one never waits."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

from ami_planfix.web.callers import Address

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
FORGIVEN_AFTER = 900.0
MOST_ADDRESSES = 10_000
MOST_WAITING = 100


@dataclass(slots=True)
class _Guesser:
    wrong: int
    last: float
    answered_until: float


class WrongTokens:
    """Counts wrong tokens and tells how long each one's answer has to wait.

    Guesses of one address wait one after another, so that asking in parallel gains nothing. An IPv6 address
    counts as its /64, since whoever has one has all of it.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._guessers: OrderedDict[str, _Guesser] = OrderedDict()

    def count(self, address: Address) -> tuple[int, float]:
        """Count one more wrong token: how many it were, and for how many seconds its answer waits."""
        now = self._clock()
        key = _owner(address)
        guesser = self._guessers.pop(key, None)
        if guesser is None or now - guesser.last > FORGIVEN_AFTER:
            guesser = _Guesser(0, now, now)
        self._guessers[key] = guesser
        while len(self._guessers) > MOST_ADDRESSES:
            self._guessers.popitem(last=False)
        guesser.wrong += 1
        guesser.last = now
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(guesser.wrong - 1, 10))
        guesser.answered_until = min(max(now, guesser.answered_until) + pause, now + 3 * LONGEST_PAUSE)
        return guesser.wrong, guesser.answered_until - now


def _owner(address: Address) -> str:
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return str(address)
