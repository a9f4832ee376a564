"""Memory and time with many calls going on: linear in memory, flat in time, and nothing left after the hangups."""

import gc
import tracemalloc
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice

from ami_planfix.ami.decode import decode
from ami_planfix.calls.events import Event, Hangup
from ami_planfix.calls.tracker import Tracker
from ami_planfix.journal import Scribe
from ami_planfix.numbering import Numbering
from tests.benchmarks import load
from tests.benchmarks.measuring import Figure, Result, median, processor_time, say
from tests.load.recorded import Recorded, recorded_calls

STORY = "incoming/direct_client_hangs_up"
LIVE = (10, 100, 1_000, 10_000)
PROBES = 60
"""Whole calls among those that go on, on which the time is taken."""
REMEMBERED = 5_000
"""Calls that are over after which the memory of the dead has its size."""
LATER = 3600.0
"""Seconds after which nothing is remembered of the calls that were over by then."""


class Side:
    """The memory of the product: the tracker, and the journal's of which channels belong together."""

    def __init__(self) -> None:
        self.tracker = Tracker(Numbering(load.config()))
        self.scribe = Scribe()

    def hear(self, event: Event, raw: bytes) -> None:
        """Take an event as the pipeline does, but for the disk."""
        conclusion = self.tracker.handle(event)
        if conclusion.used:
            self.scribe.event_row(event, raw)
        if conclusion.gone:
            self.scribe.forget(conclusion.gone)

    def hear_all(self, events: Iterable[tuple[Event, bytes]]) -> None:
        """Take many."""
        for event, raw in events:
            self.hear(event, raw)


def run() -> Result:
    """Measure."""
    story = next(one for one in recorded_calls() if one.story.name == STORY)
    growth = _times(story)
    held, left = _memory(story)
    per_call = (held[-1][1] - held[0][1]) / (held[-1][0] - held[0][0])
    figures = [
        Figure("memory of a live call", per_call, "kB", goal="<= 6 kB"),
        Figure(f"left after the hangup of {LIVE[-1]:,} calls", left, "kB", goal="0"),
        *(
            Figure(f"an event among {live:,.0f} live calls", took, "us", "among 10", growth[0][1], growth[0][1] / took)
            for live, took in growth[1:]
        ),
    ]
    return Result("memory", figures, {"us per event, by live calls": growth, "kB held, by live calls": held})


def _times(story: Recorded) -> list[tuple[float, float]]:
    side = _with_calls_over(story)
    found = []
    for live in LIVE:
        _let_begin(side, story, live)
        found.append((float(live), _time_per_event(side, story, live)))
        say(f"{live} live calls: {found[-1][1]:.2f} us/event")
    return found


def _memory(story: Recorded) -> tuple[list[tuple[float, float]], float]:
    """Tell what so many calls hold, and what is left when all have ended; kB.

    As many have come and gone twice before: tables that have grown once stay as large (the interpreter's of interned
    strings grows with those that were ever in it), and memories of what is over are full.
    """
    tracemalloc.start()
    side = _with_calls_over(story)
    for turn in (1, 2):
        _let_begin(side, story, LIVE[-1])
        _hang_up(side, story, turn)
    before = _kilobytes()
    found = []
    for live in LIVE:
        _let_begin(side, story, live)
        found.append((float(live), _kilobytes() - before))
        say(f"{live} live calls: {found[-1][1]:.0f} kB")
    _hang_up(side, story, 3)
    left = _kilobytes() - before
    tracemalloc.stop()
    return found, left


def _hang_up(side: Side, story: Recorded, turn: int) -> None:
    """End all calls, and let so many come after them that nothing is remembered of these."""
    for tag in range(LIVE[-1]):
        talking = sum(1 for _ in _talking(story, tag))
        side.hear_all(islice(_all(story, tag), talking, None))
    assert not side.tracker.live()
    _let_be_over(side, story, (2 + turn) * 1_000_000, load.BEGIN + turn * LATER)


def _kilobytes() -> float:
    gc.collect()
    return tracemalloc.get_traced_memory()[0] / 1000


def _with_calls_over(story: Recorded) -> Side:
    """Have as many calls be over as are remembered for a while: what that holds is of no live call."""
    side = Side()
    _let_be_over(side, story, 1_000_000, load.BEGIN)
    return side


def _let_be_over(side: Side, story: Recorded, first: int, begin: float) -> None:
    for tag in range(first, first + REMEMBERED):
        side.hear_all(_all(story, tag, begin))


def _let_begin(side: Side, story: Recorded, live: int) -> None:
    for tag in range(len(side.tracker.live()), live):
        side.hear_all(_talking(story, tag))
    assert len(side.tracker.live()) == live


def _time_per_event(side: Side, story: Recorded, live: int) -> float:
    rounds = []
    for turn in range(7):
        first = 2_000_000 + live * 100 + turn * PROBES
        probes = [list(_all(story, tag)) for tag in range(first, first + PROBES)]
        took = processor_time(partial(side.hear_all, [one for probe in probes for one in probe]))
        rounds.append(took / sum(map(len, probes)))
    assert len(side.tracker.live()) == live
    return 1e6 * median(rounds)


def _all(story: Recorded, tag: int, begin: float = load.BEGIN) -> Iterator[tuple[Event, bytes]]:
    for at, raw in story.copy(tag, begin):
        event = decode(raw, at)
        if event is not None:
            yield event, raw


def _talking(story: Recorded, tag: int) -> Iterator[tuple[Event, bytes]]:
    """Give what comes before anybody hangs up."""
    for event, raw in _all(story, tag):
        if isinstance(event, Hangup) or type(event).__name__ in ("HangupRequest", "BridgeLeave"):
            return
        yield event, raw
