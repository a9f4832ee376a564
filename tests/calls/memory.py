"""What a tracker still holds: nothing, when all channels are gone."""

import gc
from collections import Counter

from ami_planfix.calls.call import Call
from ami_planfix.calls.part import Part
from ami_planfix.calls.pbx import Bridge, Channel, Dial, Group, Recording
from ami_planfix.calls.tracker import Tracker

KEPT = (Call, Part, Channel, Bridge, Dial, Group, Recording)


def left_in(tracker: Tracker) -> dict[str, int]:
    """Count what a tracker remembers, by kind; empty if it has let go of everything."""
    pbx = tracker._pbx
    counts = {
        "channels": len(pbx.channels),
        "calls": len(tracker._calls),
        "live calls": len(tracker.live()),
        "bridges": len(pbx.bridges),
        "halves": len(pbx._halves),
    }
    return {what: count for what, count in counts.items() if count}


def objects() -> Counter[str]:
    """Count the tracker's objects in the whole process, reachable or in a circle of their own."""
    gc.collect()
    return Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, KEPT))
