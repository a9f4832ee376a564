"""What we say to Planfix and what it says to us, in its own words; nobody else spells them.

Source: Planfix API, tables of `event`, `contact`, `record`, `ping`, `makeCall` and `setup`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from ami_planfix.calls.reports import Direction, Extension, Outcome, Report, Stage

Form = dict[str, str]
"""Fields of a form in the order in which they are sent; `planfix_token` is not among them."""

_TYPES = {Direction.INCOMING: "in", Direction.OUTGOING: "out"}
_EVENTS = {
    Stage.RANG: "INCOMING",
    Stage.DIALLED: "OUTGOING",
    Stage.ACCEPTED: "ACCEPTED",
    Stage.COMPLETED: "COMPLETED",
}
_STATUSES = {
    Outcome.SUCCESS: "Success",
    Outcome.MISSED: "Missed",
    Outcome.BUSY: "Busy",
    Outcome.NO_ANSWER: "NoAnswer",
    Outcome.NOT_AVAILABLE: "NotAvailable",
    Outcome.NOT_ALLOWED: "NotAllowed",
}

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_LONE = re.compile("[\ud800-\udfff]")
"""Halves of a character, as JSON can spell them: no database takes them."""
_MOST_WORDS = 200
_MOST_NAME = 200
_EXTENSION = re.compile(r"[0-9A-Za-z_*#-]{1,32}")


class Wording(NamedTuple):
    """How things are said, as the administrator chose (`planfix.canceled_status`, `planfix.hidden_number`)."""

    canceled_status: str = "Canceled"
    hidden_number: str = "anonymous"
    links: bool = True
    """Recordings can be heard by a link. Where they cannot, no call is called recorded: Planfix would wait for one."""


DEFAULT_WORDING = Wording()


def event_name(stage: Stage) -> str:
    """Tell Planfix's word for a stage: `INCOMING`, `OUTGOING`, `ACCEPTED`, `COMPLETED`."""
    return _EVENTS[stage]


def status_name(outcome: Outcome, wording: Wording = DEFAULT_WORDING) -> str:
    """Tell Planfix's word for an outcome: `Success`, `Missed`, ..."""
    return wording.canceled_status if outcome is Outcome.CANCELED else _STATUSES[outcome]


def is_recorded(report: Report, wording: Wording = DEFAULT_WORDING) -> bool:
    """Tell what a report says of a recording."""
    return report.recorded and wording.links


def event_form(report: Report, wording: Wording = DEFAULT_WORDING, record_link: str = "") -> Form:
    """Write a report as the form of `event`; with `record_link` where the recording's link is known already."""
    form = {name: str(value) for name, value in _event_fields(report, wording).items()}
    if record_link and is_recorded(report, wording):
        form["record_link"] = record_link
    return form


def as_json_line(report: Report, wording: Wording = DEFAULT_WORDING) -> str:
    """Write a report as one line of JSON: the fields of `event` and `time` (ISO 8601, UTC)."""
    at = datetime.fromtimestamp(report.at, UTC).isoformat(timespec="microseconds")
    return json.dumps({"time": at, **_event_fields(report, wording)}, ensure_ascii=False)


def _event_fields(report: Report, wording: Wording) -> dict[str, str | int]:
    fields: dict[str, str | int] = {
        "cmd": "event",
        "type": _TYPES[report.direction],
        "event": _EVENTS[report.stage],
        "phone": report.client or wording.hidden_number,
        "diversion": report.did,
        "ext": report.extension,
        "callid": report.callid,
    }
    if report.outcome is not None:
        fields["duration"] = report.duration
        fields["is_recorded"] = int(is_recorded(report, wording))
        fields["status"] = status_name(report.outcome, wording)
        fields.update({f"data_{name}": value for name, value in report.data})
    return fields


