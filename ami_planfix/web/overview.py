"""All that the status page shows at one moment, as JSON objects by section: what moves, and what the disk has."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

import phonenumbers

from ami_planfix.alerts.deciding import Alert
from ami_planfix.calls.reports import Direction, Outcome
from ami_planfix.calls.tracker import LiveCall
from ami_planfix.contacts.lookup import Lookup
from ami_planfix.deliveries import Deliveries, Line
from ami_planfix.errors import StorageError
from ami_planfix.logs import times, troubles
from ami_planfix.planfix.messages import Wording, event_name, status_name
from ami_planfix.presence import Presence
from ami_planfix.recordings.ledger import Ledger, Progress
from ami_planfix.status import Board
from ami_planfix.today import Today
from ami_planfix.web.alerting import rows

Json = dict[str, object]
MOST_LINES = 20
"""Rows of the outbox of each kind, and of recordings."""
MOST_ERRORS = 15
LONGEST = 500
"""Characters of what is told about one."""


class Sources(NamedTuple):
    """Whom to ask."""

    pbx: str
    """`ami.name`."""
    board: Board
    live: Callable[[], tuple[LiveCall, ...]]
    dids: Mapping[str, str]
    """Names of the company's numbers."""
    lookup: Lookup
    wording: Wording
    deliveries: Deliveries
    today: Today
    ledger: Ledger | None
    presence: Presence
    alerts: Callable[[], Sequence[Alert]]
    address_to_set_up: Callable[[], str | None]
    """What Planfix must be told as the address of the PBX, `''` if there is none; None once we know the account."""


