"""Raw AMI messages to the events that the tracker hears; what it does not use is dropped unread.

`SHAPES` is the table: for each event, the class that it becomes and where each field of that class comes
from, in the order of its fields. A channel is a group of headers with a common prefix (`Dest`, `LocalOne`).
What an event says is never trusted: garbage becomes a default, and an event without its channel nothing.
"""

import re
from collections.abc import Callable
from sys import intern
from typing import NamedTuple

from ami_planfix.ami.wire import decode_text, event_name, parse
from ami_planfix.calls import events, menus
from ami_planfix.calls.attributes import VARIABLE
from ami_planfix.calls.events import Channel, Event, Linkedid, Uniqueid

VARIABLES = frozenset(
    {
        "DEXTEN",
        "FORWARDERNAME",
        "FROM_DID",
        "MIXMONITOR_FILENAME",
        menus.FREEPBX,
    }
)
"""Channel variables whose `VarSet` is decoded."""

DATA_PREFIX = VARIABLE
"""And those whose names begin with this."""

APPLICATIONS = menus.APPLICATIONS | {"Dial", "Monitor", "Queue"}
"""Dialplan applications whose `Newexten` is decoded; and whatever is first at a short exten of digits (`menus`)."""

LONGEST_CHOICE = 6
"""Digits that are pressed in a menu; longer extens are telephone numbers."""

USER_EVENT = "PlanfixData"
"""The `UserEvent` that is decoded."""

# The years 2000 and 2100: a PBX without a clock says 1970.
_EARLIEST, _LATEST = 946_684_800.0, 4_102_444_800.0

_Column = Callable[[str], object]
"""Finds one field of an event in its text."""


class _IncompleteError(Exception):
    """An event lacks something without which it says nothing."""


def decode(raw: bytes, arrival: float) -> Event | None:
    """Return what a message tells the tracker, None if nothing; never raise.

    `arrival` (seconds since the epoch) is the event's time if it has none of its own that can be one.
    """
    # `event_name` written out for the ordinary first line: most events end here.
    end = raw.find(b"\r", 7, 80)
    shape = SHAPES.get(raw[7:end])
    if end < 0 or not raw.startswith(b"Event: "):
        shape = SHAPES.get(event_name(raw))
    if shape is None or (shape.peek is not None and not shape.peek(raw)):
        return None
    text = _text_of(raw)
    try:
        return shape.make(_time(text, arrival), *[column(text) for column in shape.columns])
    except _IncompleteError:
        return None


def _text_of(raw: bytes) -> str:
    if raw.find(b"\r", 0, 80) < 0:
        raw = raw.replace(b"\n", b"\r\n")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        # Each header may have an encoding of its own.
        return "\r\n".join(map(decode_text, raw.split(b"\r\n")))


def _value(text: str, header: str) -> str:
    """Return a header's value, `''` if there is none; `header` has the CR LF before it and its colon."""
    start = text.find(header)
    if start < 0:
        return ""
    start += len(header)
    end = text.find("\r\n", start)
    return (text[start:end] if end >= 0 else text[start:]).removeprefix(" ")


def _begin(header: str) -> str:
    return f"\r\n{header}:"


_TIMESTAMP = _begin("Timestamp")


def _time(text: str, arrival: float) -> float:
    try:
        at = float(_value(text, _TIMESTAMP))
    except ValueError:
        return arrival
    return at if _EARLIEST <= at < _LATEST else arrival


_STATES = {str(state): state for state in range(10)}


def _number(value: str) -> int | None:
    try:
        return int(value)
    except ValueError:
        return None


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

_USED = (
    "Channel",
    "ChannelState",
    "CallerIDNum",
    "ConnectedLineNum",
    "Context",
    "Exten",
    "Uniqueid",
    "Linkedid",
)


def _channel(prefix: str) -> Callable[[str], Channel | None]:
    # One search takes all the headers of a channel if they stand as Asterisk writes them; else one for each.
    in_order = re.compile(
        "".join(rf"\r\n{prefix}{name}: " + (r"([^\r]*)" if name in _USED else r"[^\r]*") for name in _CHANNEL_HEADERS)
    )
    headers = [_begin(prefix + name) for name in _USED]

    def column(text: str) -> Channel | None:
        found = in_order.search(text)
        values = found.groups() if found else [_value(text, header) for header in headers]
        name, state, caller, connected, context, exten, uniqueid, linkedid = values
        if not uniqueid or uniqueid == "none":  # `none`: a global variable was set
            return None
        # The same few strings come in every event of a call: interned, a call keeps each of them once.
        return Channel(
            Uniqueid(intern(uniqueid)),
            Linkedid(intern(linkedid or uniqueid)),
            intern(name),
            _STATES[state] if state in _STATES else _number(state) or 0,
            "" if caller == "<unknown>" else caller,
            "" if connected == "<unknown>" else connected,
            intern(context),
            exten,
        )

    return column


