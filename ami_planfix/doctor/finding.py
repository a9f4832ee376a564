"""What doctor says: a sign, what was checked, what was found, how to mend it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Sign(StrEnum):
    """How it is."""

    WELL = "ok"
    WARNING = "warning"
    """Works, or may work; somebody should look."""
    FAILED = "failed"
    """Does not work until somebody mends it."""
    UNTRIED = "untried"
    """Could not be tried, or is not in use."""


class Finding(NamedTuple):
    """One line."""

    sign: Sign
    what: str
    found: str
    remedy: str = ""
    fault: str = ""
    """The name of the fault; `''` if there is none."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that doctor knows to go wrong."""

    name: str
    what: str
    means: str
    """In general, for the documentation."""
    remedy: str
    """With `{...}` for what only the moment knows."""
    sign: Sign = Sign.FAILED

    def found(self, words: str, **values: object) -> Finding:
        """Tell that it is so here and now."""
        return Finding(self.sign, self.what, words, self.remedy.format_map(values), self.name)


class Untried(Exception):  # noqa: N818 - as the sign is called
    """A check cannot be made; the message says why."""


def well(what: str, found: str) -> Finding:
    """Tell that something is as it should be."""
    return Finding(Sign.WELL, what, found)


def untried(what: str, why: str, remedy: str = "") -> Finding:
    """Tell that something was not tried, or is not in use."""
    return Finding(Sign.UNTRIED, what, why, remedy)
