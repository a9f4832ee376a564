"""One employee's part in a call: THE transition table.

A part is one stay of an extension in a call. What happens to it is decided in `call.py`; here stands what may
follow what, and what of it is reported. `Begun` is RANG or DIALLED, by the call's direction.

    rings ──▶ RINGING ──falls silent──▶ HELD ──rings──▶ RINGING           rule 3: a held-back popup stays
                 │                        │
              bridged                  bridged
                 ▼                        │
              TALKING ◀───────────────────┘
              │  ▲  │
   steps aside│  │  │leaves                AWAY: consults a colleague while the client holds (rule 8)
              ▼  │  ▼                      LEFT: transferred, parked, hung up; still the last who talked (rule 7)
            AWAY ┴─ LEFT ── is bridged again ──▶ TALKING, without a report (rule 12)

    every state ──ends──▶ OVER: COMPLETED, once, with its outcome
"""

from collections.abc import Mapping
from enum import StrEnum, auto
from types import MappingProxyType
from typing import TYPE_CHECKING

from ami_planfix.calls.reports import Extension, Stage

if TYPE_CHECKING:
    from ami_planfix.calls.pbx import Channel


class State(StrEnum):
    """Where a part stands."""

    NEW = auto()
    RINGING = auto()
    HELD = auto()
    TALKING = auto()
    AWAY = auto()
    LEFT = auto()
    OVER = auto()


class Happening(StrEnum):
    """What happens to a part."""

    RINGS = "rings"
    FALLS_SILENT = "falls silent"
    BRIDGED = "is bridged with the client"
    STEPS_ASIDE = "steps aside"
    LEAVES = "leaves the client"
    ENDS = "ends"


class Begun:
    """Stands in the table for the stage that opens a part: RANG or DIALLED."""


Reported = tuple[Stage | type[Begun], ...]

TRANSITIONS: Mapping[tuple[State, Happening], tuple[State, Reported]] = MappingProxyType({
    (State.NEW, Happening.RINGS): (State.RINGING, (Begun,)),
    (State.NEW, Happening.BRIDGED): (State.TALKING, (Begun, Stage.ACCEPTED)),
    (State.NEW, Happening.ENDS): (State.OVER, (Begun, Stage.COMPLETED)),
    (State.RINGING, Happening.RINGS): (State.RINGING, ()),
    (State.RINGING, Happening.FALLS_SILENT): (State.HELD, ()),
    (State.RINGING, Happening.BRIDGED): (State.TALKING, (Stage.ACCEPTED,)),
    (State.RINGING, Happening.ENDS): (State.OVER, (Stage.COMPLETED,)),
    (State.HELD, Happening.RINGS): (State.RINGING, ()),
    (State.HELD, Happening.BRIDGED): (State.TALKING, (Stage.ACCEPTED,)),
    (State.HELD, Happening.ENDS): (State.OVER, (Stage.COMPLETED,)),
    (State.TALKING, Happening.RINGS): (State.TALKING, ()),
    (State.TALKING, Happening.BRIDGED): (State.TALKING, ()),
    (State.TALKING, Happening.STEPS_ASIDE): (State.AWAY, ()),
    (State.TALKING, Happening.LEAVES): (State.LEFT, ()),
    (State.TALKING, Happening.ENDS): (State.OVER, (Stage.COMPLETED,)),
    (State.AWAY, Happening.RINGS): (State.AWAY, ()),
    (State.AWAY, Happening.BRIDGED): (State.TALKING, ()),
    (State.AWAY, Happening.LEAVES): (State.LEFT, ()),
    (State.AWAY, Happening.ENDS): (State.OVER, (Stage.COMPLETED,)),
    (State.LEFT, Happening.RINGS): (State.LEFT, ()),
    (State.LEFT, Happening.BRIDGED): (State.TALKING, ()),
    (State.LEFT, Happening.ENDS): (State.OVER, (Stage.COMPLETED,)),
})  # fmt: skip

ENGAGED = frozenset({State.TALKING, State.AWAY})
"""The client's time with this employee runs."""

TALKED = frozenset({State.TALKING, State.AWAY, State.LEFT})
"""The client has met this employee."""


class Part:
    """One stay of an extension in a call."""

    __slots__ = (
        "extension", "is_open", "left_at", "legs", "number", "reported", "silenced_by_itself", "since", "state",
        "talked", "talkers",
    )  # fmt: skip

    def __init__(self, extension: Extension, number: int, *, reported: bool) -> None:
        self.extension = extension
        self.number = number
        """1 for the first stay of this extension in this call."""
        self.reported = reported
        self.state = State.NEW
        self.is_open = False
        """Begun, and not completed."""
        self.legs: dict[str, Channel] = {}
        """Its channels that ring for the client."""
        self.silenced_by_itself = False
        """How the ringing that ended last ended (rule 3)."""
        self.talkers: tuple[Channel, ...] = ()
        """Its channels that talk with the client, or did last."""
        self.since: float | None = None
        """Since when the client's time with this employee runs."""
        self.left_at: float | None = None
        """Since when it may have left: it is in no bridge, and the client holds."""
        self.talked = 0.0
        """Seconds with the client in stretches that are over."""

    def take(self, happening: Happening) -> Reported:
        """Move on by the table; what it reports. A happening that the table does not know changes nothing."""
        step = TRANSITIONS.get((self.state, happening))
        if step is None:
            return ()
        self.state, reported = step
        self.is_open = self.state is not State.OVER
        return reported

    def stop_talk(self, until: float) -> None:
        """Let the client's time with this employee end: at `until`, or when it had left already."""
        end = self.left_at if self.left_at is not None else until
        if self.since is not None:
            self.talked += max(0.0, end - self.since)
            self.since = None
        self.left_at = end
