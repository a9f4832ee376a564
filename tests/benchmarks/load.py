"""The load: recorded calls as an office has them, many at once, and the noise that a busy PBX makes besides.

*Clean* is every event that we or cacofonisk use. *Noisy* has four others to each of these: what the captures have of
them by themselves (variables, steps of the dialplan, states of devices and queue members), filled up from `noise`.
"""

import heapq
import random
from collections.abc import Iterator
from functools import cache
from itertools import cycle

from ami_planfix.ami.decode import decode
from ami_planfix.ami.wire import event_name, stamped
from ami_planfix.config.model import Config
from tests.benchmarks import noise
from tests.load.recorded import Recorded, Sounded, recorded_calls

OFFICE = {
    "incoming": 6, "outgoing": 6, "ring_group": 3, "queue": 3, "internal": 3, "hunt": 1, "ivr": 1, "hold": 1,
    "blind_transfer": 1, "attended_transfer": 1, "pickup": 1, "recording": 1, "makecall": 1,
}  # fmt: skip
"""How often each kind of call happens among the others."""
BEGIN = 1_700_000_000.0
APART = 0.05
"""Seconds between the beginnings of two calls: about a hundred at once."""
NOISE = 4
"""Events of no use to one that is used."""
READ = 65_536
"""Bytes that one read brings, at most."""
USED_BY_CACOFONISK = frozenset({b"BridgeCreate", b"NewConnectedLine"})
"""Besides those that we use too."""


def config() -> Config:
    """Tell how the PBX is configured that has these calls."""
    return recorded_calls()[0].story.expected.config


def calls(count: int, seed: int = 1, apart: float = APART, begin: float = BEGIN) -> Iterator[Sounded]:
    """Give all messages of so many calls in their order; each begins `apart` seconds after the last."""
    going: list[tuple[float, int, Sounded, Iterator[Sounded]]] = []
    dice = random.Random(seed)
    for tag, story in enumerate(_stories(count, dice), 1):
        at = begin + (tag - 1) * apart
        while going and going[0][0] <= at:
            yield _step(going)
        copy = iter(story.copy(tag, at))
        first = next(copy)
        heapq.heappush(going, (first.at, tag, first, copy))
    while going:
        yield _step(going)


def clean(messages: Iterator[Sounded]) -> Iterator[Sounded]:
    """Leave only what is of use to us or to cacofonisk."""
    return (one for one in messages if is_used(one.raw))


def noisy(messages: Iterator[Sounded]) -> Iterator[Sounded]:
    """Have four events of no use to one of use: those that are there, or recorded ones instead."""
    more = cycle(_recorded_noise())
    owed = 0
    for one in messages:
        if is_used(one.raw):
            yield one
            owed += NOISE
        elif owed:
            yield one
            owed -= 1
        while owed > 10 * NOISE:
            yield Sounded(one.at, stamped(next(more), one.at))
            owed -= 1


def is_used(raw: bytes) -> bool:
    """Tell whether an event is of use to anybody."""
    return decode(raw, 0.0) is not None or event_name(raw) in USED_BY_CACOFONISK


def reads(messages: list[bytes], size: int = READ) -> list[bytes]:
    """Cut a stream as reads of a busy socket do."""
    stream = b"".join(raw + b"\r\n\r\n" for raw in messages)
    return [stream[start : start + size] for start in range(0, len(stream), size)]


def _step(going: list[tuple[float, int, Sounded, Iterator[Sounded]]]) -> Sounded:
    _, tag, message, rest = heapq.heappop(going)
    following = next(rest, None)
    if following is not None:
        heapq.heappush(going, (following.at, tag, following, rest))
    return message


def _stories(count: int, dice: random.Random) -> Iterator[Recorded]:
    kinds: dict[str, list[Recorded]] = {}
    for story in recorded_calls():
        kinds.setdefault(story.story.name.partition("/")[0], []).append(story)
    for _ in range(count):
        (kind,) = dice.choices(
            [kind for kind in OFFICE if kind in kinds], [OFFICE[kind] for kind in OFFICE if kind in kinds]
        )
        yield dice.choice(kinds[kind])


@cache
def _recorded_noise() -> tuple[bytes, ...]:
    return tuple(_timeless(raw) for raw in noise.recorded() if event_name(raw) != b"FullyBooted")


def _timeless(raw: bytes) -> bytes:
    return b"\r\n".join(line for line in raw.split(b"\r\n") if not line.startswith(b"Timestamp:"))
