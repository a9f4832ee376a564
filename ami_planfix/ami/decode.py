"""Raw AMI messages to the events that the tracker hears; what it does not use is dropped unread.

`SHAPES` is the table: for each event, the class that it becomes and where each field of that class comes
from, in the order of its fields. A channel is a group of headers with a common prefix (`Dest`, `LocalOne`).

Most messages are dropped on their bytes alone. Of the others the values of the headers are taken in one of two
ways: one match of a pattern of all lines as Asterisk writes them, or, for what is written otherwise, one search for
each header. What becomes of the values is the same. What an event says is never trusted: garbage becomes a
default, and an event without its channel nothing.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from sys import intern
from typing import Any, NamedTuple

from ami_planfix.ami import wanted
from ami_planfix.ami.wire import decode_text, event_name
from ami_planfix.calls import events
from ami_planfix.calls.events import Channel, Event, Uniqueid

LONGEST_ID = 128  # characters; Asterisk's have about 20, and databases keep them in columns of a width
RARE = frozenset({b"FullyBooted"})
"""Events of no call that somebody else here waits for."""

# The years 2000 and 2100: a PBX without a clock says 1970.
_EARLIEST, _LATEST = 946_684_800.0, 4_102_444_800.0

Values = tuple[str | None, ...]
"""Values of an event's headers; one that is not there is `''` or None."""


class _IncompleteError(Exception):
    """An event lacks something without which it says nothing."""


def decode(raw: bytes, arrival: float) -> Event | None:
    """Return what a message tells the tracker, None if nothing; never raise.

    `arrival` (seconds since the epoch) is the event's time if it has none of its own that can be one.
    """
    shape = SHAPES.get(event_name(raw))
    if shape is None or (shape.peek is not None and not shape.peek(raw)):
        return None
    return shape.read(raw, arrival)


def decode_all(
    messages: Iterable[bytes], arrival: float, is_for_others: Callable[[bytes], bool], *, ask_always: bool
) -> Iterator[tuple[Event, bytes]]:
    """Decode what is an event that the tracker uses, in order; the way that every message of a busy PBX takes.

    `is_for_others` is asked of whatever is no ordinary event, or always: what it takes is not decoded.
    """
    for raw in messages:
        # Most messages are dropped after these few steps: no more than their first bytes is looked at.
        begins = raw[:_START]
        shape = _FIRST_LINES.get(begins)
        if shape is None:
            if begins in _STARTS:
                shape = _FIRST_LINES.get(raw[: raw.find(b"\r", _START, 80) + 1])
            elif begins.startswith(_EVENT) and not ask_always:
                continue
        if shape is None or ask_always:
            event = None if is_for_others(raw) else decode(raw, arrival)
        elif shape.peek is not None and not shape.peek(raw):
            continue
        else:
            event = shape.read(raw, arrival)
        if event is not None:
            yield event, raw


def _text_of(raw: bytes) -> str:
    if b"\0" in raw:  # not from Asterisk, and PostgreSQL takes none
        raw = raw.replace(b"\0", b"")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        # Each header may have an encoding of its own.
        return "\r\n".join(map(decode_text, raw.split(b"\r\n")))


def _in_lines(text: str) -> str:
    return text if "\r" in text[:80] else text.replace("\n", "\r\n")


def _value(text: str, header: str) -> str:
    """Return a header's value, `''` if there is none."""
    start = text.find(f"\r\n{header}:")
    if start < 0:
        return ""
    start += len(header) + 3
    end = text.find("\r\n", start)
    return (text[start:end] if end >= 0 else text[start:]).removeprefix(" ")


# From values to fields

_Read = Callable[[Any], object]
"""Makes one field of an event out of the value of its header, or the values of its headers."""


class _Column(NamedTuple):
    """Where a field comes from."""

    headers: tuple[str, ...]
    """Of whose values it is made."""
    lines: str
    """A pattern of its lines as Asterisk writes them, with a group for each of the headers."""
    read: _Read
    always: bool = True
    """Asterisk always writes these lines."""


