"""A busy PBX for a long time: `python -m tests.calls.soak --calls 100000`; what is left at its end is a leak.

Replicas of all stories that share a configuration run through one tracker, about a hundred at once. Each must give as
many reports as alone, and when all are over, the process must hold what it held after the first few thousand.
"""

import argparse
import heapq
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from ami_planfix.calls.events import Event
from ami_planfix.calls.tracker import Settings, Tracker
from tests.calls.memory import left_in, objects
from tests.calls.replicas import replica
from tests.calls.story import Story, heard, load, names

BEGIN = 1_700_000_000.0
APART = 0.05
"""Seconds between the beginnings of two stories."""
WARM_UP = 12_000
"""Stories after which caches and the memory of the dead have their size."""
BLOCKS_OF_NOISE = 5000


@dataclass
class Result:
    """What a soak found."""

    calls: int
    events: int
    seconds: float
    reports: int
    reports_expected: int
    left: dict[str, int]
    """Objects of the tracker that should be gone."""
    blocks_grown: int
    """Blocks of memory held more than after the warm-up."""

    @property
    def well(self) -> bool:
        """Tell whether nothing leaked and nothing was reported wrongly."""
        return not self.left and self.reports == self.reports_expected and self.blocks_grown <= self.blocks_allowed

    @property
    def blocks_allowed(self) -> int:
        """How many blocks may come and go by chance: less than one for ten calls."""
        return max(BLOCKS_OF_NOISE, self.calls // 10)


def stories_of_one_pbx() -> list[Story]:
    """Give the stories that share the most common configuration."""
    kinds: dict[str, list[Story]] = {}
    for story in map(load, names()):
        config = story.expected.config
        kinds.setdefault(config.model_dump_json(include={"numbering", "trunks", "dids", "ignore"}), []).append(story)
    return max(kinds.values(), key=len)


class Soak:
    """One tracker, and the stories that run through it."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._stories = stories_of_one_pbx()
        self._expected = [len(heard(story.tracker(Settings()), story.events)) for story in self._stories]
        self._tracker = Tracker(self._stories[0].directory)
        self._now = BEGIN
        self.calls = self.events = self.reports = self.reports_expected = 0

    def run(self, calls: int, until: float) -> None:
        """Play so many stories, interleaved, or as many as the time allows, and all of them to their end."""
        active: list[tuple[float, int, Event, Iterator[Event]]] = []
        for _ in range(calls):
            if time.monotonic() >= until:
                break
            self._now += APART
            self.calls += 1
            chosen = self._random.randrange(len(self._stories))
            self.reports_expected += self._expected[chosen]
            self._push(active, self.calls, replica(self._stories[chosen].events, self.calls, self._now))
            while active[0][0] <= self._now:
                self._step(active)
            if self.calls % 5000 == 0:
                _say(f"{self.calls} calls, {self.events} events, {len(active)} at once")
        while active:
            self._now = max(self._now, active[0][0])
            self._step(active)

    def left(self) -> dict[str, int]:
        """Count what the tracker, or the process, still holds of calls that are over."""
        return dict(left_in(self._tracker) | objects())

    def _step(self, active: list[tuple[float, int, Event, Iterator[Event]]]) -> None:
        _, tag, event, rest = heapq.heappop(active)
        self.events += 1
        self.reports += len(self._tracker.handle(event).reports)
        self._push(active, tag, rest)

    @staticmethod
    def _push(active: list[tuple[float, int, Event, Iterator[Event]]], tag: int, rest: Iterator[Event]) -> None:
        event = next(rest, None)
        if event is not None:
            heapq.heappush(active, (event.at, tag, event, rest))


def soak(calls: int, seed: int = 0, seconds: float = float("inf")) -> Result:
    """Let a tracker work; the warm-up is among the calls."""
    begin = time.monotonic()
    before = objects()
    work = Soak(seed)
    work.run(min(calls, WARM_UP), begin + seconds)
    work.left()  # collects garbage
    blocks = sys.getallocatedblocks()
    work.run(max(0, calls - WARM_UP), begin + seconds)
    left = Counter(work.left()) - before
    return Result(
        calls=work.calls,
        events=work.events,
        seconds=round(time.monotonic() - begin, 1),
        reports=work.reports,
        reports_expected=work.reports_expected,
        left=dict(left),
        blocks_grown=sys.getallocatedblocks() - blocks,
    )


def main() -> int:
    """Run as the words say; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.calls.soak", description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000, metavar="N", help="stories to play (100000)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another one, another order (0)")
    parser.add_argument("--seconds", type=float, default=float("inf"), metavar="S", help="begin no story after that")
    parser.add_argument("--json", action="store_true", help="tell the result as JSON")
    words = parser.parse_args()
    result = soak(words.calls, words.seed, words.seconds)
    if words.json:
        print(json.dumps({**asdict(result), "well": result.well}))
    else:
        print(
            f"{result.calls} calls, {result.events} events in {result.seconds} s; {result.reports} reports of "
            f"{result.reports_expected}; left: {result.left or 'nothing'}; memory grew by {result.blocks_grown} blocks "
            f"(allowed: {result.blocks_allowed}): {'well' if result.well else 'FAILED'}"
        )
    return 0 if result.well else 1


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
