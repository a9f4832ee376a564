"""What the daemons suffered, for the verdict: what they may have lost or forgotten, and what their clocks said.

What reached Planfix proves something: its cause, and all that was told before, had been heard and noted. So what may be
lost at an end begins after the last cause that is proven until then, however long that is ago.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import NamedTuple

from ami_planfix.calls.reports import Report
from ami_planfix.demo.planfix import Received
from ami_planfix.planfix.messages import event_form
from tests.load.exchange import Listening, Timeline
from tests.load.home import SETTINGS
from tests.load.player import Played
from tests.load.sayings import form_of
from tests.torture.keeper import End, How
from tests.torture.possible import Break, Ear
from tests.torture.schedule import Kind
from tests.torture.troubles import AHEAD, BEHIND, Spell

NOTING = 2.0
"""Seconds within which a daemon that can write has noted an answer."""
ON_THE_WAY = 5.0
"""Seconds that a message may be on its way until a daemon has noted it, where that is not proven."""
RECOVERY = 12.0
"""Seconds until what waited for the database has been written after it works again (`writing.LONGEST_PAUSE`)."""
_UNWRITABLE = (Kind.LOCKED, Kind.FULL, Kind.DATABASE_AWAY)
_SHIFTS = {Kind.CLOCK_AHEAD: AHEAD, Kind.CLOCK_BEHIND: BEHIND}


class Proof(NamedTuple):
    """A report that came proves that its cause was heard."""

    came: float
    place: int


class Past:
    """The past of all daemons; `ends` by the name that each has for Asterisk."""

    def __init__(self, ends: Mapping[str, Sequence[End]], spells: Sequence[Spell], retried_at: float = inf) -> None:
        self._ends_of = ends
        self._ends = [end for each in ends.values() for end in each]
        self._retried_at = retried_at
        self._unwritable = [one for one in spells if one.kind in _UNWRITABLE]
        self._shifts = [one for one in spells if one.kind in _SHIFTS]

    def forgot(self, since: float, until: float) -> bool:
        """Tell whether a daemon ended between these times that may not have noted an answer of `since`."""
        return any(self._unnoted_since(end) <= since <= end.over and end.begun <= until for end in self._ends)

    def retried(self, since: float, until: float) -> bool:
        """Tell whether an administrator had what was refused sent again between these times."""
        return since <= self._retried_at <= until

    def age(self, at: float, until: float) -> float:
        """Tell how old what happened `at` was at most before `until`, by any daemon's clock."""
        off = [_SHIFTS[one.kind] for one in self._shifts if one.begin <= until and at <= one.end]
        return until - at + max(0.0, *off, 0.0) - min(0.0, *off, 0.0)

    def could_not_start(self, end: End) -> bool:
        """Tell whether a daemon ended by itself because its database could not be written when it began."""
        in_time = any(one.begin <= end.over and end.begun <= one.end + 1.0 for one in self._unwritable)
        return end.how is How.BY_ITSELF and end.status == 1 and in_time and "database " in end.said.splitlines()[-1]

    def ears(self, listened: Sequence[Listening], timeline: Timeline, proofs: Sequence[Proof]) -> list[Ear]:
        """Tell what each daemon may have heard."""
        found = []
        snapshots = [one.snapshot for one in listened if one.snapshot is not None]
        proofs = [one for one in proofs if not _can_be_of_a_snapshot(one, snapshots)]
        for name, ends in self._ends_of.items():
            mine = [one for one in listened if one.username == name]
            others = [one for one in listened if one.username != name]
            # Where another one listened too, nobody can tell whose the proof is.
            proven = [one for one in proofs if not any(other.holds(one.place) for other in others)]
            found.append(Ear(mine, self._breaks(mine, ends, timeline, proven, alone=not others)))
        return found

    def _breaks(
        self,
        listened: Sequence[Listening],
        ends: Sequence[End],
        timeline: Timeline,
        proofs: Sequence[Proof],
        *,
        alone: bool,
    ) -> list[Break]:
        """Tell from where on a daemon may have lost what it was told."""
        moments = [(one.until, inf, one.ended) for one in listened if one.until]
        moments += [(timeline.place_at(end.over), end.over, self._unnoted_since(end)) for end in ends]
        return [
            Break(
                place,
                max(
                    1 + max((one.place for one in proofs if one.came <= at and one.place < place), default=-1),
                    0 if alone else timeline.place_at(unwritten - ON_THE_WAY),
                ),
            )
            for place, at, unwritten in moments
        ]

    def _unnoted_since(self, end: End) -> float:
        """Tell since when answers may not have been noted at an end: the database was locked, say."""
        since = [one.begin for one in self._unwritable if one.begin <= end.over and end.begun <= one.end + RECOVERY]
        return min([end.begun - (0.0 if end.how is How.TOLD else NOTING), *since])


def proofs(played: Iterable[Played], came: dict[str, list[Received]]) -> list[Proof]:
    """Tell what is proven by what came, by callid."""
    found = []
    for one in played:
        # The first of those that say the same: it is what proves least.
        causes = {form_of(event_form(report)): place for place, report in reversed(_causes(one))}
        for callid in one.copy.ids & came.keys():
            for received in came[callid]:
                place = causes.get(form_of(received.fields))
                if place is not None:
                    found.append(Proof(received.at, place))
    return found


def _causes(played: Played) -> list[tuple[int, Report]]:
    """Tell which message leads to each report of a call that is heard from its beginning."""
    tracker = played.copy.recorded.story.tracker(SETTINGS)
    return [(place, report) for place, event in played.told() for report in tracker.handle(event).reports]


def _can_be_of_a_snapshot(proof: Proof, snapshots: Iterable[tuple[int, float]]) -> bool:
    """Tell whether somebody was told what exists in the meantime, and can have concluded it from that."""
    return any(place >= proof.place and at <= proof.came for place, at in snapshots)