class Overview:
    """Asks all parts how they are."""

    def __init__(self, sources: Sources, clock: Callable[[], float] = time.time) -> None:
        self._sources = sources
        self._clock = clock

    def about(self) -> Json:
        """Tell what stays: the PBX's name, and how far its clock is from UTC (seconds)."""
        now = datetime.fromtimestamp(self._clock(), UTC).astimezone()
        offset = now.utcoffset()
        return {"pbx": self._sources.pbx, "utc_offset": offset.total_seconds() if offset else 0}

    def calls(self) -> dict[str, Json]:
        """Tell the calls that go on, by callid."""
        return {call.callid: self._call(call) for call in self._sources.live()}

    def moving(self) -> Json:
        """Tell what memory has and may change at any moment: how the parts are, and whether Planfix is known."""
        address = self._sources.address_to_set_up()
        setup = None if address is None else {"address": address}
        return {"parts": self._parts(), "setup": setup, "alerts": rows(self._sources.alerts())}

    async def kept(self) -> Json:
        """Tell what need not be told at once, and what the database has; what it cannot tell is left out."""
        found: Json = {"lookups": self._lookups(), "errors": self._errors()}
        sections: tuple[tuple[str, Callable[[], Awaitable[object]]], ...] = (
            ("outbox", self._outbox),
            ("today", self._today),
            ("recordings", self._recordings),
            ("daemons", self._daemons),
        )
        for name, ask in sections:
            try:
                found[name] = await ask()
            except StorageError:
                continue  # the board says so
        return found

    def _call(self, call: LiveCall) -> Json:
        return {
            "type": call.direction.value,
            "client": shown(call.client),
            "name": self._sources.lookup.known(call.client).name if call.client else "",
            "did": self._sources.dids.get(call.did) or shown(call.did),
            "since": call.since,
            "ringing": list(call.ringing),
            "talking": list(call.talking),
            "talking_since": call.talking_since,
            "seconds": call.seconds,
        }

    def _parts(self) -> list[Json]:
        return [part._asdict() | {"state": part.state.value} for part in self._sources.board.parts()]

    def _lookups(self) -> Json:
        tally = self._sources.lookup.tally
        return {
            "kept": tally.kept,
            "answered": tally.answered,
            "unanswered": tally.unanswered,
            "median": round(sorted(tally.latest)[len(tally.latest) // 2], 3) if tally.latest else None,
            "slowest": round(max(tally.latest), 3) if tally.latest else None,
            "refusing": self._sources.lookup.is_refusing,
        }

    def _errors(self) -> list[Json]:
        latest: dict[str, Json] = {}
        for line in troubles():
            kind = str(line.get("event", ""))
            latest.setdefault(kind, line)
        return [_error(kind, line) for kind, line in latest.items()][:MOST_ERRORS]

    async def _outbox(self) -> Json:
        troubles = await self._sources.deliveries.troubles(MOST_LINES)
        answers = list(dict.fromkeys(line.answer for line in troubles.lines))
        return {
            "waiting": troubles.waiting,
            "oldest": troubles.oldest_waiting,
            "dead": troubles.dead,
            "answers": answers,  # usually one for all
            "lines": [self._line(line) | {"answer": answers.index(line.answer)} for line in troubles.lines],
        }

    def _line(self, line: Line) -> Json:
        report = line.report
        said = "record"
        if report is not None:
            said = event_name(report.stage)
            said += f" {status_name(report.outcome, self._sources.wording)}" if report.outcome else ""
        return {
            "id": line.id,
            "state": line.state.value,
            "callid": line.callid,
            "at": line.at,
            "said": said,
            "ext": report.extension if report is not None else "",
            "client": shown(report.client) if report is not None else "",
            "attempts": line.attempts,
            "next_at": line.next_at,
        }

    async def _today(self) -> Json:
        hours: dict[int, Counter[str]] = {}
        for ended, count in (await self._sources.today.count()).items():
            hours.setdefault(ended.hour, Counter())[_kind(ended.direction, ended.outcome)] += count
        return {"hours": {str(hour): dict(hours[hour]) for hour in sorted(hours)}}

    async def _daemons(self) -> list[Json]:
        """Tell who listens to which PBX; nothing if there is one daemon alone."""
        listening = await self._sources.presence.everywhere()
        if len(listening) < 2:
            return []
        unsent = await self._sources.deliveries.unsent()
        now = self._clock()
        return [
            {
                "pbx": one.pbx,
                "owner": one.owner,
                "since": one.since,
                "until": None if one.is_alive(now) else one.until,
                "waiting": unsent.get(one.pbx, (0, 0))[0],
                "dead": unsent.get(one.pbx, (0, 0))[1],
            }
            for one in listening
        ]

    async def _recordings(self) -> Json | None:
        ledger = self._sources.ledger
        if ledger is None:
            return None
        counts = await ledger.waiting_and_missing()
        return {
            "waiting": counts[Progress.WAITING],
            "missing": counts[Progress.MISSING],
            "lines": [
                {
                    "callid": entry.callid,
                    "at": entry.at,
                    "state": entry.progress.value,
                    "files": list(entry.files),
                    "detail": entry.detail,
                }
                for entry in await ledger.troubles(MOST_LINES)
            ],
        }


_SENTENCES = ("error", "answer", "reason", "consequence")
"""What a line of the log says in whole sentences, in the order in which they are read."""


def _error(kind: str, line: Json) -> Json:
    told = [str(line[key]) for key in _SENTENCES if line.get(key)]
    if isinstance(exception := line.get("exception"), str):
        told.append(exception.strip().rpartition("\n")[2])
    elsewhere = {"at", "event", "level", "exception", "remedy", *_SENTENCES}
    rest = [f"{key}={value}" for key, value in line.items() if key not in elsewhere]
    return {
        "event": kind,
        "level": line.get("level"),
        "at": datetime.fromisoformat(str(line["at"])).timestamp(),
        "said": "; ".join(told + [", ".join(rest)] * bool(rest))[:LONGEST],
        "remedy": str(line.get("remedy", ""))[:LONGEST],
        "times": times(kind),
    }


@lru_cache(maxsize=4096)
def shown(number: str) -> str:
    """Write digits with country code as people read them: `+7 910 123-45-67`; what is no such number stays as it is."""
    try:
        parsed = phonenumbers.parse(f"+{number}")
    except phonenumbers.NumberParseException:
        return number
    if not phonenumbers.is_possible_number(parsed):
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def _kind(direction: str, outcome: Outcome) -> str:
    """Name what the plot shows: `in success`, `missed`, `out success`, `busy`..."""
    return f"{Direction(direction).value} {outcome.value}" if outcome is Outcome.SUCCESS else outcome.value
