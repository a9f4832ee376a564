"""What daemons may have heard of a call, and what they must report then: exactly, though they were deaf for a while.

A connection ends, or a daemon dies: what was told from then until the next login is lost to it. Before that there is
a stretch in which nobody can say from outside how much was heard, or noted before the death: every cut in it is
possible. What one daemon has heard all know, since they share a database. So each possible cut of each of them leads
to a history, which the pure tracker plays, with a snapshot wherever a connection stands again. Who listened just then
tells calls without that snapshot of another daemon, which may have come to know more by it. Planfix must have got one
of these.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, combinations, islice, product
from math import inf
from typing import NamedTuple

from ami_planfix.calls.events import Event, Snapshot
from ami_planfix.calls.reports import Report
from ami_planfix.calls.tracker import Settings
from tests.calls.mirror import Mirror
from tests.load.exchange import Listening
from tests.load.player import Played
from tests.load.verdict import History

MOST_HISTORIES = 100_000
"""Of one call that are tried."""
TAKING = 1.0
"""Seconds that a snapshot may take to be heard."""


class Break(NamedTuple):
    """A moment from which on nothing is heard for a while; places in the stream."""

    place: int
    unsure: int
    """From here on what was told may be lost too."""


class Item(NamedTuple):
    """Something that was heard, and where it stands in the stream."""

    place: int
    what: Event | Snapshot


_Key = tuple[int, bool]
"""Where something stands, and whether it is an event: a snapshot comes before it."""


class Ear:
    """What one daemon may have heard; `breaks` are the ends of its connections and of its lives."""

    def __init__(self, listened: Iterable[Listening], breaks: Iterable[Break]) -> None:
        self._listened = list(listened)
        self._breaks = sorted(breaks)

    def heard_all(self, played: Played) -> bool:
        """Tell whether it is certain that all of a call was heard."""
        if not played.is_whole:
            return False
        first, last = played.places[0], played.places[-1]
        held = any(one.since <= first and (one.until is None or last < one.until) for one in self._listened)
        return held and not any(one.place > first and one.unsure <= last for one in self._breaks)

    def listens(self, place: int) -> bool:
        """Tell whether the daemon is told what happens there."""
        return any(one.holds(place) for one in self._listened)

    def heard(self, played: Played, told: Sequence[tuple[int, Event]]) -> list[tuple[Item, ...]]:
        """Tell all that can have been heard, noted, and not been lost, the most first."""
        found: list[tuple[Item, ...]] = [()]
        for step in self._steps(played.places[0], played.places[-1]):
            if isinstance(step, Break):
                # A dict, since what is told apart by nothing that was lost is the same.
                cut = (short for heard in found for short in _cut(heard, step.unsure))
                found = list({tuple(one.place for one in heard): heard for heard in cut}.values())[:MOST_HISTORIES]
                continue
            until = inf if step.until is None else step.until
            more = [Item(place, event) for place, event in told if step.since <= place < until]
            if step.snapshot is not None:
                place, at = step.snapshot
                number = sum(one.place < place for one in more)
                more.insert(number, Item(place, _snapshot(played, told, place, at)))
            found = [(*heard, *more) for heard in found]
        return found

    def _steps(self, first: int, last: int) -> list[Listening | Break]:
        """Tell what happened to the daemon, in order, from a call's beginning until long enough after its end."""
        listened = [one for one in self._listened if one.until is None or one.until >= first]
        after = [one.since for one in listened if one.since > last and one.snapshot is not None]
        end = after[1] if len(after) > 1 else inf
        steps: list[tuple[float, int, Listening | Break]] = [(one.since, 1, one) for one in listened]
        steps += [(one.place, 0, one) for one in self._breaks if one.place >= first]
        return [step for place, _, step in sorted(steps, key=lambda step: step[:2]) if place <= end]


class Hearing:
    """What several daemons may have heard together."""

    def __init__(self, ears: Sequence[Ear], settings: Settings) -> None:
        self._ears = ears
        self._settings = settings

    def is_undisturbed(self, played: Played) -> bool:
        """Tell whether it is certain that all of a call was heard."""
        return any(ear.heard_all(played) for ear in self._ears)

    def histories(self, played: Played) -> Iterator[History]:
        """Give every possible history of a call, the one with the least lost first."""
        if not played.places:
            yield History(())
        elif self.is_undisturbed(played):
            yield History(played.copy.expected(self._settings))
        else:
            told = list(played.told())
            each = [ear.heard(played, told) for ear in self._ears]
            seen: set[frozenset[_Key]] = set()
            for heard in islice(product(*each), MOST_HISTORIES):
                together = {(one.place, not isinstance(one.what, Snapshot)): one for items in heard for one in items}
                for left_out in _parts_of(self._unknown_to_another(heard, played.places[0])):
                    keys = frozenset(together.keys() - left_out)
                    if keys not in seen:
                        seen.add(keys)
                        yield self._history(played, [together[key] for key in sorted(keys)])

    def _unknown_to_another(self, heard: Sequence[Sequence[Item]], begin: int) -> set[_Key]:
        """Tell which snapshots after `begin` came to one daemon while another listened."""
        return {
            (one.place, False)
            for ear, items in zip(self._ears, heard, strict=True)
            for one in items
            if isinstance(one.what, Snapshot)
            and one.place > begin
            and any(other.listens(one.place) for other in self._ears if other is not ear)
        }

    def _history(self, played: Played, heard: Sequence[Item]) -> History:
        tracker = played.copy.recorded.story.tracker(self._settings)
        reports: list[Report] = []
        slack, before = 0.0, inf
        for _, what in heard:
            if isinstance(what, Snapshot):
                went_on = tracker.live()
                reports += tracker.resync(what).reports
                if went_on or tracker.live():
                    slack += max(0.0, what.at - before) + TAKING
            else:
                reports += tracker.handle(what).reports
            before = what.at
        return History(reports, slack)


def _parts_of(keys: set[_Key]) -> Iterator[set[_Key]]:
    """Give all sets that can be made of these, the smaller first."""
    return map(set, chain.from_iterable(combinations(sorted(keys), size) for size in range(len(keys) + 1)))


def _cut(heard: tuple[Item, ...], unsure: int) -> Iterator[tuple[Item, ...]]:
    """Give what is left if nothing is lost, if the last is, and so on back to `unsure`."""
    yield heard
    for number in range(len(heard) - 1, -1, -1):
        if heard[number].place < unsure:
            return
        yield heard[:number]


def _snapshot(played: Played, told: Sequence[tuple[int, Event]], place: int, at: float) -> Snapshot:
    """Tell which channels of a call exist at a place in the stream."""
    died = played.died_at is not None and played.died_at <= place
    mirror = Mirror() if died else Mirror(event for where, event in told if where < place)
    return mirror.snapshot()._replace(at=at)
