"""Reads Asterisk's records of a time from wherever they are: a database or a `Master.csv`."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import inf
from pathlib import Path
from typing import NamedTuple, TypeVar

from ami_planfix.backfill import csvfiles
from ami_planfix.backfill.records import BadRecordError, Cdr, Cel, Value, cdr_of, cel_of, epoch_of
from ami_planfix.backfill.tables import RecordsTable
from ami_planfix.backfill.times import WallClock, wrong_by
from ami_planfix.config.model import Backfill as Section
from ami_planfix.errors import BackfillError

R = TypeVar("R")
Source = Path | RecordsTable
_IDLE_KINDS = frozenset({
    "DTMF", "STREAM_BEGIN", "STREAM_END", "LINKEDID_END", "USER_DEFINED", "LOCAL_OPTIMIZE", "LOCAL_OPTIMIZE_BEGIN",
})  # fmt: skip
"""Kinds of CEL events from which nothing follows for a report."""


class Found(NamedTuple):
    """What was read."""

    cels: list[Cel]
    cdrs: list[Cdr]
    bad: Counter[str]
    """Rows that were skipped, by what is wrong with them."""


class Reader:
    """Reads what the `backfill` section names."""

    def __init__(self, section: Section) -> None:
        self._clock = WallClock(section.timezone)
        self._cel = self._source(section.cel.get_secret_value(), section.cel_table)
        self._cdr = self._source(section.cdr.get_secret_value(), section.cdr_table)
        self._clock_is_right = False

    async def read(self, since: float, until: float) -> Found:
        """Read the records of a time (seconds since the epoch), in their order; raise BackfillError."""
        if not self._clock_is_right:
            await self._check_clock()
            self._clock_is_right = True
        found = Found([], [], Counter())
        if self._cel is not None:
            cels = _Cels(self._clock, found, since, until)
            await self._read(self._cel, csvfiles.cel_columns, cels, since)
            _demand_kinds(cels)
        if self._cdr is not None:
            await self._read(self._cdr, csvfiles.cdr_columns, _Cdrs(self._clock, found, since, until), since)
        return found

    async def _check_clock(self) -> None:
        """Compare the times of the newest records with those in their Uniqueids, before any is looked for by time."""
        found = Found([], [], Counter())
        if self._cel is not None:
            await self._read(self._cel, csvfiles.cel_columns, _Cels(self._clock, found), inf)
            begun = ((one.at, one.uniqueid) for one in found.cels if one.kind == "CHAN_START")
            _demand_right_times("backfill.cel", begun)
        if self._cdr is not None:
            await self._read(self._cdr, csvfiles.cdr_columns, _Cdrs(self._clock, found), inf)
            _demand_right_times("backfill.cdr", _first_times(found.cdrs))

    def _source(self, where: str, table: str) -> Source | None:
        if not where:
            return None
        return RecordsTable(where, table, self._clock) if "://" in where else Path(where)

    async def _read(self, source: Source, columns: csvfiles.Columns, into: "_Cels | _Cdrs", since: float) -> None:
        """Read what is not older than `since`; for `inf` some of the newest."""
        if isinstance(source, Path):
            await asyncio.to_thread(_read_file, source, columns, into, since)
            return
        async for row in source.newest() if since == inf else source.rows(into.since, into.until):
            into.take(row)


def _read_file(path: Path, columns: csvfiles.Columns, into: "_Cels | _Cdrs", since: float) -> None:
    for row in csvfiles.rows(path, columns, into.time, since):
        into.take(row)


def _demand_right_times(key: str, times: Iterable[tuple[float, str]]) -> None:
    known = [(at, epoch) for at, uniqueid in times if (epoch := epoch_of(uniqueid)) is not None]
    wrong = wrong_by(at - epoch for at, epoch in known)
    if wrong:
        raise BackfillError(
            f"{key}: its times are {wrong / 3600:+g} h from those in the calls' ids: set backfill.timezone to the "
            "zone in which Asterisk writes them (UTC with `usegmtime = yes`)"
        )


class _Cels:
    """Takes rows of CEL."""

    def __init__(self, clock: WallClock, into: "Found", since: float = -inf, until: float = inf) -> None:
        self.found = into.cels
        self.kinds: set[str] = set()
        self.since, self.until = since, until
        self._clock = clock
        self._bad = into.bad

    def time(self, row: Mapping[str, Value]) -> float:
        return self._clock.read(row.get("eventtime"))

    def take(self, row: Mapping[str, Value] | None) -> None:
        one = _made(row, lambda found: cel_of(found, self._clock.read), self._bad)
        if one is not None and self.since <= one.at <= self.until:
            self.kinds.add(one.kind)
            if one.kind not in _IDLE_KINDS:
                self.found.append(one)


class _Cdrs:
    """Takes rows of CDR."""

    def __init__(self, clock: WallClock, into: "Found", since: float = -inf, until: float = inf) -> None:
        self.found = into.cdrs
        self.since, self.until = since, until
        self._clock = clock
        self._bad = into.bad

    def time(self, row: Mapping[str, Value]) -> float:
        return self._clock.read(row.get("end") or row.get("start"))

    def take(self, row: Mapping[str, Value] | None) -> None:
        one = _made(row, lambda found: cdr_of(found, self._clock.read), self._bad)
        if one is not None and one.end >= self.since and one.start <= self.until:
            self.found.append(one)


def _made(row: Mapping[str, Value] | None, make: Callable[[Mapping[str, Value]], R], bad: Counter[str]) -> R | None:
    if row is None:
        bad["other columns than expected"] += 1
        return None
    try:
        return make(row)
    except BadRecordError as fault:
        bad[str(fault)] += 1
        return None


def _first_times(rows: Iterable[Cdr]) -> Iterator[tuple[float, str]]:
    first: dict[str, float] = {}
    for row in rows:
        first[row.uniqueid] = min(row.start, first.get(row.uniqueid, row.start))
    return ((at, uniqueid) for uniqueid, at in first.items())


def _demand_kinds(cels: _Cels) -> None:
    """Say what cel.conf lacks, where nothing could ever be concluded."""
    ends = {"CHAN_END", "HANGUP"} & cels.kinds
    missing = [] if "CHAN_START" in cels.kinds else ["CHAN_START"]
    missing += [] if ends else ["CHAN_END"]
    if len(cels.found) >= _ENOUGH and missing:
        raise BackfillError(
            f"backfill.cel: there is no {' and no '.join(missing)} among its events: docs/admin/backfill.md tells "
            "which `events` cel.conf needs"
        )


_ENOUGH = 20
"""Rows among which every kind that is recorded must be."""
