"""Figures for Prometheus: counted where things happen, by plain additions, and read off when somebody asks."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST
_PROMPT = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0)
_WRITING = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0)


class Histogram:
    """Counts durations by how long they were."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        """Seconds, growing."""
        self.counts = [0] * (len(bounds) + 1)
        """How many were up to each bound and over the one before it; the last: over all."""
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds


@dataclass(slots=True)
class Sent:
    """What became of reports since the daemon began."""

    delivered: int = 0
    postponed: int = 0
    """Attempts that failed and are made again."""
    refused: int = 0
    left_out: int = 0
    """Popups that it was too late for."""
    seconds: Histogram = field(default_factory=lambda: Histogram(_PROMPT))
    """From Asterisk's event to Planfix's answer, of what was delivered."""


def written_histogram() -> Histogram:
    """Make the histogram for the time from Asterisk's event until its report is on disk."""
    return Histogram(_WRITING)


class Figures(NamedTuple):
    """What is counted at one moment; counters count since the daemon began."""

    version: str
    connected: bool
    """Asterisk knows us."""
    connects: int
    """Attempts to connect to Asterisk."""
    ami_messages: int
    ami_bytes: int
    live_calls: int
    ended: Mapping[tuple[str, str], int]
    """Ended parts of calls, by type and status as Planfix gets them."""
    silences: Mapping[str, int]
    """Calls that were not reported, by reason."""
    backlog: int
    """Messages and reports that wait to be written to disk."""
    written: Histogram
    damages: int
    """Files of the database that were found damaged and replaced since the daemon began."""
    stands_in: bool
    """State is kept elsewhere, since the database cannot be written."""
    sent: Sent
    outbox: Mapping[str, int]
    """Reports that are waiting or dead."""
    oldest_waiting: float
    """For how many seconds the oldest report has waited."""
    lookups: Mapping[str, int]
    """Questions for callers' names, by how they were answered."""
    lookup_seconds: Histogram
    lookups_paused: bool
    """Planfix is not asked for a while."""
    recordings: Mapping[str, int]
    """Recordings that are waiting or missing; empty where links lead nowhere."""
    well: Mapping[str, bool]
    """Whether each part that is configured is well."""
    alerts: Mapping[str, bool]
    """Whether people are told now that each thing is wrong."""


def exposition(figures: Figures) -> bytes:
    """Write figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Reading(figures))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Reading(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Tell all figures (prometheus_client)."""
        all_of_them = (_asterisk, _calls, _reports, _contacts, _parts)
        for some in all_of_them:
            yield from some(self._figures)


def _asterisk(figures: Figures) -> Iterator[Metric]:
    yield _gauge("ami_connected", "1 while Asterisk knows us", figures.connected)
    yield _counter("ami_connects_total", "Attempts to connect to Asterisk", figures.connects)
    yield _counter("ami_messages_total", "Messages read from Asterisk", figures.ami_messages)
    yield _counter("ami_bytes_total", "Bytes read from Asterisk", figures.ami_bytes)


def _calls(figures: Figures) -> Iterator[Metric]:
    yield _gauge("live_calls", "Calls that go on", figures.live_calls)
    ended = _counters("calls_total", "Parts of calls that ended, by type and status", ("type", "status"))
    for labels, count in figures.ended.items():
        ended.add_metric(labels, count)
    yield ended
    silences = _counters("calls_not_reported_total", "Calls that were not reported, by reason", ("reason",))
    for reason, count in figures.silences.items():
        silences.add_metric((reason,), count)
    yield silences


def _reports(figures: Figures) -> Iterator[Metric]:
    sent = figures.sent
    results = _counters("reports_total", "What became of reports, and attempts that failed (postponed)", ("result",))
    for result in ("delivered", "postponed", "refused", "left_out"):
        results.add_metric((result,), getattr(sent, result))
    yield results
    outbox = _gauges("outbox_reports", "Reports that wait for Planfix, or that it refused (dead)", ("state",))
    for state, count in figures.outbox.items():
        outbox.add_metric((state,), count)
    yield outbox
    yield _gauge("oldest_waiting_seconds", "Age of the oldest report that waits", figures.oldest_waiting)
    yield _gauge("backlog", "Messages and reports that wait to be written to disk", figures.backlog)
    yield _counter("database_damaged_total", "Database files found damaged and replaced", figures.damages)
    yield _gauge("database_stand_in", "1 while the database fails and state is kept elsewhere", figures.stands_in)
    yield _histogram("written_seconds", "From Asterisk's event until its report is on disk", figures.written)
    yield _histogram("delivery_seconds", "From Asterisk's event until Planfix has taken the report", sent.seconds)


def _contacts(figures: Figures) -> Iterator[Metric]:
    lookups = _counters("lookups_total", "Questions for callers' names, by how they were answered", ("result",))
    for result, count in figures.lookups.items():
        lookups.add_metric((result,), count)
    yield lookups
    yield _histogram("lookup_seconds", "How long Planfix took to tell a name", figures.lookup_seconds)
    yield _gauge("lookups_paused", "1 while Planfix is not asked, since it did not answer", figures.lookups_paused)


def _parts(figures: Figures) -> Iterator[Metric]:
    recordings = _gauges("recordings", "Recordings whose files are waited for, or did not appear", ("state",))
    for state, count in figures.recordings.items():
        recordings.add_metric((state,), count)
    yield recordings
    parts = _gauges("part_well", "1 while a part is well", ("part",))
    for part, well in figures.well.items():
        parts.add_metric((part,), int(well))
    yield parts
    alerts = _gauges("alert", "1 while people are told that this is wrong", ("trouble",))
    for trouble, active in figures.alerts.items():
        alerts.add_metric((trouble,), int(active))
    yield alerts
    info = _gauges("info", "1; the version is in the label", ("version",))
    info.add_metric((figures.version,), 1)
    yield info


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"ami_planfix_{name}", about, value=value)


def _gauges(name: str, about: str, labels: Iterable[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"ami_planfix_{name}", about, labels=tuple(labels))


def _counter(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(f"ami_planfix_{name}", about, value=value)


def _counters(name: str, about: str, labels: Iterable[str]) -> CounterMetricFamily:
    return CounterMetricFamily(f"ami_planfix_{name}", about, labels=tuple(labels))


def _histogram(name: str, about: str, counted: Histogram) -> Metric:
    bounds = [*map(str, counted.bounds), "+Inf"]
    buckets = list(zip(bounds, map(float, accumulate(counted.counts)), strict=True))
    return HistogramMetricFamily(f"ami_planfix_{name}", about, buckets=buckets, sum_value=counted.sum)
