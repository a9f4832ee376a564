"""What a tracker still holds: no channel, call, part, bridge or group, when all channels are gone."""

import gc
from collections import Counter

from ami_planfix.calls.call import Call
from ami_planfix.calls.part import Part
from ami_planfix.calls.pbx import Bridge, Channel, Dial, Group, Recording
from ami_planfix.calls.tracker import Tracker

KEPT = (Call, Part, Channel, Bridge, Dial, Group, Recording)
CONTAINERS = (dict, list, tuple, set, frozenset)


def left_in(tracker: Tracker) -> Counter[str]:
    """Count the objects that a tracker can still reach, by kind; empty if it has let go of everything."""
    counts: Counter[str] = Counter()
    seen: set[int] = set()
    todo: list[object] = [tracker]
    while todo:
        one = todo.pop()
        ours = type(one).__module__.startswith("ami_planfix.calls.")
        if id(one) in seen or isinstance(one, type) or not (ours or isinstance(one, CONTAINERS)):
            continue
        seen.add(id(one))
        if isinstance(one, KEPT):
            counts[type(one).__name__] += 1
        todo += gc.get_referents(one)
    return counts


def objects() -> Counter[str]:
    """Count such objects in the whole process, reachable or in a circle of their own."""
    gc.collect()
    return Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, KEPT))
