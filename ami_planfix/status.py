"""Each part's state in one shape, for the page, the command line and the service manager."""

import time
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """How a part is."""

    WELL = "well"
    WAITING = "waiting"
    """Not yet, or not now; heals itself."""
    FAILED = "failed"
    """An administrator must act; the detail says how."""
    OFF = "off"
    """Not configured."""


class PartState(NamedTuple):
    """What one part of the daemon says of itself."""

    part: str
    state: State
    detail: str
    """For a person: what is wrong and how to mend it, or what it does."""
    since: float
    """When this state began, seconds since the epoch."""


class Board:
    """Keeps what each part last said of itself, in the order in which they first spoke."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._parts: dict[str, PartState] = {}
        self._listeners: list[Callable[[PartState], None]] = []

    def say(self, part: str, state: State, detail: str = "") -> None:
        """Take a part's word; `since` stays while the state does."""
        before = self._parts.get(part)
        if before is not None and (before.state, before.detail) == (state, detail):
            return
        since = before.since if before is not None and before.state is state else self._clock()
        now = PartState(part, state, detail, since)
        self._parts[part] = now
        for listener in self._listeners:
            listener(now)

    def listen(self, listener: Callable[[PartState], None]) -> None:
        """Call `listener` with each new word of a part."""
        self._listeners.append(listener)

    def parts(self) -> tuple[PartState, ...]:
        """Tell what every part last said."""
        return tuple(self._parts.values())

    def summary(self) -> str:
        """Put all into one line for the service manager; what is well is left to silence."""
        troubles = [f"{p.part}: {p.detail or p.state}" for p in self._parts.values() if p.state in _TROUBLES]
        return "; ".join(troubles) or "all is well"


_TROUBLES = (State.WAITING, State.FAILED)
