"""Rounds that take turns, medians, and the figures that come of them."""

import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

ROUNDS = 7


@dataclass(frozen=True)
class Figure:
    """One thing that was measured."""

    what: str
    value: float
    unit: str
    reference: str = ""
    """Beside what it was measured; `''`: nothing."""
    reference_value: float | None = None
    ratio: float | None = None
    """How many times the reference costs as much."""
    goal: str = ""
    """What issue or manual promise; `5x`, `< 20 ms`."""

    def as_row(self) -> tuple[str, ...]:
        """Write it for a table."""
        beside = "" if self.reference_value is None else f"{self.reference} {number(self.reference_value)}"
        ratio = "" if self.ratio is None else f"{self.ratio:.1f}x"
        return self.what, f"{number(self.value)} {self.unit}", beside, ratio, self.goal

    def as_json(self) -> dict[str, object]:
        """Write it for a program."""
        return asdict(self)


HEADINGS = ("figure", "ours", "reference", "ratio", "goal")

Series = Mapping[str, Sequence[tuple[float, float]]]


@dataclass(frozen=True)
class Result:
    """What one benchmark found."""

    name: str
    figures: list[Figure]
    series: Series | None = None
    """Lines for the plot, by name: x and y; those with the same word before a colon are drawn together."""


def number(value: float) -> str:
    """Write a number with three digits that mean something."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def processor_time(work: Callable[[], object]) -> float:
    """Do it once; seconds of processor time."""
    gc.collect()
    gc.freeze()  # what the benchmark itself holds, its load above all, is nobody's garbage to look through
    begin = time.process_time()
    work()
    return time.process_time() - begin


def contest(ours: Callable[[], float], *others: Callable[[], float], rounds: int = ROUNDS) -> list[list[float]]:
    """Let all take turns, each telling its seconds; a list of rounds for each. The first round warms up."""
    found: list[list[float]] = [[] for _ in range(len(others) + 1)]
    for turn in range(rounds + 1):
        for one, took in zip((ours, *others), found, strict=True):
            seconds = one()
            if turn:
                took.append(seconds)
    return found


def median(values: Iterable[float]) -> float:
    """Tell the median."""
    return statistics.median(values)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Tell how many times theirs is ours: the median of the pairs."""
    return median(their / our for our, their in zip(ours, theirs, strict=True))


def percentile(values: Sequence[float], share: float) -> float:
    """Tell below what so much of the values lies (0.99)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def say(words: str) -> None:
    """Tell people how it goes."""
    print(words, file=sys.stderr, flush=True)
