"""Which records belong together: all channels that ever had to do with each other (pure)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ami_planfix.backfill.records import Cdr, Cel
from ami_planfix.calls.pbx import NO_CONVERSATION

_TOUCH = 3.0
"""Seconds between two rows within which a channel's name means the same one: Asterisk counts anew when it starts."""
_OTHERS = (
    "channel2_uniqueid", "transferee_channel_uniqueid", "transfer_target_channel_uniqueid", "pickup_channel_uniqueid",
    "local_two_uniqueid",
)  # fmt: skip


_BRIDGE = "bridge "


class Group(NamedTuple):
    """The records of one call, or of several that became mixed."""

    cels: tuple[Cel, ...]
    cdrs: tuple[Cdr, ...]
    ids: frozenset[str]
    """Uniqueids and Linkedids."""
    begins: float
    ends: float

    @property
    def is_whole(self) -> bool:
        """Tell whether the beginning of each channel is there."""
        begun = {row.uniqueid for row in self.cels if row.kind == "CHAN_START"}
        return all(row.uniqueid in begun for row in self.cels)

    @property
    def has_ended(self) -> bool:
        """Tell whether the end of each channel is there; CDR has rows of what has ended only."""
        ended = {row.uniqueid for row in self.cels if row.kind in ("CHAN_END", "HANGUP")}
        return all(row.uniqueid in ended for row in self.cels)


def group(cels: Iterable[Cel], cdrs: Iterable[Cdr]) -> list[Group]:
    """Put together what belongs together, in the order in which the calls began."""
    sets = _Sets()
    events: dict[str, list[tuple[int, Cel]]] = defaultdict(list)
    rows: dict[str, list[Cdr]] = defaultdict(list)
    for number, cel in enumerate(cels):
        sets.join(cel.uniqueid, cel.linkedid, *(other for name in _OTHERS if (other := cel.extra.get(name))))
        if (bridge := cel.extra.get("bridge_id")) and cel.extra.get("bridge_technology") not in NO_CONVERSATION:
            sets.join(cel.uniqueid, f"{_BRIDGE}{bridge}")
        events[cel.uniqueid].append((number, cel))
    named: dict[str, Cdr] = {}
    for cdr in sorted(cdrs, key=lambda row: (row.start, row.sequence)):
        sets.join(cdr.uniqueid, cdr.linkedid)
        rows[cdr.uniqueid].append(cdr)
        for name in filter(None, (cdr.channel, cdr.dstchannel)):
            before = named.get(name)
            if before is not None and cdr.start - before.end < _TOUCH:
                sets.join(cdr.uniqueid, before.uniqueid)
            if before is None or cdr.end >= before.end:
                named[name] = cdr
    found = [_group(ids, events, rows) for ids in sets.all()]
    return sorted((one for one in found if one.cels or one.cdrs), key=lambda one: one.begins)


def _group(ids: frozenset[str], events: dict[str, list[tuple[int, Cel]]], rows: dict[str, list[Cdr]]) -> Group:
    # Within a second the order is that in which they were written.
    told = sorted((row for one in ids for row in events.get(one, ())), key=lambda row: (row[1].at, row[0]))
    cels = [cel for _, cel in told]
    cdrs = sorted((row for one in ids for row in rows.get(one, ())), key=lambda row: (row.start, row.sequence))
    times = [row.at for row in cels] or [time for row in cdrs for time in (row.start, row.end)]
    ids = frozenset(one for one in ids if not one.startswith(_BRIDGE))
    return Group(tuple(cels), tuple(cdrs), ids, min(times, default=0.0), max(times, default=0.0))


class _Sets:
    """Disjoint sets of ids."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def join(self, first: str, *others: str) -> None:
        root = self._find(first)
        for other in others:
            self._parent[self._find(other)] = root

    def all(self) -> Iterator[frozenset[str]]:
        members: dict[str, set[str]] = defaultdict(set)
        for one in list(self._parent):
            members[self._find(one)].add(one)
        return (frozenset(found) for found in members.values())

    def _find(self, one: str) -> str:
        self._parent.setdefault(one, one)
        root = one
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[one] != root:
            self._parent[one], one = root, self._parent[one]
        return root
