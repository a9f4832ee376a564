"""Bytes to reports: beside cacofonisk from bytes to what its reporter is told."""

from functools import partial

from ami_planfix.ami.listening import Ears, Heard
from ami_planfix.ami.wire import Splitter
from ami_planfix.calls.tracker import Tracker
from ami_planfix.numbering import Numbering
from tests.benchmarks import load, references
from tests.benchmarks.measuring import Figure, Result, contest, median, processor_time, ratio
from tests.benchmarks.parse import Deaf

CALLS = 250
GOALS = {"clean": "3.5x", "noisy": "12x"}


class Listener(Deaf):
    """A listener that has a tracker follow what it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.told = 0
        self._tracker = Tracker(Numbering(load.config()))

    def heard(self, batch: list[Heard]) -> None:
        """Track, and count the reports."""
        for one in batch:
            self.told += len(self._tracker.handle(one.event).reports)


def run() -> Result:
    """Measure."""
    figures: list[Figure] = []
    for kind, choose in (("clean", load.clean), ("noisy", load.noisy)):
        messages = [one.raw for one in choose(load.calls(CALLS))]
        reads = load.reads(messages)
        with references.cacofonisk(reads) as cacofonisk:
            took = contest(partial(report, reads), cacofonisk)
        ours, theirs = ([1e6 * seconds / len(messages) for seconds in rounds] for rounds in took)
        figures.append(
            Figure(
                f"bytes to reports, {kind}",
                median(ours),
                "us/event",
                "cacofonisk",
                median(theirs),
                ratio(ours, theirs),
                GOALS[kind],
            )
        )
    return Result("reports", figures)


def report(reads: list[bytes]) -> float:
    """Follow all calls of a stream; seconds of processor time. What is known of numbers is learned anew."""
    listener = Listener()
    ears, splitter = Ears(listener, lambda: None), Splitter(lf=False)

    def work() -> None:
        for data in reads:
            ears.take(splitter.feed(data), load.BEGIN, None)
        assert listener.told

    return processor_time(work)
