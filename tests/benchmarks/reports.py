"""Bytes to reports: beside cacofonisk from bytes to what its reporter is told."""

from functools import partial

from ami_planfix.ami.decode import decode_all
from ami_planfix.ami.wire import Splitter
from ami_planfix.calls.tracker import Tracker
from ami_planfix.numbering import Numbering
from tests.benchmarks import load, references
from tests.benchmarks.measuring import Figure, Result, contest, median, processor_time, ratio

CALLS = 250
GOALS = {"clean": "3.5x", "noisy": "12x"}


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
    tracker = Tracker(Numbering(load.config()))
    splitter = Splitter(lf=False)

    def work() -> None:
        told = 0
        for data in reads:
            for event, _ in decode_all(splitter.feed(data), load.BEGIN, lambda raw: False, ask_always=False):
                told += len(tracker.handle(event).reports)
        assert told

    return processor_time(work)
