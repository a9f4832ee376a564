"""Bytes to events: beside panoramisk with fifteen patterns, and beside splitting alone."""

from collections.abc import Callable

from ami_planfix.ami.listening import Ears, Heard
from ami_planfix.ami.wire import Splitter
from ami_planfix.calls.events import Snapshot
from tests.benchmarks import load, references
from tests.benchmarks.measuring import Figure, Result, contest, median, processor_time, ratio

CALLS = 250
GOALS = {"clean": "5x", "noisy": "17x"}


class Deaf:
    """A listener that counts."""

    def __init__(self) -> None:
        self.count = 0

    def heard(self, batch: list[Heard]) -> None:
        """Count."""
        self.count += len(batch)

    def connected(self, since: float) -> None:
        """Ignore."""

    def resync(self, snapshot: Snapshot) -> None:
        """Ignore."""

    def lost(self, at: float) -> None:
        """Ignore."""


def run() -> Result:
    """Measure."""
    figures: list[Figure] = []
    for kind, choose in (("clean", load.clean), ("noisy", load.noisy)):
        messages = [one.raw for one in choose(load.calls(CALLS))]
        reads = load.reads(messages)
        took = contest(
            round_of(reads),
            references.panoramisk(reads),
            references.read_and_split(reads),
        )
        ours, panoramisk, split = ([1e6 * seconds / len(messages) for seconds in rounds] for rounds in took)
        value = median(ours)
        figures += [
            Figure(
                f"parse, {kind}",
                value,
                "us/event",
                "panoramisk",
                median(panoramisk),
                ratio(ours, panoramisk),
                GOALS[kind],
            ),
            Figure(f"parse, {kind}", value, "us/event", "split alone", median(split), ratio(ours, split)),
        ]
    dropped = [one.raw for one in load.noisy(load.calls(CALLS)) if not load.is_used(one.raw)]
    reads = load.reads(dropped)
    (took_dropped,) = contest(round_of(reads))
    figures.append(Figure("an event that is dropped", 1e6 * median(took_dropped) / len(dropped), "us", goal="<= 1 us"))
    return Result("parse", figures)


def round_of(reads: list[bytes]) -> Callable[[], float]:
    """Make a round of a contest."""
    return lambda: processor_time(lambda: parse(reads))


def parse(reads: list[bytes]) -> int:
    """Do what a connection does with what it reads."""
    deaf = Deaf()
    ears = Ears(deaf, lambda: None)
    splitter = Splitter(lf=False)
    for data in reads:
        ears.take(splitter.feed(data), load.BEGIN, None)
    return deaf.count
