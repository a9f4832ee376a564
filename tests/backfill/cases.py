"""Cases: Asterisk's own records of a story, and what a daemon that heard it live reported."""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ami_planfix.backfill.csvfiles import cdr_columns, cel_columns
from ami_planfix.backfill.records import Cdr, Cel, cdr_of, cel_of
from ami_planfix.backfill.times import WallClock
from ami_planfix.calls.reports import Report
from tests.calls import story

CASES = Path(__file__).parent / "cases"
CLOCK = WallClock("UTC")
"""The lab's Asterisks write in UTC."""


class Part(NamedTuple):
    """What identifies a report, and how a part ended."""

    callid: str
    direction: str
    client: str
    extension: str
    part: int
    stage: str
    outcome: str


@dataclass(frozen=True)
class Case:
    """One story as Asterisk wrote it down."""

    cels: tuple[Cel, ...]
    cdrs: tuple[Cdr, ...]
    reports: dict[Part, int]
    """What was reported live, with the seconds of conversation."""
    story: story.Story


@cache
def names() -> tuple[str, ...]:
    """List all cases, as KIND/STORY."""
    return tuple(sorted(path.relative_to(CASES).as_posix().removesuffix(".json") for path in CASES.glob("*/*.json")))


@cache
def load(name: str) -> Case:
    """Read a case."""
    found = json.loads((CASES / f"{name}.json").read_text("utf-8"))
    cels = [cel_of(dict(zip(cel_columns(row), row, strict=True)), CLOCK.read) for row in csv.reader(found["cel"])]
    cdrs = [cdr_of(dict(zip(cdr_columns(row), row, strict=True)), CLOCK.read) for row in csv.reader(found["cdr"])]
    captured = story.load(found["captured"])
    return Case(tuple(cels), tuple(cdrs), {_told(one): one.get("duration", 0) for one in found["reports"]}, captured)


def parts(reports: Iterable[Report]) -> dict[Part, int]:
    """Tell the same of reports that were derived from records."""
    return {
        Part(
            one.callid,
            one.direction.value,
            one.client,
            one.extension,
            one.part,
            one.stage.value,
            one.outcome.value if one.outcome else "",
        ): one.duration
        for one in reports
    }


def _told(one: dict[str, str | int]) -> Part:
    return Part(
        str(one["callid"]),
        str(one["direction"]),
        str(one.get("client", "")),
        str(one["extension"]),
        int(one["part"]),
        str(one["stage"]),
        str(one.get("outcome", "")),
    )
