"""Who came to the door for Planfix lately: Planfix's last commands, and what `doctor` tried from outside."""

import re
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

_MARK = re.compile(r"[0-9a-f]{16,64}", re.ASCII)
_MOST_KNOCKS = 32


class Visit(NamedTuple):
    """One command, and what became of it."""

    at: float
    """Seconds since the epoch."""
    address: str
    command: str
    """`makeCall` or `setup`; `''` if it did not come so far."""
    status: int
    reason: str
    """Why it was refused, `''` if it was not."""


class Knock(NamedTuple):
    """One try of `doctor`."""

    mark: str
    address: str
    """Who sent it, as `server.allow_from` sees it."""
    peer: str
    """Who is at the other end of the connection."""
    forwarded: bool
    """A proxy passed it on, trusted or not."""


class Visits:
    """Remembers them while the daemon runs."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.last: Visit | None = None
        """Whoever it was."""
        self.last_known: Visit | None = None
        """The last one with the right token."""
        self._clock = clock
        self._knocks: deque[Knock] = deque(maxlen=_MOST_KNOCKS)

    def note(self, address: str, command: str, status: int, reason: str, known: bool) -> None:
        """Remember a command; `known`: with the right token."""
        self.last = Visit(self._clock(), address, command, status, reason)
        if known:
            self.last_known = self.last

    def knock(self, knock: Knock) -> None:
        """Remember a try, if its mark looks like one of doctor's."""
        if _MARK.fullmatch(knock.mark):
            self._knocks.append(knock)

    def find(self, mark: str) -> Knock | None:
        """Find a try by its mark."""
        return next((knock for knock in self._knocks if knock.mark == mark), None)
