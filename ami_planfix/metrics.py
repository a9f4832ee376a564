"""Figures for Prometheus, read off when somebody asks."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST


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


class Figures(NamedTuple):
    """What is counted at one moment."""

    connected: bool
    """Asterisk knows us."""
    live_calls: int
    ami_messages: int
    """Messages read from Asterisk since the daemon began."""
    outbox: Mapping[str, int]
    """Reports by state."""
    well: Mapping[str, bool]
    """Whether each part that is configured is well."""
    recordings: Mapping[str, int]
    """Recordings by how far they have come; empty where links lead nowhere."""


def exposition(figures: Figures) -> bytes:
    """Write figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Reading(figures))
    return generate_latest(registry)


class _Reading(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Tell all figures (prometheus_client)."""
        figures = self._figures
        yield _gauge("ami_connected", "1 while Asterisk knows us", int(figures.connected))
        yield _gauge("live_calls", "Calls that go on", figures.live_calls)
        yield _gauge("ami_messages", "Messages read from Asterisk since the start", figures.ami_messages)
        outbox = GaugeMetricFamily("ami_planfix_reports", "Reports in the outbox", labels=["state"])
        for state, count in figures.outbox.items():
            outbox.add_metric([state], count)
        yield outbox
        recordings = GaugeMetricFamily(
            "ami_planfix_recordings", "Recordings: waiting for their files, linked, missing", labels=["state"]
        )
        for state, count in figures.recordings.items():
            recordings.add_metric([state], count)
        yield recordings
        parts = GaugeMetricFamily("ami_planfix_part_well", "1 while a part is well", labels=["part"])
        for part, well in figures.well.items():
            parts.add_metric([part], int(well))
        yield parts


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"ami_planfix_{name}", about, value=value)
