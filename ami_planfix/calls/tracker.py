"""The tracker: events in, reports out; nothing else changes it, and it changes nothing else."""

from typing import NamedTuple

from ami_planfix.calls.events import Event, Snapshot, Uniqueid
from ami_planfix.calls.parties import Directory
from ami_planfix.calls.reports import CallId, Direction, Extension, Report


class Settings(NamedTuple):
    """What the administrator chose (`calls`, `ami.name`)."""

    pbx: str = ""
    """Goes before every callid with a hyphen, if not empty."""
    transfers_each: bool = False
    missed_each: bool = False


class Conclusion(NamedTuple):
    """What one event led to."""

    reports: tuple[Report, ...] = ()
    used: bool = False
    """The event belongs into the journal: a replay without it could end differently."""
    gone: tuple[Uniqueid, ...] = ()
    """Channels of which nothing is kept any more; their journal can go with them."""
    notes: tuple[str, ...] = ()
    """What was concluded, with its rule, for `explain`."""


class LiveCall(NamedTuple):
    """A call as it stands, for `ami-planfix calls` and the status page."""

    callid: CallId
    direction: Direction
    client: str
    did: str
    since: float
    ringing: tuple[Extension, ...]
    talking: tuple[Extension, ...]
    talking_since: float | None
    seconds: int
    """Whole seconds of conversation until the last talk began."""


class Tracker:
    """Follows every call of one PBX; deterministic: the same events lead to the same reports."""

    def __init__(self, directory: Directory, settings: Settings = Settings()) -> None:
        self._directory = directory
        self._settings = settings

    def handle(self, event: Event) -> Conclusion:
        """Take one event, in the order in which AMI sent it; never raises on what an event says."""
        raise NotImplementedError

    def resync(self, snapshot: Snapshot) -> Conclusion:
        """Take what Asterisk says exists now: what it does not name has ended."""
        raise NotImplementedError

    def live(self) -> tuple[LiveCall, ...]:
        """Tell the calls that go on, oldest first."""
        raise NotImplementedError