def _line(header: str) -> str:
    return rf"\r\n{header}: ([^\r]*+)"


def _single(header: str, read: Callable[[str | None], object], *, always: bool = True) -> _Column:
    return _Column((header,), _line(header), read, always)


_CHANNEL_HEADERS = (
    "Channel",
    "ChannelState",
    "ChannelStateDesc",
    "CallerIDNum",
    "CallerIDName",
    "ConnectedLineNum",
    "ConnectedLineName",
    "Language",
    "AccountCode",
    "Context",
    "Exten",
    "Priority",
    "Uniqueid",
    "Linkedid",
)
"""In the order in which Asterisk writes them (Asterisk: main/manager_channels.c)."""

_USED = ("Channel", "ChannelState", "CallerIDNum", "ConnectedLineNum", "Context", "Exten", "Uniqueid", "Linkedid")

_STATES = {str(state): state for state in range(10)}

_make_channel: Callable[[tuple[object, ...]], Channel] = partial(tuple.__new__, Channel)  # twice as fast as Channel()


def _needed_channel(values: Values) -> Channel:
    name, state, caller, connected, context, exten, uniqueid, linkedid = values
    uniqueid = _needed(uniqueid)
    # The same few strings come in every event of a call: interned, a call keeps each of them once.
    return _make_channel(
        (
            uniqueid,
            uniqueid if linkedid == uniqueid else _needed(linkedid or uniqueid),
            intern(name or ""),
            _STATES[state] if state in _STATES else _number(state) or 0,
            "" if caller == "<unknown>" else caller,
            "" if connected == "<unknown>" else connected,
            intern(context or ""),
            exten,
        )
    )


def _channel_if_any(values: Values) -> Channel | None:
    try:
        return _needed_channel(values)
    except _IncompleteError:
        return None


def _channel(prefix: str, read: _Read, *, always: bool) -> _Column:
    lines = (_line(prefix + name) if name in _USED else rf"\r\n{prefix}{name}: [^\r]*+" for name in _CHANNEL_HEADERS)
    return _Column(tuple(prefix + name for name in _USED), "".join(lines), read, always)


def _who(prefix: str) -> _Column:
    return _channel(prefix, _needed_channel, always=True)


def _perhaps(prefix: str) -> _Column:
    return _channel(prefix, _channel_if_any, always=False)


def _known(value: str | None) -> str:
    return "" if not value or value == "<unknown>" else intern(value)


def _needed(value: str | None) -> str:
    if value is None or value in _NOT_AN_ID or len(value) > LONGEST_ID:
        raise _IncompleteError
    return intern(value)


def _number(value: str | None) -> int | None:
    try:
        return int(value) if value else None
    except ValueError:
        return None


def _text(header: str, *, always: bool = True) -> _Column:
    return _single(header, _known, always=always)


def _id(header: str) -> _Column:
    return _single(header, _needed)


_NOT_AN_ID = frozenset({"", "<null>", "<unknown>", "none"})  # `none`: a global variable was set


def _optional_id(header: str) -> _Column:
    return _single(header, lambda value: intern(value) if value else None, always=False)


def _optional_number(header: str) -> _Column:
    return _single(header, _number, always=False)


def _number_or_zero(header: str) -> _Column:
    return _single(header, lambda value: _number(value) or 0)


def _is_one(header: str) -> _Column:
    return _single(header, lambda value: value == "1")


def _is_success(header: str) -> _Column:
    return _single(header, lambda value: value == "Success")


def _variable_name(value: str | None) -> str:
    # `_NAME` is inherited by the next channel, `__NAME` by all: the same variable.
    return intern((value or "").lstrip("_"))


# What the dialplan tells in words of its own

_USER_EVENT_LINE = "\r\nUserEvent: "
_NO_FIELDS = frozenset({"ActionID", "Uniqueid"})


def _told_fields(text: str) -> tuple[tuple[str, str], ...]:
    """Read what stands below the line `UserEvent`: the fields, and what only says of which call they are."""
    told = [line.partition(":") for line in text.partition(_USER_EVENT_LINE)[2].split("\r\n")[1:]]
    return tuple((name.strip(), value.strip()) for name, colon, value in told if colon and name not in _NO_FIELDS)


