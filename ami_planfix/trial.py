"""The sequences of reports that Planfix documents, and those that it does not, for a try on a real account (pure)."""

from collections.abc import Iterable
from typing import NamedTuple

from ami_planfix.calls.reports import CallId, Direction, Extension, Outcome, Report, Stage

IN, OUT = Direction.INCOMING, Direction.OUTGOING

Step = tuple[int, Stage, Outcome | None]
"""Which of the two employees (0 or 1), what happened, and how it ended."""


class Sequence(NamedTuple):
    """One call to be tried."""

    name: str
    documented: bool
    question: str
    """What the administrator is to look for in Planfix."""
    direction: Direction
    steps: tuple[Step, ...]
    hidden: bool = False
    """The client hides the number."""


def _rang(*who: int) -> tuple[Step, ...]:
    return tuple((one, Stage.RANG, None) for one in who)


def _ended(who: int, outcome: Outcome) -> Step:
    return who, Stage.COMPLETED, outcome


def _called(outcome: Outcome) -> tuple[Step, ...]:
    return (0, Stage.DIALLED, None), _ended(0, outcome)


_TALKED = (0, Stage.ACCEPTED, None)
_OTHER_TALKED = (1, Stage.ACCEPTED, None)

SEQUENCES = (
    Sequence(
        "ring group",
        True,
        "two popups, the second employee's closes, one call in the history of the first",
        IN,
        (*_rang(0, 1), _TALKED, _ended(1, Outcome.CANCELED), _ended(0, Outcome.SUCCESS)),
    ),
    Sequence(
        "hunt",
        True,
        "the popup moves from the first to the second employee, who has the call in the history",
        IN,
        (
            *_rang(0),
            _ended(0, Outcome.CANCELED),
            *_rang(1),
            _OTHER_TALKED,
            _ended(1, Outcome.SUCCESS),
        ),
    ),
    Sequence("missed", True, "one missed call", IN, (*_rang(0), _ended(0, Outcome.MISSED))),
    Sequence(
        "outgoing", True, "an outgoing call", OUT, ((0, Stage.DIALLED, None), _TALKED, _ended(0, Outcome.SUCCESS))
    ),
    Sequence("outgoing, busy", True, "an outgoing call: busy", OUT, _called(Outcome.BUSY)),
    Sequence("outgoing, no answer", True, "an outgoing call: no answer", OUT, _called(Outcome.NO_ANSWER)),
    Sequence("outgoing, not available", True, "not available", OUT, _called(Outcome.NOT_AVAILABLE)),
    Sequence("outgoing, not allowed", True, "not allowed", OUT, _called(Outcome.NOT_ALLOWED)),
    Sequence(
        "COMPLETED alone",
        False,
        "is there a missed call, though no INCOMING was sent? If so, delivery.history may be `completed`",
        IN,
        (_ended(0, Outcome.MISSED),),
    ),
    Sequence(
        "missed by two",
        False,
        "one missed call or two? If two are wanted, calls.missed may be `each`",
        IN,
        (*_rang(0, 1), _ended(0, Outcome.MISSED), _ended(1, Outcome.MISSED)),
    ),
    Sequence(
        "transferred",
        False,
        "is the first employee's part called off, and the call the second one's?",
        IN,
        (
            *_rang(0),
            _TALKED,
            *_rang(1),
            _OTHER_TALKED,
            _ended(0, Outcome.CANCELED),
            _ended(1, Outcome.SUCCESS),
        ),
    ),
    Sequence(
        "hidden number",
        False,
        "a missed call without a number? Else planfix.hidden_number wants another word",
        IN,
        (*_rang(0), _ended(0, Outcome.MISSED)),
        hidden=True,
    ),
)


def reports_of(
    sequence: Sequence, callid: str, client: str, did: str, employees: tuple[str, str], clock: Iterable[float]
) -> list[Report]:
    """Write a sequence as reports; `clock` gives each its time."""
    return [
        Report(
            at=at,
            callid=CallId(callid),
            direction=sequence.direction,
            client="" if sequence.hidden else client,
            did=did,
            extension=Extension(employees[who]),
            part=1,
            stage=stage,
            rule="trial",
            cause="trial",
            outcome=outcome,
            duration=5 if outcome is Outcome.SUCCESS else 0,
        )
        for (who, stage, outcome), at in zip(sequence.steps, clock, strict=False)
    ]
