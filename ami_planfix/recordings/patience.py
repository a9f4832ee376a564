"""Is a recording whole, or to be waited for, or to be given up: decided from what was seen of its files (pure).

A file is whole when the kernel has told that it was closed, or when its header says its true length: Asterisk writes
that last (formats/format_wav), and the sound in pieces of 32 kB with seconds between them. Of files that cannot tell,
not to have changed for a while must do. A part of a call that has left no sound is waited for a little longer than the
others, then the call is heard without it.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

CLOSED_FOR = 0.3
"""Seconds without a change after which a file that was closed counts as whole: a script may go on at once."""
UNCLOSED_FOR = 60.0
"""Seconds without a change after which a file counts as whole that says it is not: Asterisk was killed."""
WITHOUT_THE_REST = 60.0
"""Seconds for which the parts that have sound wait for those that have none."""
WATCHED_FOR = 60.0
"""Seconds for which a recording is looked for at least, however old: the daemon may have been away."""
_FIRST, _LAST = 1.0, 60.0


class Look(NamedTuple):
    """What a call's files are at one moment."""

    fingerprints: tuple[str, ...]
    """Of those that have sound; each changes with its file."""
    paths: frozenset[Path]
    complete: bool
    """None is missing or empty."""
    finished: bool | None
    """What their headers say; None if those cannot tell."""
    fault: str
    """Why the first of the others cannot be had."""


@dataclass(slots=True)
class Seen:
    """What was seen of one call's files so far; times in seconds since the epoch."""

    ended: float
    """When the conversation ended."""
    began: float
    """When they were looked for first."""
    fingerprints: tuple[str, ...] = ()
    since: float = 0.0
    """When they became what they are."""
    closed: set[Path] = field(default_factory=set)
    """Files of which the kernel has told that they were closed."""


class Again(NamedTuple):
    """Look again at that time."""

    at: float


class Whole(NamedTuple):
    """All is there, or all that will be."""

    complete: bool


class GivenUp(NamedTuple):
    """It will not appear."""


Decision = Again | Whole | GivenUp


def decide(seen: Seen, look: Look, now: float, settle: float, patience: float) -> Decision:
    """Take a look into account; `settle` and `patience` are those of the configuration, in seconds."""
    if look.fingerprints != seen.fingerprints:
        seen.fingerprints, seen.since = look.fingerprints, now
    if not look.fingerprints:
        if now - seen.ended >= patience and now - seen.began >= WATCHED_FOR:
            return GivenUp()
        return Again(now + min(max(_FIRST, (now - seen.began) / 10), _LAST))
    enough = _enough(seen, look, settle)
    if now - seen.since >= enough:
        return Whole(look.complete)
    return Again(min(seen.since + enough, now + max(_FIRST, settle)))


def _enough(seen: Seen, look: Look, settle: float) -> float:
    """Tell for how many seconds files must not have changed."""
    if not look.complete:
        return max(settle, WITHOUT_THE_REST)
    if look.finished or look.paths <= seen.closed:
        return min(settle, CLOSED_FOR)
    return settle if look.finished is None else max(settle, UNCLOSED_FOR)
