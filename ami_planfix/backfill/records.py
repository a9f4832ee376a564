"""Asterisk's own records as they are read: CEL (what each channel did) and CDR (who talked with whom) (pure)."""

import json
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ami_planfix.calls.events import Linkedid, Uniqueid

Value = str | int | float | None
Clock = Callable[[object, "float | None"], float]
"""Reads a time as a record has it, near another time (seconds since the epoch) if that is known; raises ValueError."""

CEL_KINDS = (
    "", "CHAN_START", "CHAN_END", "ANSWER", "HANGUP", "CONF_ENTER", "CONF_EXIT", "CONF_START", "CONF_END",
    "APP_START", "APP_END", "PARK_START", "PARK_END", "BRIDGE_START", "BRIDGE_END", "3WAY_START", "3WAY_END",
    "BRIDGE_ENTER", "BRIDGE_EXIT", "BLINDTRANSFER", "ATTENDEDTRANSFER",
)  # fmt: skip
_UNIQUEID = re.compile(r"[\x21-\x7e]{1,128}")
_MOST = 10**9
"""Of seconds and of counts; more is nonsense."""
_EPOCH = re.compile(r"([0-9]{9,11})\.[0-9]{1,10}$")
_IN_CLID = re.compile(r"<([^<>]*)>\s*$")


class BadRecordError(ValueError):
    """A row that cannot be used; the message says why, without what it contains."""


class Cel(NamedTuple):
    """One event of a channel (Asterisk: main/cel.c)."""

    kind: str
    at: float
    """Seconds since the epoch."""
    uniqueid: Uniqueid
    linkedid: Linkedid
    channel: str
    caller: str
    exten: str
    context: str
    application: str
    data: str
    extra: Mapping[str, str]


class Cdr(NamedTuple):
    """One stretch of a channel with one other, or with nobody (Asterisk: main/cdr.c)."""

    uniqueid: Uniqueid
    linkedid: Linkedid
    sequence: int
    channel: str
    dstchannel: str
    caller: str
    exten: str
    context: str
    application: str
    data: str
    start: float
    """Seconds since the epoch, whole ones mostly."""
    answer: float | None
    talk: int
    """Whole seconds of it (`billsec`)."""
    end: float
    disposition: str
    did: str
    shown: str
    """The number shown to who was called, where the dialplan notes it (FreePBX)."""
    recording: str


def cel_of(row: Mapping[str, Value], clock: Clock) -> Cel:
    """Read a row by the names of its columns (those of cel_odbc, cel_pgsql, cel_sqlite3_custom and FreePBX)."""
    uniqueid = _uniqueid(row)
    kind = _text(row, "eventtype", "eventname")
    if kind.isdecimal() and len(kind) < 4:
        kind = CEL_KINDS[int(kind)] if int(kind) < len(CEL_KINDS) else ""
    return Cel(
        kind=kind.upper(),
        at=_time(row, clock, uniqueid, "eventtime"),
        uniqueid=uniqueid,
        linkedid=_linkedid(row, uniqueid),
        channel=_text(row, "channame"),
        caller=_text(row, "cid_num"),
        exten=_text(row, "exten"),
        context=_text(row, "context"),
        application=_text(row, "appname"),
        data=_text(row, "appdata"),
        extra=_extra(_text(row, "extra", "eventextra")),
    )


def cdr_of(row: Mapping[str, Value], clock: Clock) -> Cdr:
    """Read a row by the names of its columns (those of cdr_adaptive_odbc, cdr_pgsql, cdr_csv and FreePBX)."""
    uniqueid = _uniqueid(row)
    start = _time(row, clock, uniqueid, "calldate", "start")
    duration, talk = _seconds(row, "duration"), _seconds(row, "billsec")
    end = _time(row, clock, uniqueid, "end") if _text(row, "end") else start + duration
    disposition = _text(row, "disposition").upper()
    answer: float | None = None
    if disposition in ("ANSWERED", "8"):
        answer = _time(row, clock, uniqueid, "answer") if _text(row, "answer") else max(start, end - talk)
    found = _IN_CLID.search(_text(row, "clid"))
    return Cdr(
        uniqueid=uniqueid,
        linkedid=_linkedid(row, uniqueid),
        sequence=_seconds(row, "sequence"),
        channel=_text(row, "channel"),
        dstchannel=_text(row, "dstchannel"),
        caller=_text(row, "src", "cnum") or (found[1] if found else ""),
        exten=_text(row, "dst"),
        context=_text(row, "dcontext"),
        application=_text(row, "lastapp"),
        data=_text(row, "lastdata"),
        start=start,
        answer=answer,
        talk=talk,
        end=max(start, end),
        disposition=disposition,
        did=_text(row, "did"),
        shown=_text(row, "outbound_cnum"),
        recording=_text(row, "recordingfile"),
    )


def epoch_of(uniqueid: str) -> float | None:
    """Tell when a channel was made, as its Uniqueid says; None if somebody else chose it."""
    found = _EPOCH.search(uniqueid)
    return float(found[1]) if found else None


def _uniqueid(row: Mapping[str, Value]) -> Uniqueid:
    text = _text(row, "uniqueid")
    if not _UNIQUEID.fullmatch(text):
        raise BadRecordError("no uniqueid")
    return Uniqueid(text)


def _linkedid(row: Mapping[str, Value], uniqueid: Uniqueid) -> Linkedid:
    text = _text(row, "linkedid") or uniqueid
    if not _UNIQUEID.fullmatch(text):
        raise BadRecordError("no linkedid")
    return Linkedid(text)


def _text(row: Mapping[str, Value], *names: str) -> str:
    for name in names:
        value = row.get(name)
        if value is not None and value != "":
            return str(value).replace("\0", "").strip()  # PostgreSQL takes none
    return ""


def _time(row: Mapping[str, Value], clock: Clock, uniqueid: str, *names: str) -> float:
    for name in names:
        value = row.get(name)
        if value is not None and value != "":
            try:
                return clock(value, epoch_of(uniqueid))
            except ValueError as fault:
                raise BadRecordError(f"no time in {name}") from fault
    raise BadRecordError(f"no {names[0]}")


def _seconds(row: Mapping[str, Value], name: str) -> int:
    try:
        found = float(row.get(name) or 0)
    except ValueError as fault:
        raise BadRecordError(f"{name} is no number") from fault
    if not found <= _MOST:
        raise BadRecordError(f"{name} is no number")
    return max(0, int(found))


def _extra(text: str) -> Mapping[str, str]:
    try:
        found = json.loads(text) if text.startswith("{") else {}
    except (ValueError, RecursionError):
        return {}
    told = found.items() if isinstance(found, dict) else ()
    return {str(name): str(value).encode(errors="replace").decode() for name, value in told if value != "N/A"}
