"""What is happening now, and what is made of it; and what the administrator chose about that."""

from dataclasses import dataclass, field
from typing import NamedTuple

from ami_planfix.calls.attributes import Attribute
from ami_planfix.calls.reports import Report, Silence


class Choices(NamedTuple):
    """What the administrator chose (`calls`)."""

    transfers_each: bool = False
    missed_each: bool = False
    attributes: frozenset[Attribute] = frozenset()


@dataclass(slots=True)
class Moment:
    """What is happening now, and what is made of it."""

    at: float
    """Time of the event, which is that of its reports."""
    until: float
    """Last moment of which something is known; durations end here (differs from `at` in a resync only)."""
    cause: str
    reports: list[Report] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
