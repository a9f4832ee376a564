"""Who has logged in to the status page: a key in a cookie each, forgotten after a while and at the daemon's end."""

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

KEPT = 12 * 3600.0
"""Seconds after its last request that a session lives."""
MOST = 100
"""Sessions at once; the one longest unused goes first."""


@dataclass(slots=True)
class Session:
    """A browser that knows the password, or any browser where none is asked for."""

    token: str
    """Goes with every request that changes something: no other site can know it (CSRF)."""
    until: float


class Sessions:
    """Sessions by the keys that browsers present."""

    def __init__(self, password: str, clock: Callable[[], float] = time.monotonic) -> None:
        """An empty password asks nobody for anything."""
        self._password = _digest(password)
        self.asks = bool(password)
        self._clock = clock
        self._open: OrderedDict[bytes, Session] = OrderedDict()
        self._anybody = Session(secrets.token_urlsafe(24), float("inf"))

    def knows(self, password: str) -> bool:
        """Tell whether this is the password, in the same time for all that are wrong."""
        return hmac.compare_digest(_digest(password), self._password)

    def begin(self) -> str:
        """Begin a session; return the key for its cookie."""
        key = secrets.token_urlsafe(32)
        self._open[_digest(key)] = Session(secrets.token_urlsafe(24), self._clock() + KEPT)
        while len(self._open) > MOST:
            self._open.popitem(last=False)
        return key

    def find(self, key: str) -> Session | None:
        """Find the session of a key, which then lives on; None if it is over or never was."""
        if not self.asks:
            return self._anybody
        name = _digest(key)
        session = self._open.get(name)
        if session is None or session.until <= self._clock():
            self._open.pop(name, None)
            return None
        session.until = self._clock() + KEPT
        self._open.move_to_end(name)
        return session

    def end(self, key: str) -> None:
        """End a session."""
        self._open.pop(_digest(key), None)


def _digest(text: str) -> bytes:
    """Make texts of any length equally long, and keep no key in memory that could be presented."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
