"""What is told of an alert: one text for people, and its pieces for programs."""

import hashlib
from datetime import UTC, datetime
from typing import NamedTuple

from ami_planfix.alerts.deciding import Alert
from ami_planfix.alerts.phrases import FRAMES, PHRASES

TEST = "test"
LONGEST_WORDS = 500
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


class Place(NamedTuple):
    """Who tells."""

    host: str
    pbx: str = ""
    """`ami.name`."""

    def __str__(self) -> str:
        return f"{self.pbx} ({self.host})" if self.pbx else self.host


class Message(NamedTuple):
    """One telling; told twice it has the same `id`."""

    id: str
    about: str
    """The same for the beginning of an alert and for its end."""
    event: str
    """`began`, `over`, `test`."""
    trouble: str
    place: Place
    since: float
    until: float | None
    waiting: int
    subject: str
    body: str

    @property
    def fields(self) -> dict[str, str]:
        """Give all that a webhook may be told, by name."""
        return {
            "id": self.id,
            "event": self.event,
            "trouble": self.trouble,
            "pbx": self.place.pbx,
            "host": self.place.host,
            "since": _iso(self.since),
            "until": _iso(self.until) if self.until is not None else "",
            "waiting": str(self.waiting),
            "subject": self.subject,
            "text": f"{self.subject}\n\n{self.body}",
        }


def message_of(alert: Alert, place: Place, waiting: int, language: str) -> Message:
    """Tell of an alert as it is now."""
    frame, phrase = FRAMES[language], PHRASES[language][alert.trouble]
    since = _moment(alert.since, frame.moment)
    kept = frame.waiting.format(waiting) if waiting else frame.none_waits
    if alert.until is None:
        headline = phrase.what
        said = [frame.said.format(alert.words[:LONGEST_WORDS])] if alert.words else []
        first = frame.since.format(phrase.what, since)
        last = [frame.remedy.format(phrase.remedy), frame.looks.format(place.host)]
        paragraphs = [first, *said, frame.means.format(phrase.means), kept, *last]
    else:
        headline = phrase.over
        lasted = _length(alert.until - alert.since, language)
        first = frame.was.format(phrase.over, _moment(alert.until, frame.moment), since, lasted)
        paragraphs = [first, kept]
    about = hashlib.sha256(f"{place}|{alert.trouble}|{alert.since}".encode()).hexdigest()[:20]
    return Message(
        id=f"{about}.{alert.stage.value}",
        about=about,
        event=alert.stage.value,
        trouble=alert.trouble.value,
        place=place,
        since=alert.since,
        until=alert.until,
        waiting=waiting,
        subject=f"ami-planfix {place}: {headline}",
        body="\n\n".join(paragraphs),
    )


def trial_of(place: Place, now: float, language: str) -> Message:
    """Tell that nothing is wrong: whoever reads it sees that the way is good."""
    frame = FRAMES[language]
    about = hashlib.sha256(f"{place}|{TEST}|{now}".encode()).hexdigest()[:20]
    subject = f"ami-planfix {place}: {frame.test}"
    return Message(f"{about}.{TEST}", about, TEST, TEST, place, now, None, 0, subject, frame.tested)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _moment(at: float, how: str) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().strftime(how)


def _length(seconds: float, language: str) -> str:
    frame, whole = FRAMES[language], max(0, round(seconds))
    if whole >= _DAY:
        return frame.days.format(whole // _DAY, whole % _DAY // _HOUR)
    if whole >= _HOUR:
        return frame.hours.format(whole // _HOUR, whole % _HOUR // _MINUTE)
    return frame.minutes.format(whole // _MINUTE) if whole >= _MINUTE else frame.seconds.format(whole)
