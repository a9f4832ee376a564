"""When somebody is told that something is wrong, and when that it is over (pure: no clock, nothing is sent).

Being wrong fills a meter, being well empties it: full, an alert begins; empty, it is over. So a restart of Asterisk
tells nobody, and what comes and goes all the time is told once. Before it is told a meter empties slowly: what is away
for half of the time is wrong. What came back soon after it was over has to be well for longer each time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ami_planfix.alerts.looking import Sight, Trouble

SLOWER = 0.25
"""How fast a meter empties before anything is told."""
CALMEST = 3600.0
"""Seconds for which the most restless trouble must be well, at most."""
REMEMBERED = 6 * 3600.0
"""Seconds after its end within which a trouble comes back rather than begins."""


class Stage(StrEnum):
    """How far an alert has come."""

    BEGAN = "began"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that was wrong for long enough; times in seconds since the epoch."""

    trouble: Trouble
    since: float
    words: str = ""
    """What was said of it when it began."""
    until: float | None = None
    """Since when it is well again; None while it is not."""
    again: int = 0
    """How many times it had come back by then."""
    heard: Mapping[str, Stage] = field(default_factory=dict)
    """What each way has told of it last."""
    settled: bool = False
    """Nobody need be told any more."""

    @property
    def stage(self) -> Stage:
        """Tell how far it has come."""
        return Stage.BEGAN if self.until is None else Stage.OVER

    def owes(self, way: str) -> bool:
        """Tell whether a way has still to tell how it is now; who heard of no beginning hears the end alone."""
        return not self.settled and self.heard.get(way) is not self.stage

    def told(self, way: str, stage: Stage, ways: Iterable[str]) -> "Alert":
        """Note what a way has told."""
        heard = {**self.heard, way: stage}
        settled = self.until is not None and all(heard.get(one) is Stage.OVER for one in ways)
        return replace(self, heard=heard, settled=settled)


@dataclass(slots=True)
class _Meter:
    level: float
    wrong: bool
    turned: float
    """Since when it is as it is."""
    rising_since: float
    """When it was empty last."""


class Judge:
    """Turns what is seen into alerts."""

    def __init__(self, after: float) -> None:
        """`after`: seconds for which something must be wrong, or well again."""
        self._after = after
        self._meters: dict[Trouble, _Meter] = {}

    def judge(self, known: Mapping[Trouble, Alert], sights: Iterable[Sight], now: float, seconds: float) -> list[Alert]:
        """Tell which alerts begin or end now; `seconds` have gone by since the last look."""
        found = []
        for sight in sights:
            alert = known.get(sight.trouble)
            active = alert is not None and alert.until is None
            meter = self._meter(sight, self._top(alert) if active else 0.0, now)
            if sight.wrong:
                meter.level = min(meter.level + seconds, self._top(alert) if active else self._after)
            else:
                meter.level = max(0.0, meter.level - seconds * (1.0 if active else SLOWER))
            if alert is not None and active:
                if not sight.wrong and not meter.level:
                    found.append(replace(alert, until=meter.turned))
            elif sight.wrong and meter.level >= self._after:
                meter.level = self._top(began := self._begin(alert, sight, meter, now))
                found.append(began)
        return found

    def _meter(self, sight: Sight, level: float, now: float) -> _Meter:
        meter = self._meters.get(sight.trouble)
        if meter is None:
            meter = self._meters[sight.trouble] = _Meter(level, sight.wrong, now, now)
        if meter.wrong is not sight.wrong:
            meter.wrong, meter.turned = sight.wrong, now
            if sight.wrong and not meter.level:
                meter.rising_since = now
        return meter

    def _top(self, alert: Alert | None) -> float:
        longest = max(self._after, CALMEST)
        return min(self._after * 2.0 ** min(alert.again if alert is not None else 0, 30), longest)

    def _begin(self, before: Alert | None, sight: Sight, meter: _Meter, now: float) -> Alert:
        since = meter.rising_since if sight.since is None else min(meter.rising_since, sight.since)
        if before is None or before.until is None or now - before.until > REMEMBERED:
            return Alert(sight.trouble, since, sight.words)
        # Who was not yet told of its end need not be told that it is back.
        heard = {way: stage for way, stage in before.heard.items() if stage is Stage.BEGAN and not before.settled}
        return Alert(sight.trouble, since, sight.words, again=before.again + 1, heard=heard)
