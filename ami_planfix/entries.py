"""What lies in the outbox, how it is written down, and what can become of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from pydantic import TypeAdapter

from ami_planfix.calls.reports import CallId, Report


class Kind(StrEnum):
    """What a row tells Planfix."""

    EVENT = "event"
    RECORD = "record"


class State(StrEnum):
    """How far a row has come."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    STALE = "stale"
    """Left out: too old for a popup."""
    DEAD = "dead"
    """Planfix refused it."""
    DROPPED = "dropped"
    """An administrator gave it up."""
    OBSERVED = "observed"
    """`run --observe` told of it and sent nothing."""


@dataclass(frozen=True, slots=True)
class RecordLink:
    """Where a call's recording can be had."""

    at: float
    callid: CallId
    link: str
    temporary: bool = False
    """The link serves one download."""


Entry = Report | RecordLink


class Due(NamedTuple):
    """A row that was claimed: to be sent now."""

    id: int
    entry: Entry
    attempts: int
    """How many have failed."""
    opener: "Due | None" = None
    """The INCOMING or OUTGOING of the same part that was left out, to be sent directly before."""
    behind: "tuple[Due, ...]" = ()
    """What was claimed with it of the same call: to be sent after it, one after another."""


class Delivered(NamedTuple):
    """Planfix took it."""

    id: int
    answer: str


class Observed(NamedTuple):
    """Nobody was sent it."""

    id: int
    answer: str = "not sent"


class Postponed(NamedTuple):
    """It failed, and is due again at `next_at`."""

    id: int
    answer: str
    next_at: float


class Buried(NamedTuple):
    """Planfix refused it for good."""

    id: int
    answer: str


class Returned(NamedTuple):
    """It was not tried; due at once."""

    id: int


Result = Delivered | Observed | Postponed | Buried | Returned


_REPORT = TypeAdapter(Report)
_RECORD_LINK = TypeAdapter(RecordLink)


def dump(entry: Entry) -> str:
    """Write an entry as JSON; there are no secrets in it."""
    written = _REPORT.dump_json(entry) if isinstance(entry, Report) else _RECORD_LINK.dump_json(entry)
    return written.decode()


def load(kind: Kind, payload: str) -> Entry:
    """Read what `dump` wrote; raise ValueError."""
    match kind:
        case Kind.EVENT:
            return _REPORT.validate_json(payload)
        case Kind.RECORD:
            return _RECORD_LINK.validate_json(payload)