def _who(prefix: str) -> _Column:
    find = _channel(prefix)

    def column(text: str) -> Channel:
        channel = find(text)
        if channel is None:
            raise _IncompleteError
        return channel

    return column


def _text(header: str) -> _Column:
    begin = _begin(header)

    def column(text: str) -> str:
        value = _value(text, begin)
        return "" if value == "<unknown>" else intern(value)

    return column


def _id(header: str) -> _Column:
    begin = _begin(header)

    def column(text: str) -> str:
        value = _value(text, begin)
        if value in _NOT_AN_ID:
            raise _IncompleteError
        return intern(value)

    return column


_NOT_AN_ID = frozenset({"", "<null>", "<unknown>"})


def _optional_id(header: str) -> _Column:
    begin = _begin(header)
    return lambda text: intern(_value(text, begin)) or None


def _optional_number(header: str) -> _Column:
    begin = _begin(header)
    return lambda text: _number(_value(text, begin))


def _number_or_zero(header: str) -> _Column:
    begin = _begin(header)
    return lambda text: _number(_value(text, begin)) or 0


def _is_one(header: str) -> _Column:
    begin = _begin(header)
    return lambda text: _value(text, begin) == "1"


def _is_success(text: str) -> bool:
    return _value(text, _RESPONSE) == "Success"


_RESPONSE = _begin("Response")


def _variable(text: str) -> str:
    return _variable_name(_value(text, _VARIABLE))


_VARIABLE = _begin("Variable")


def _variable_name(value: str) -> str:
    # `_NAME` is inherited by the next channel, `__NAME` by all: the same variable.
    return intern(value.lstrip("_"))


def _wanted_variable(name: str) -> bool:
    return name in VARIABLES or name.startswith(DATA_PREFIX)


_VARIABLE_BYTES = frozenset(name.encode() for name in VARIABLES)
_DATA_PREFIX_BYTES = DATA_PREFIX.encode()
_APPLICATION_BYTES = frozenset(name.encode() for name in APPLICATIONS)
_USER_EVENT_LINE = "\r\nUserEvent: "
_USER_EVENT_BYTES = USER_EVENT.encode() + b"\r"
_NO_FIELDS = frozenset({"ActionID", "Uniqueid"})


def _peek_variable(raw: bytes) -> bool:
    start = raw.rfind(b"\nVariable: ")
    end = raw.find(b"\r", start + 11)
    if start < 0 or end < 0:
        return _wanted_variable(_variable_name(parse(raw).get("Variable")))
    name = raw[start + 11 : end].lstrip(b"_")
    return name in _VARIABLE_BYTES or name.startswith(_DATA_PREFIX_BYTES)


def _peek_application(raw: bytes) -> bool:
    start = raw.rfind(b"\nApplication: ")
    end = raw.find(b"\r", start + 14)
    if start < 0 or end < 0:
        return parse(raw).get("Application") in APPLICATIONS
    return raw[start + 14 : end] in _APPLICATION_BYTES or _is_at_a_choice(raw, start)


def _is_at_a_choice(raw: bytes, application: int) -> bool:
    """Tell whether this is the first priority of a short exten of digits, which a menu may have led to."""
    exten = raw.rfind(b"\nExtension: ", 0, application) + 12
    if not 0 < application - exten <= LONGEST_CHOICE + 1:
        return False
    digits = raw[exten : application - 1]
    return bool(digits) and not digits.strip(b"0123456789*#") and b"\nPriority: 1\r" in raw


def _peek_user_event(raw: bytes) -> bool:
    # The first is Asterisk's own; what follows it is the dialplan's.
    start = raw.find(b"\nUserEvent: ")
    return raw.startswith(_USER_EVENT_BYTES, start + 12) if start >= 0 else False


def _told_fields(text: str) -> tuple[tuple[str, str], ...]:
    """Read what stands below the line `UserEvent`: the fields, and what only says of which call they are."""
    told = [line.partition(":") for line in text.partition(_USER_EVENT_LINE)[2].split("\r\n")[1:]]
    return tuple((name.strip(), value.strip()) for name, colon, value in told if colon and name not in _NO_FIELDS)


class _Shape(NamedTuple):
    make: Callable[..., Event]
    columns: tuple[_Column, ...]
    peek: Callable[[bytes], bool] | None = None
    """Decides on the bytes alone whether the event is worth decoding."""


