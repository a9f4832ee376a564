"""What goes wrong when: decided by a seed alone (pure).

Each field of trouble has its own row of incidents, one after another; those of different fields overlap.
"""

import random
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What can go wrong."""

    # Planfix
    REFUSES = "planfix: 400"
    TOKEN = "planfix: 401"
    TOO_MANY = "planfix: 429"
    BROKEN = "planfix: 500"
    GARBAGE = "planfix: garbage"
    HUGE = "planfix: huge answers"
    HANGS = "planfix: hangs"
    SLOW = "planfix: slow"
    CUTS = "planfix: no answer"
    CUTS_HEADERS = "planfix: half an answer's head"
    CUTS_BODY = "planfix: half an answer's body"
    AWAY = "planfix: away"
    # Asterisk's manager interface
    CLOSED = "ami: closed"
    RESET = "ami: reset"
    FROZEN = "ami: frozen"
    CRASHED = "asterisk: killed, restarted"
    # The daemon
    KILLED = "daemon: kill -9"
    TERMINATED = "daemon: SIGTERM"
    RELOADED = "daemon: SIGHUP"
    # What it stands on
    LOCKED = "database: locked"
    FULL = "disk: full"
    DATABASE_AWAY = "database: restarted"
    CLOCK_AHEAD = "clock: ahead"
    CLOCK_BEHIND = "clock: behind"


class Trouble(NamedTuple):
    """One incident; times in seconds since the beginning."""

    begin: float
    kind: Kind
    lasts: float


class Sort(NamedTuple):
    """How often a kind comes among those of its field, and how long it lasts."""

    kind: Kind
    weight: float
    least: float
    most: float


FIELDS: dict[str, tuple[float, tuple[Sort, ...]]] = {
    "planfix": (
        0.5,
        (
            Sort(Kind.REFUSES, 2, 1, 4),
            Sort(Kind.TOKEN, 0.3, 1, 3),
            Sort(Kind.TOO_MANY, 2, 1, 4),
            Sort(Kind.BROKEN, 3, 1, 8),
            Sort(Kind.GARBAGE, 1, 1, 4),
            Sort(Kind.HUGE, 1, 1, 3),
            Sort(Kind.HANGS, 2, 2, 8),
            Sort(Kind.SLOW, 3, 2, 8),
            Sort(Kind.CUTS, 2, 1, 5),
            Sort(Kind.CUTS_HEADERS, 2, 1, 4),
            Sort(Kind.CUTS_BODY, 2, 1, 4),
            Sort(Kind.AWAY, 2, 1, 8),
        ),
    ),
    "ami": (
        0.18,
        (
            Sort(Kind.CLOSED, 2, 0, 0),
            Sort(Kind.RESET, 2, 0, 0),
            Sort(Kind.FROZEN, 3, 1, 8),
            Sort(Kind.CRASHED, 2, 0.5, 4),
        ),
    ),
    "daemon": (
        0.18,
        (
            Sort(Kind.KILLED, 3, 0, 5),
            Sort(Kind.TERMINATED, 1, 0, 5),
            Sort(Kind.RELOADED, 1, 0, 0),
        ),
    ),
    "state": (
        0.14,
        (
            Sort(Kind.LOCKED, 2, 1, 12),
            Sort(Kind.FULL, 2, 1, 10),
            Sort(Kind.DATABASE_AWAY, 2, 0, 6),
            Sort(Kind.CLOCK_AHEAD, 1, 2, 10),
            Sort(Kind.CLOCK_BEHIND, 1, 2, 10),
        ),
    ),
}
"""Field -> its share of all incidents, and what can go wrong in it."""


def schedule(seed: int, count: int, seconds: float, possible: frozenset[Kind] = frozenset(Kind)) -> list[list[Trouble]]:
    """Spread so many incidents over a time, a row for each field; only what is possible here."""
    chance = random.Random(seed)
    rows = []
    for share, sorts in FIELDS.values():
        here = [sort for sort in sorts if sort.kind in possible]
        number = round(count * share)
        begins = sorted(chance.uniform(0.02, 0.98) * seconds for _ in range(number))
        rows.append([_trouble(chance, begin, here) for begin in begins] if here else [])
    return rows


def _trouble(chance: random.Random, begin: float, sorts: Sequence[Sort]) -> Trouble:
    sort = chance.choices(sorts, [one.weight for one in sorts])[0]
    return Trouble(begin, sort.kind, chance.uniform(sort.least, sort.most))
