"""Which events a user's `eventfilter` lines let pass (pure).

Asterisk: main/manager.c. With including filters an event must match one of them; an excluding one that matches
keeps it back. The old form matches a regular expression anywhere in the event's text; the new one, from 20.10, 21.5
and 22 on, names event, header and method.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ami_planfix.ami import decode

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


def kept_back(filters: Iterable[Filter]) -> list[str]:
    """Tell the events that we need and that these filters do not let pass, sorted."""
    filters = list(filters)
    including = [one for one in filters if one.includes]
    excluding = [one for one in filters if not one.includes]

    def passes(event: str) -> bool:
        wanted = not including or any(one.matches(event) for one in including)
        return wanted and not any(one.matches(event) for one in excluding)

    return sorted(name for name, event in _NEEDED.items() if not passes(event))


def _search(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


def _event(name: str, **headers: str) -> str:
    return "\n".join([f"Event: {name}", *(f"{key}: {value}" for key, value in headers.items())])


_NEEDED = (
    {name.decode(): _event(name.decode()) for name in decode.SHAPES if name not in (b"Newexten", b"VarSet")}
    | {"OriginateResponse": _event("OriginateResponse")}
    | {f"Newexten with {name}": _event("Newexten", Application=name) for name in sorted(decode.APPLICATIONS)}
    | {f"VarSet of {name}": _event("VarSet", Variable=name) for name in sorted(decode.VARIABLES)}
    | {f"VarSet of {decode.DATA_PREFIX}x": _event("VarSet", Variable=f"{decode.DATA_PREFIX}x")}
)
"""What we need, and how it looks where filters look."""
