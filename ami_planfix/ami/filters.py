"""Which events a user's `eventfilter` lines let pass (pure).

Asterisk: main/manager.c. With including filters an event must match one of them; an excluding one that matches
keeps it back. The old form matches a regular expression anywhere in the event's text; the new one, from 20.10, 21.5
and 22 on, names event, header and method.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ami_planfix.ami import decode, wanted
from ami_planfix.calls import menus

OLD_FORM = "eventfilter"
_PART = re.compile(r"(action|name|header|method)\(([^()]*)\)")


@dataclass(frozen=True, slots=True)
class Filter:
    """One line."""

    includes: bool
    pattern: str
    name: str = ""
    header: str = ""
    method: str = "regex"

    def matches(self, event: str) -> bool:
        """Tell whether it is about an event, given as text."""
        headers = dict(line.split(": ", 1) for line in event.splitlines())
        if self.name and headers["Event"] != self.name:
            return False
        text = headers.get(self.header, "") if self.header else event
        if not self.pattern:
            return True
        match self.method:
            case "exact":
                return text == self.pattern
            case "starts_with":
                return text.startswith(self.pattern)
            case "ends_with":
                return text.endswith(self.pattern)
            case "contains":
                return self.pattern in text
            case _:
                return _search(self.pattern, text)


def parse(options: Iterable[tuple[str, str]]) -> list[Filter]:
    """Read a user's options; those that are no filters are left out."""
    found = []
    for key, value in options:
        if key.lower() == OLD_FORM:
            found.append(Filter(not value.startswith("!"), value.removeprefix("!").strip()))
        elif key.lower().startswith(OLD_FORM + "("):
            parts = dict(_PART.findall(key))
            found.append(
                Filter(
                    parts.get("action", "include").strip() != "exclude",
                    value,
                    parts.get("name", "").strip(),
                    parts.get("header", "").strip(" :"),
                    parts.get("method", "none").strip(),
                )
            )
    return found


def kept_back(filters: Iterable[Filter], events: Mapping[str, str]) -> list[str]:
    """Tell which events (`NEEDED`, `OPTIONAL`) these filters do not let pass, sorted."""
    filters = list(filters)
    including = [one for one in filters if one.includes]
    excluding = [one for one in filters if not one.includes]

    def passes(event: str) -> bool:
        wanted = not including or any(one.matches(event) for one in including)
        return wanted and not any(one.matches(event) for one in excluding)

    return sorted(name for name, event in events.items() if not passes(event))


def _search(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text, re.DOTALL) is not None
    except re.error:
        return False


def _event(name: str, **headers: str) -> str:
    return "\n".join([f"Event: {name}", *(f"{key}: {value}" for key, value in headers.items())])


def _variables(*names: str) -> dict[str, str]:
    return {f"VarSet of {name}": _event("VarSet", Variable=name) for name in sorted(names)}


def _applications(*names: str) -> dict[str, str]:
    return {f"Newexten with {name}": _event("Newexten", Application=name) for name in sorted(names)}


_SPECIAL = (b"Newexten", b"VarSet", b"UserEvent")
OPTIONAL = (
    {
        "UserEvent": _event("UserEvent", UserEvent=wanted.USER_EVENT),
        "Newexten of a menu": _event("Newexten", Priority="1", Extension="2", Application="NoOp"),
    }
    | _applications(*menus.APPLICATIONS)
    | _variables(menus.FREEPBX)
)
"""What fields for the call's data tag may come from."""
NEEDED = (
    {name.decode(): _event(name.decode()) for name in decode.SHAPES if name not in _SPECIAL}
    | {"OriginateResponse": _event("OriginateResponse")}
    | _applications(*(wanted.APPLICATIONS - menus.APPLICATIONS))
    | _variables(*(wanted.VARIABLES - {menus.FREEPBX}), f"{wanted.DATA_PREFIX}x")
)
"""What calls are followed by: each event, and how it looks where filters look."""
