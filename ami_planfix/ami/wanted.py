"""What of the variables, applications and user events is of use, told by a message's bytes alone.

A busy PBX sends more of them than of all others together, and next to none is used.
"""

from ami_planfix.ami.wire import parse
from ami_planfix.calls import menus
from ami_planfix.calls.attributes import VARIABLE

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

_VARIABLE_BYTES = frozenset(name.encode() for name in VARIABLES)
_DATA_PREFIX_BYTES = DATA_PREFIX.encode()
_VARIABLES_BEGIN = (b"_", _DATA_PREFIX_BYTES, *_VARIABLE_BYTES)
_APPLICATION_BYTES = frozenset(name.encode() for name in APPLICATIONS)
_APPLICATIONS_BEGIN = tuple(_APPLICATION_BYTES)
_PRESSED = b"0123456789*#"
_USER_EVENT_BYTES = USER_EVENT.encode() + b"\r"


def is_used_variable(raw: bytes) -> bool:
    """Tell whether a `VarSet` sets a variable that the tracker uses."""
    start = raw.rfind(b"\nVariable: ") + 11
    if start > 10 and not raw.startswith(_VARIABLES_BEGIN, start):
        return False
    end = raw.find(b"\r", start)
    name = raw[start:end] if start > 10 and end >= 0 else parse(raw).get("Variable").encode()
    name = name.lstrip(b"_")
    return name in _VARIABLE_BYTES or name.startswith(_DATA_PREFIX_BYTES)


def is_used_application(raw: bytes) -> bool:
    """Tell whether a `Newexten` runs an application that the tracker uses, or may be a choice in a menu."""
    start = raw.rfind(b"\nApplication: ")
    if start < 0 or raw.startswith(_APPLICATIONS_BEGIN, start + 14):
        end = raw.find(b"\r", start + 14)
        if start < 0 or end < 0:
            return parse(raw).get("Application") in APPLICATIONS
        if raw[start + 14 : end] in _APPLICATION_BYTES:
            return True
    return raw[start - 2] in _PRESSED and _is_at_a_choice(raw, start)


def _is_at_a_choice(raw: bytes, application: int) -> bool:
    """Tell whether this is the first priority of a short exten of digits, which a menu may have led to."""
    exten = raw.rfind(b"\nExtension: ", 0, application) + 12
    if not 0 < application - exten <= LONGEST_CHOICE + 1:
        return False
    digits = raw[exten : application - 1]
    if not digits or digits.strip(_PRESSED):
        return False
    # A menu has answered, and nobody presses anything on a Local channel: that leaves few of those who just dialled.
    return b"\nPriority: 1\r" in raw and b"\nChannelState: 6\r" in raw and b"\nChannel: Local/" not in raw


def is_used_user_event(raw: bytes) -> bool:
    """Tell whether a `UserEvent` is ours."""
    # The first is Asterisk's own; what follows it is the dialplan's.
    start = raw.find(b"\nUserEvent: ")
    return raw.startswith(_USER_EVENT_BYTES, start + 12) if start >= 0 else False
