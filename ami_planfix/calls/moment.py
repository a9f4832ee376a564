"""What is happening now, and what is made of it; and what the administrator chose about that."""

from typing import NamedTuple

from ami_planfix.calls.attributes import Attribute
from ami_planfix.calls.reports import Report, Silence


class Choices(NamedTuple):
    """What the administrator chose (`calls`)."""

    transfers_each: bool = False
    missed_each: bool = False
    attributes: frozenset[Attribute] = frozenset()


Note = tuple[str, tuple[object, ...]]
"""A conclusion, put into words (`str.format`) only if somebody asks: nobody does on a day without trouble."""


class Moment:
    """What is happening now, and what is made of it."""

    __slots__ = ("at", "channel", "event", "notes", "reports", "silences", "until")

    def __init__(self, at: float, until: float, event: str, channel: str = "") -> None:
        self.at = at
        """Time of the event, which is that of its reports."""
        self.until = until
        """Last moment of which something is known; durations end here (differs from `at` in a resync only)."""
        self.event = event
        """What happened, under AMI's name."""
        self.channel = channel
        """To which channel."""
        self.reports: list[Report] = []
        self.notes: list[Note] = []
        self.silences: list[Silence] = []

    @property
    def cause(self) -> str:
        """Tell the event to a person: `BridgeEnter PJSIP/101-0000001a`."""
        return f"{self.event} {self.channel}" if self.channel else self.event

    def note(self, words: str, *values: object) -> None:
        """Note a conclusion, with its rule, in words with a `{}` for each value."""
        self.notes.append((words, values))