def record_form(callid: str, link: str, temporary: bool = False) -> Form:
    """Write where a call's recording is as the form of `record`."""
    form = {"cmd": "record", "callid": callid, "record_link": link}
    if temporary:
        form["is_temp"] = "1"
    return form


def contact_form(phone: str, callid: str = "") -> Form:
    """Write the question whose a number is as the form of `contact`."""
    form = {"cmd": "contact", "phone": phone}
    if callid:
        form["callid"] = callid
    return form


def ping_form() -> Form:
    """Write the form of `ping`."""
    return {"cmd": "ping"}


@dataclass(frozen=True, slots=True)
class Ping:
    """What Planfix has been told about us, to be compared with what is so."""

    pbx_token: str = field(repr=False)
    pbx_url: str


class Contact(NamedTuple):
    """Planfix's record of a client."""

    name: str
    """`''` if Planfix does not know the number."""
    responsible: Extension | None
    """The short code of the responsible employee, if there is one."""


def parse_ping(body: bytes) -> Ping | None:
    """Read the answer to `ping`; None if it is none."""
    answer = _object(body)
    if answer is None:
        return None
    return Ping(_text(answer.get("pbxToken")), _text(answer.get("pbxUrl")))


def parse_contact(body: bytes) -> Contact | None:
    """Read the answer to `contact`, in either edition's spelling; None if it is none."""
    answer = _object(body) if body.strip() else {}
    if answer is None:
        return None
    name = clean(_text(answer.get("contact_name")), _MOST_NAME)
    responsible = _text(answer.get("manager")) or _text(answer.get("responsible"))
    known = _EXTENSION.fullmatch(responsible) is not None
    return Contact(name, Extension(responsible) if known else None)


def complaint(body: bytes) -> str:
    """Read Planfix's own words out of an answer that is no 200: its `error`, else its text; one short line."""
    answer = _object(body)
    error = _text(answer.get("error")) if answer is not None else ""
    return clean(error or body[: 8 * _MOST_WORDS].decode(errors="replace"), _MOST_WORDS)


def clean(text: str, most: int) -> str:
    """Make one line of at most `most` characters out of what a stranger wrote."""
    line = _CONTROL.sub(" ", text).strip()
    if not line.isprintable():
        line = "".join(character if character.isprintable() else "\ufffd" for character in line)
    return line if len(line) <= most else line[: most - 1] + "…"


def _object(body: bytes) -> dict[str, object] | None:
    try:
        answer: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _text(value: object) -> str:
    if isinstance(value, str):
        return _LONE.sub("\ufffd", value).strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


class MakeCall(NamedTuple):
    """A click on a number in Planfix."""

    extension: str
    """`from`, unchecked: the employee whose phone is to ring."""
    number: str
    """`to`, unchecked: whom to dial then."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The integration was switched on in Planfix."""

    planfix_url: str
    planfix_token: str = field(repr=False)


class InvalidCommand(NamedTuple):
    """A command that Planfix cannot have meant; `reason` says what is wrong (400)."""

    reason: str


def presented_token(form: Mapping[str, str]) -> str:
    """Tell the token that a command presents; `''` if none."""
    return form.get("token", "")


def parse_command(form: Mapping[str, str]) -> MakeCall | Setup | InvalidCommand:
    """Read a command of Planfix; its token has been compared before."""
    command = form.get("cmd", "")
    match command:
        case "makeCall":
            wanted = ("from", "to")
        case "setup":
            wanted = ("planfix_url", "planfix_token")
        case "":
            return InvalidCommand("cmd is missing; known are makeCall and setup")
        case _:
            return InvalidCommand(f"cmd is {clean(command, 32)!r}; known are makeCall and setup")
    missing = [name for name in wanted if not form.get(name, "").strip()]
    if missing:
        return InvalidCommand(f"{' and '.join(missing)} missing in {command}")
    first, second = (form[name].strip() for name in wanted)
    return MakeCall(first, second) if command == "makeCall" else Setup(first, second)
