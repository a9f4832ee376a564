"""What we say: a report about one employee's part in a call, in our words and not yet in Planfix's."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

CallId = NewType("CallId", str)
Extension = NewType("Extension", str)


class Direction(StrEnum):
    """Who called whom."""

    INCOMING = "in"
    OUTGOING = "out"


class Stage(StrEnum):
    """What has happened to a part."""

    RANG = "rang"
    """Incoming: the employee's phone begins to ring for the client."""
    DIALLED = "dialled"
    """Outgoing: the client is being called."""
    ACCEPTED = "accepted"
    """Employee and client talk."""
    COMPLETED = "completed"


class Outcome(StrEnum):
    """How a part ended."""

    SUCCESS = "success"
    MISSED = "missed"
    CANCELED = "canceled"
    BUSY = "busy"
    NO_ANSWER = "no answer"
    NOT_AVAILABLE = "not available"
    NOT_ALLOWED = "not allowed"


class Silence(StrEnum):
    """Why nothing was sent about a call; such calls are counted."""

    NOBODY = "nobody to report it for"
    """It reached no employee, and no default extension is configured (rules 6, 20, 25)."""
    CONFIGURED = "not to be reported"
    """A guest, or what `ignore`, `trunks[].kind` or `report: false` name (rule 26)."""
    COMPANY = "own number"
    """The caller shows a number of the company itself (rule 27)."""


@dataclass(frozen=True, slots=True)
class Report:
    """One message about a call that Planfix must get."""

    at: float
    """Time of the event that caused it, seconds since the epoch."""
    callid: CallId
    direction: Direction
    client: str
    """The client's number as digits with country code; `''` for a hidden one."""
    did: str
    """The company's number through which the call came or went, like `client`; `''` if unknown."""
    extension: Extension
    part: int
    """1 for the first stay of this extension in this call, 2 for its next, and so on."""
    stage: Stage
    rule: str
    """The rule of docs/rules.md that demands it: `"1"`, `"7"`."""
    cause: str
    """The event that caused it, for a person: `BridgeEnter PJSIP/101-0000001a`."""
    outcome: Outcome | None = None
    """With `Stage.COMPLETED` only."""
    duration: int = 0
    """Whole seconds of conversation; only with `Outcome.SUCCESS`."""
    recorded: bool = False
    recordings: tuple[str, ...] = ()
    """File names as Asterisk wrote them, in the order of their beginning; only if `recorded`."""
    data: tuple[tuple[str, str], ...] = ()
    """Attributes for the call's data tag (`data_NAME`); with `Stage.COMPLETED` only."""

    def __post_init__(self) -> None:
        """Refuse what rules 4, 5 and 21 say cannot be."""
        if (self.stage is Stage.COMPLETED) != (self.outcome is not None):
            raise ValueError(f"{self.stage} with outcome {self.outcome}: only a completed part has one")
        if self.outcome is not Outcome.SUCCESS and (self.duration or self.recorded):
            raise ValueError(f"{self.outcome} with duration {self.duration}, recorded {self.recorded}")
        if self.duration < 0:
            raise ValueError(f"negative duration {self.duration}")

    @property
    def identity(self) -> tuple[CallId, Extension, int, Stage]:
        """Tell what makes it one and the same report of its PBX: a part is COMPLETED once, whatever its outcome."""
        return self.callid, self.extension, self.part, self.stage
