"""How long the client has talked with anybody, whoever that was (rule 4)."""

from collections.abc import Iterable

from ami_planfix.calls.part import ENGAGED, Part


class Talk:
    """The conversation of one call: stretches that are over, and one that may go on."""

    __slots__ = ("_over", "since")

    def __init__(self) -> None:
        self.since: float | None = None
        """When the stretch that goes on began."""
        self._over = 0.0

    @property
    def seconds(self) -> int:
        """Whole seconds in stretches that are over."""
        return whole(self._over)

    def count(self, parts: Iterable[Part]) -> None:
        """Begin a stretch or end it, by what the parts of the call are now."""
        running = [part.since for part in parts if part.since is not None and part.state in ENGAGED]
        if running:
            if self.since is None:
                self.since = min(running)
        elif self.since is not None:
            ends = [part.left_at for part in parts if part.left_at is not None]
            self._over += max(0.0, max(ends, default=self.since) - self.since)
            self.since = None


def whole(seconds: float) -> int:
    """Leave out what is less than a second, but for what arithmetic took away."""
    return int(round(seconds, 6))