# Shapes

_TIMESTAMP = "Timestamp"
_BEGINNING = rf"[^\r]*+(?>(?:\r\n[^\r]*+){{0,3}}?{_line(_TIMESTAMP)})?+"


class _Shape:
    """How one kind of event is read."""

    def __init__(
        self, make: Callable[..., Event], *columns: _Column, peek: Callable[[bytes], bool] | None = None
    ) -> None:
        self.peek = peek
        """Decides on the bytes alone whether the event is worth decoding."""
        self._make = make
        self._headers = (_TIMESTAMP, *(header for column in columns for header in column.headers))
        # Lines of no use between two columns are skipped. Nothing is tried twice (`(?>`): this stays linear.
        self._ordinary = re.compile(
            _BEGINNING + "".join(rf"(?>(?:\r\n[^\r]*+)*?{one.lines}){'' if one.always else '?+'}" for one in columns)
        )
        places = [1 + sum(len(one.headers) for one in columns[:index]) for index in range(len(columns))]
        self._fields = tuple(
            (one.read, place if len(one.headers) == 1 else slice(place, place + len(one.headers)))
            for one, place in zip(columns, places, strict=True)
        )
        optional = [(0, _TIMESTAMP)]
        optional += [(place, one.headers[0]) for one, place in zip(columns, places, strict=True) if not one.always]
        self._optional = tuple((place, f"\r\n{header}:") for place, header in optional)

    def read(self, raw: bytes, arrival: float) -> Event | None:
        """Make the event; None if it lacks something without which it says nothing."""
        text = _text_of(raw)
        found = self._ordinary.match(text)
        if found is None:
            values = self._search(text)
        else:
            values = found.groups()
            for place, header in self._optional:
                if values[place] is None and header in text:
                    values = self._search(text)
                    break
        try:
            return self._make(time_of(values[0], arrival), *[read(values[place]) for read, place in self._fields])
        except _IncompleteError:
            return None

    def _search(self, text: str) -> Values:
        """Take the values of headers that are not where Asterisk writes them."""
        lines = _in_lines(text)
        return tuple([_value(lines, header) for header in self._headers])


class _UserEventShape(_Shape):
    def read(self, raw: bytes, arrival: float) -> Event | None:
        """Make the event: what it says are lines of their own."""
        text = _in_lines(_text_of(raw))
        uniqueid = _value(text, "Uniqueid")
        if uniqueid in _NOT_AN_ID or len(uniqueid) > LONGEST_ID:
            return None
        at = time_of(_value(text, _TIMESTAMP), arrival)
        return events.UserEvent(at, Uniqueid(intern(uniqueid)), _told_fields(text))


def time_of(value: str | None, arrival: float) -> float:
    """Read a `Timestamp`; the arrival where it is none."""
    try:
        at = float(value or "")
    except ValueError:
        return arrival
    return at if _EARLIEST <= at < _LATEST else arrival


_THE_CHANNEL = _who("")
_LOCAL_HALVES = (_who("LocalOne"), _who("LocalTwo"))
_DIAL = (_perhaps(""), _who("Dest"))

