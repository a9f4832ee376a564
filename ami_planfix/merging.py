"""Makes one stream of what several daemons heard of the same PBX (pure).

Each heard a part of one and the same stream, in its order: what both heard says so by being byte for byte the same,
its `Timestamp` included. What only one heard stands where it stood for that one; where that leaves a choice, time
decides.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Told(NamedTuple):
    """One row of one daemon's journal."""

    at: float
    kind: str
    raw: bytes


def merged(streams: Iterable[Sequence[Told]]) -> list[Told]:
    """Merge; the order of each stream is kept as far as they do not contradict each other."""
    whole: list[Told] = []
    for stream in sorted(streams, key=len, reverse=True):
        whole = _merge(whole, stream) if whole else list(stream)
    return whole


def _merge(one: Sequence[Told], other: Sequence[Told]) -> list[Told]:
    in_one, in_other = {row.raw for row in one}, {row.raw for row in other}
    common = in_one & in_other
    found: list[Told] = []
    seen: set[bytes] = set()
    i = j = 0
    while i < len(one) or j < len(other):
        if i < len(one) and one[i].raw in seen:
            i += 1
        elif j < len(other) and other[j].raw in seen:
            j += 1
        elif j == len(other) or (i < len(one) and _first(one[i], other[j], common)):
            seen.add(one[i].raw)
            found.append(one[i])
            i += 1
        else:
            seen.add(other[j].raw)
            found.append(other[j])
            j += 1
    return found


def _first(here: Told, there: Told, common: set[bytes]) -> bool:
    """Tell whether `here` goes before `there`: what both have waits for what only one has before it."""
    if (here.raw in common) != (there.raw in common):
        return here.raw not in common
    return here.at <= there.at
