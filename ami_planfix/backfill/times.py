"""Times as records have them: epoch, or a clock on the wall in some zone, summer time or not (pure)."""

from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from statistics import median
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_QUARTER = 900.0
_FIRST_YEAR, _LAST_YEAR = 1970, 2100
_FIRST, _LAST = 0.0, datetime(_LAST_YEAR, 1, 1, tzinfo=UTC).timestamp()
_FITS = 120.0
"""Seconds by which the time of a record may differ from that in its Uniqueid."""


class WallClock:
    """Reads times; `name` is an IANA zone, `UTC`, or `''` for the zone of this machine."""

    def __init__(self, name: str = "") -> None:
        self.zone: tzinfo | None = None if not name else UTC if name == "UTC" else ZoneInfo(name)

    def read(self, value: object, near: float | None = None) -> float:
        """Read a time (seconds since the epoch); an hour that comes twice is that which is `near`. Raises ValueError.

        Takes numbers and digits (epoch), datetimes, and texts such as `2026-11-25 19:31:37`.
        """
        if isinstance(value, datetime):
            return self._epoch(value, near)
        text = str(value).strip()
        try:
            at = float(text)
        except ValueError:
            return self._epoch(datetime.fromisoformat(text), near)
        if not _FIRST <= at <= _LAST:
            raise ValueError("no time of a call")
        return at

    def shown(self, at: float) -> datetime:
        """Tell what this clock shows at a moment, without a zone."""
        return datetime.fromtimestamp(at, UTC).astimezone(self.zone).replace(tzinfo=None)

    def aware(self, at: float) -> datetime:
        """Tell a moment with its zone."""
        return datetime.fromtimestamp(at, UTC)

    def _epoch(self, moment: datetime, near: float | None) -> float:
        if not _FIRST_YEAR <= moment.year < _LAST_YEAR:
            raise ValueError("no time of a call")
        if moment.tzinfo is not None:
            return moment.timestamp()
        both = [moment.replace(tzinfo=self.zone, fold=fold).timestamp() for fold in (0, 1)]
        if near is None or both[0] == both[1]:
            return both[0]
        # The channel was made before anything that is told of it.
        return min(both, key=lambda at: (at < near - _FITS, abs(at - near)))


def is_zone(name: str) -> bool:
    """Tell whether a zone is known."""
    try:
        WallClock(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def wrong_by(differences: Iterable[float]) -> float:
    """Tell by how many seconds a clock is wrong, from what it shows for moments that are known; 0 if it is right."""
    known = list(differences)
    if not known:
        return 0.0
    off = median(known)
    quarters = round(off / _QUARTER) * _QUARTER
    return quarters if quarters and abs(off - quarters) < _FITS else 0.0