def _shape(make: Callable[..., Event], *columns: _Column) -> _Shape:
    return _Shape(make, columns)


_THE_CHANNEL = _who("")
_LOCAL_HALVES = (_who("LocalOne"), _who("LocalTwo"))
_DIAL = (_channel(""), _who("Dest"))

SHAPES: dict[bytes, _Shape] = {
    b"Newchannel": _shape(events.Newchannel, _THE_CHANNEL),
    b"Newstate": _shape(events.Newstate, _THE_CHANNEL),
    b"NewCallerid": _shape(events.NewCallerid, _THE_CHANNEL),
    b"Rename": _shape(events.Rename, _id("Uniqueid"), _id("Newname")),
    b"Newexten": _Shape(events.Newexten, (_THE_CHANNEL, _text("Application"), _text("AppData")), _peek_application),
    b"VarSet": _Shape(
        events.VarSet,
        (_channel(""), _variable, _text("Value")),
        _peek_variable,
    ),
    b"UserEvent": _Shape(events.UserEvent, (_id("Uniqueid"), _told_fields), _peek_user_event),
    b"OriginateResponse": _shape(
        events.OriginateResponse,
        _id("Uniqueid"),
        _text("Channel"),
        _text("Exten"),
        _is_success,
        _number_or_zero("Reason"),
    ),
    b"DialBegin": _shape(events.DialBegin, *_DIAL, _text("DialString")),
    b"DialState": _shape(events.DialState, *_DIAL, _text("DialStatus")),
    b"DialEnd": _shape(events.DialEnd, *_DIAL, _text("DialStatus"), _text("Forward")),
    b"HangupRequest": _shape(events.HangupRequest, _THE_CHANNEL, _optional_number("Cause"), _text("TechCause")),
    b"Hangup": _shape(events.Hangup, _THE_CHANNEL, _number_or_zero("Cause"), _text("TechCause")),
    b"BridgeEnter": _shape(
        events.BridgeEnter,
        _id("BridgeUniqueid"),
        _text("BridgeType"),
        _text("BridgeTechnology"),
        _text("BridgeCreator"),
        _THE_CHANNEL,
        _optional_id("SwapUniqueid"),
    ),
    b"BridgeLeave": _shape(events.BridgeLeave, _id("BridgeUniqueid"), _THE_CHANNEL),
    b"BridgeDestroy": _shape(events.BridgeDestroy, _id("BridgeUniqueid")),
    b"BridgeMerge": _shape(events.BridgeMerge, _id("ToBridgeUniqueid"), _id("FromBridgeUniqueid")),
    b"LocalBridge": _shape(events.LocalBridge, *_LOCAL_HALVES),
    b"LocalOptimizationBegin": _shape(events.LocalOptimizationBegin, *_LOCAL_HALVES),
    b"LocalOptimizationEnd": _shape(events.LocalOptimizationEnd, *_LOCAL_HALVES),
    b"BlindTransfer": _shape(
        events.BlindTransfer,
        _who("Transferer"),
        _channel("Transferee"),
        _text("BridgeUniqueid"),
        _text("Context"),
        _text("Extension"),
    ),
    b"AttendedTransfer": _shape(
        events.AttendedTransfer,
        _text("Result"),
        _who("OrigTransferer"),
        _who("SecondTransferer"),
        _channel("Transferee"),
        _channel("TransferTarget"),
        _text("DestType"),
        _text("DestApp"),
        _optional_id("DestBridgeUniqueid"),
    ),
    b"Pickup": _shape(events.Pickup, _THE_CHANNEL, _who("Target")),
    b"ParkedCall": _shape(events.ParkedCall, _who("Parkee"), _text("ParkerDialString")),
    b"ParkedCallTimeOut": _shape(events.ParkedCallTimeOut, _who("Parkee"), _text("ParkerDialString")),
    b"UnParkedCall": _shape(events.UnParkedCall, _who("Parkee"), _who("Retriever")),
    b"MixMonitorStart": _shape(events.MixMonitorStart, _THE_CHANNEL),
    b"MixMonitorStop": _shape(events.MixMonitorStop, _THE_CHANNEL),
    b"MixMonitorMute": _shape(events.MixMonitorMute, _THE_CHANNEL, _is_one("State")),
    b"MonitorStart": _shape(events.MonitorStart, _THE_CHANNEL),
    b"MonitorStop": _shape(events.MonitorStop, _THE_CHANNEL),
    b"ChanSpyStart": _shape(events.ChanSpyStart, _who("Spyer"), _channel("Spyee")),
}
"""AMI's name of an event -> the class and, in the order of its fields after `at`, their sources."""
