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
_FIRST_LETTERS = frozenset({_DATA_PREFIX_BYTES[:2], *(name[:2] for name in _VARIABLE_BYTES)})
_APPLICATION_BYTES = frozenset(name.encode() for name in APPLICATIONS)
_USER_EVENT_BYTES = USER_EVENT.encode() + b"\r"


def is_used_variable(raw: bytes) -> bool:
    """Tell whether a `VarSet` sets a variable that the tracker uses."""
    start = raw.rfind(b"\nVariable: ") + 11
    letters = raw[start : start + 2]
    if start > 10 and letters not in _FIRST_LETTERS and not letters.startswith(b"_"):
        return False
    end = raw.find(b"\r", start)
    name = raw[start:end] if start > 10 and end >= 0 else parse(raw).get("Variable").encode()
    name = name.lstrip(b"_")
    return name in _VARIABLE_BYTES or name.startswith(_DATA_PREFIX_BYTES)


def is_used_application(raw: bytes) -> bool:
    """Tell whether a `Newexten` runs an application that the tracker uses, or may be a choice in a menu."""
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
    if not digits or digits.strip(b"0123456789*#"):
        return False
    # A menu has answered, and nobody presses anything on a Local channel: that leaves few of those who just dialled.
    return b"\nPriority: 1\r" in raw and b"\nChannelState: 6\r" in raw and b"\nChannel: Local/" not in raw


def is_used_user_event(raw: bytes) -> bool:
    """Tell whether a `UserEvent` is ours."""
    # The first is Asterisk's own; what follows it is the dialplan's.
    start = raw.find(b"\nUserEvent: ")
    return raw.startswith(_USER_EVENT_BYTES, start + 12) if start >= 0 else False