SHAPES: dict[bytes, _Shape] = {
    b"Newchannel": _Shape(events.Newchannel, _THE_CHANNEL),
    b"Newstate": _Shape(events.Newstate, _THE_CHANNEL),
    b"NewCallerid": _Shape(events.NewCallerid, _THE_CHANNEL),
    b"Rename": _Shape(events.Rename, _id("Uniqueid"), _id("Newname")),
    b"Newexten": _Shape(
        events.Newexten, _THE_CHANNEL, _text("Application"), _text("AppData"), peek=wanted.is_used_application
    ),
    b"VarSet": _Shape(
        events.VarSet, _perhaps(""), _single("Variable", _variable_name), _text("Value"), peek=wanted.is_used_variable
    ),
    b"UserEvent": _UserEventShape(events.UserEvent, peek=wanted.is_used_user_event),
    b"OriginateResponse": _Shape(
        events.OriginateResponse,
        _id("Uniqueid"),
        _text("Channel"),
        _text("Exten"),
        _is_success("Response"),
        _number_or_zero("Reason"),
    ),
    b"DialBegin": _Shape(events.DialBegin, *_DIAL, _text("DialString", always=False)),
    b"DialState": _Shape(events.DialState, *_DIAL, _text("DialStatus")),
    b"DialEnd": _Shape(events.DialEnd, *_DIAL, _text("DialStatus"), _text("Forward", always=False)),
    b"HangupRequest": _Shape(
        events.HangupRequest, _THE_CHANNEL, _optional_number("Cause"), _text("TechCause", always=False)
    ),
    b"Hangup": _Shape(events.Hangup, _THE_CHANNEL, _number_or_zero("Cause"), _text("TechCause", always=False)),
    b"BridgeEnter": _Shape(
        events.BridgeEnter,
        _id("BridgeUniqueid"),
        _text("BridgeType"),
        _text("BridgeTechnology"),
        _THE_CHANNEL,
        _optional_id("SwapUniqueid"),
    ),
    b"BridgeLeave": _Shape(events.BridgeLeave, _id("BridgeUniqueid"), _THE_CHANNEL),
    b"BridgeDestroy": _Shape(events.BridgeDestroy, _id("BridgeUniqueid")),
    b"BridgeMerge": _Shape(events.BridgeMerge, _id("ToBridgeUniqueid"), _id("FromBridgeUniqueid")),
    b"LocalBridge": _Shape(events.LocalBridge, *_LOCAL_HALVES),
    b"LocalOptimizationBegin": _Shape(events.LocalOptimizationBegin, *_LOCAL_HALVES),
    b"LocalOptimizationEnd": _Shape(events.LocalOptimizationEnd, *_LOCAL_HALVES),
    b"BlindTransfer": _Shape(
        events.BlindTransfer,
        _who("Transferer"),
        _perhaps("Transferee"),
        _text("BridgeUniqueid"),
        _text("Context"),
        _text("Extension"),
    ),
    b"AttendedTransfer": _Shape(
        events.AttendedTransfer,
        _text("Result"),
        _who("OrigTransferer"),
        _who("SecondTransferer"),
        _perhaps("Transferee"),
        _perhaps("TransferTarget"),
        _text("DestType"),
        _text("DestApp", always=False),
    ),
    b"Pickup": _Shape(events.Pickup, _THE_CHANNEL, _who("Target")),
    b"ParkedCall": _Shape(events.ParkedCall, _who("Parkee"), _text("ParkerDialString")),
    b"ParkedCallTimeOut": _Shape(events.ParkedCallTimeOut, _who("Parkee"), _text("ParkerDialString")),
    b"UnParkedCall": _Shape(events.UnParkedCall, _who("Parkee"), _who("Retriever")),
    b"MixMonitorStart": _Shape(events.MixMonitorStart, _THE_CHANNEL),
    b"MixMonitorStop": _Shape(events.MixMonitorStop, _THE_CHANNEL),
    b"MixMonitorMute": _Shape(events.MixMonitorMute, _THE_CHANNEL, _is_one("State")),
    b"MonitorStart": _Shape(events.MonitorStart, _THE_CHANNEL),
    b"MonitorStop": _Shape(events.MonitorStop, _THE_CHANNEL),
    b"ChanSpyStart": _Shape(events.ChanSpyStart, _who("Spyer"), _perhaps("Spyee")),
}
"""AMI's name of an event -> the class and, in the order of its fields after `at` and of the message, their sources."""

_EVENT = b"Event: "
_FIRST_LINES = {_EVENT + name + b"\r": shape for name, shape in SHAPES.items()}
_START = len(_EVENT + b"VarSet\r")
"""Bytes that tell most events apart, and the most frequent of all is known by them alone."""
_STARTS = frozenset((_EVENT + name + b"\r")[:_START] for name in (*SHAPES, *RARE))
