"""The journal: the used messages of live calls, for the next start, and of ended ones, for `explain`.

A row is an AMI message or a snapshot; `journal_channels` names the channels that it is about. A row is live as
long as one of its channels is: what is live is replayed at start. The rest is the timelines of ended calls:
the rows of a call are those of its channels, of the channels that those name, and so on.

Each daemon (`owner`) writes all that it hears itself; while it joins, also what is of no use. Whoever reads, reads the
rows of all daemons on that PBX as one stream (`merging`): so a daemon that was away for a moment learns what another
one heard meanwhile.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields
from enum import StrEnum
from typing import NamedTuple, get_args

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, and_, bindparam, delete, exists, func, insert, literal_column, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ami_planfix.ami.decode import decode
from ami_planfix.calls.events import (
    BridgeDestroy,
    BridgeEnter,
    BridgeId,
    BridgeMerge,
    Channel,
    Event,
    OriginateResponse,
    Rename,
    Snapshot,
    Uniqueid,
    UserEvent,
)
from ami_planfix.merging import Told, merged
from ami_planfix.storage.prepared import Prepared
from ami_planfix.storage.tables import journal as rows
from ami_planfix.storage.tables import journal_channels as names

MOST_CHANNELS = 2000
"""Of one timeline; more would be no call but a mistake of ours in what belongs together."""

OTHERS_LIVE = 86400.0
"""Seconds for which another daemon's rows count as live: it may be gone for good, and no call lasts for a day."""

_SNAPSHOT = TypeAdapter(Snapshot)
_LIVE: ColumnElement[bool] = literal_column("live")  # spelt out for the partial index
_LEAST_DIGITS = 5
_ADD_ROWS = Prepared(
    insert(rows)
    .values({name: bindparam(name) for name in ("pbx", "owner", "at", "kind", "raw")})
    .returning(rows.c.id, sort_by_parameter_order=True)
)
_ADD_NAMES = Prepared(
    insert(names).values({name: bindparam(name) for name in ("pbx", "journal_id", "uniqueid", "live")})
)


class Kind(StrEnum):
    """What a row is."""

    EVENT = "event"
    RESYNC = "resync"


class Row(NamedTuple):
    """One message, ready to be written."""

    at: float
    kind: Kind
    raw: bytes
    channels: frozenset[Uniqueid] = frozenset()
    """Whom it is about."""
    linkedids: frozenset[str] = frozenset()
    """By which else it can be found."""


class LiveRows(NamedTuple):
    """What is kept of the calls that go on."""

    streams: dict[str, list[Told]]
    """What each daemon heard, in its order."""
    channels: set[str]


class Found(NamedTuple):
    """A call of which nothing may have been reported, found by a number in its messages."""

    callid: str
    at: float


_Written = dict[int, tuple[str, Told]]
"""What was written, and by whom, by the numbers of the rows."""


class _Group:
    """Channels that messages name together, and those of them of which the tracker keeps nothing."""

    __slots__ = ("channels", "gone")

    def __init__(self) -> None:
        self.channels: set[Uniqueid] = set()
        self.gone: set[Uniqueid] = set()


class Scribe:
    """Turns what is heard into rows, and knows when rows are not needed any more.

    A replay that lacks a part of a group could make something else of the rest, so that a group's rows are live
    until nothing is kept of any of its channels. Some events name only a bridge: who is in it is remembered.
    """

    def __init__(self) -> None:
        self._groups: dict[Uniqueid, _Group] = {}
        self._inside: dict[BridgeId, set[Uniqueid]] = {}
        self._entered: dict[Uniqueid, set[BridgeId]] = {}
        """The same the other way round."""

    def event_row(self, event: Event, raw: bytes) -> Row | None:
        """Make an event's row; None if it is about nobody."""
        values = [getattr(event, name) for name in _FIELDS[type(event)]]
        channels = [value for value in values if isinstance(value, Channel)]
        about = {channel.uniqueid for channel in channels} | self._named_otherwise(event)
        if not about:
            return None
        self._join(about)
        linkedids = frozenset(channel.linkedid for channel in channels if channel.linkedid)
        return Row(event.at, Kind.EVENT, raw, frozenset(about), linkedids - about)

    def resync_row(self, snapshot: Snapshot) -> Row:
        """Make a snapshot's row; to be named in it brings nobody together."""
        about = frozenset(one.channel.uniqueid for one in snapshot.channels)
        linkedids = frozenset(one.channel.linkedid for one in snapshot.channels if one.channel.linkedid)
        for one in snapshot.channels:
            self._join({one.channel.uniqueid})
            if one.bridge is not None:
                self._enter(one.bridge, (one.channel.uniqueid,))
        return Row(snapshot.at, Kind.RESYNC, _SNAPSHOT.dump_json(snapshot), about, linkedids - about)

    def forget(self, gone: Iterable[Uniqueid]) -> list[Uniqueid]:
        """Take note that the tracker keeps nothing of these; tell whose rows are not live any more."""
        over: list[Uniqueid] = []
        for uniqueid in gone:
            group = self._groups.get(uniqueid)
            if group is None:
                over.append(uniqueid)
                continue
            group.gone.add(uniqueid)
            if group.channels <= group.gone:
                over += group.channels
                for one in group.channels:
                    del self._groups[one]
        for uniqueid in over:
            for bridge in self._entered.pop(uniqueid, ()):
                inside = self._inside[bridge]
                inside.discard(uniqueid)
                if not inside:
                    del self._inside[bridge]
        return over

    def _named_otherwise(self, event: Event) -> set[Uniqueid]:
        """Tell channels that an event is about though it does not describe them."""
        match event:
            case Rename() | UserEvent() | OriginateResponse():
                return {event.uniqueid}
            case BridgeEnter():
                self._enter(event.bridge, (event.channel.uniqueid,))
                return {event.swap} if event.swap is not None else set()
            case BridgeMerge():
                moved = self._inside.get(event.source, set())
                self._enter(event.to, moved)
                return self._inside.get(event.to, set()) | moved
            case BridgeDestroy():
                was_inside = self._inside.pop(event.bridge, set())
                for uniqueid in was_inside:
                    self._entered[uniqueid].discard(event.bridge)
                return was_inside
            case _:
                return set()

    def _enter(self, bridge: BridgeId, channels: Iterable[Uniqueid]) -> None:
        for uniqueid in channels:
            self._inside.setdefault(bridge, set()).add(uniqueid)
            self._entered.setdefault(uniqueid, set()).add(bridge)

    def _join(self, about: set[Uniqueid]) -> None:
        groups = {id(group): group for one in about if (group := self._groups.get(one)) is not None}
        if len(groups) == 1 and all(one in self._groups for one in about):
            return
        largest = max(groups.values(), key=lambda group: len(group.channels), default=None) or _Group()
        for group in groups.values():
            if group is not largest:
                largest.channels |= group.channels
                largest.gone |= group.gone
                self._groups.update(dict.fromkeys(group.channels, largest))
        largest.channels |= about
        self._groups.update(dict.fromkeys(about, largest))


_FIELDS = {kind: tuple(one.name for one in fields(kind)) for kind in get_args(Event)}


class Journal:
    """The rows of one PBX (`ami.name`); `owner` is this daemon among those that listen to it."""

    def __init__(self, pbx: str = "", owner: str = "") -> None:
        self.pbx = pbx
        self.owner = owner
        self._prefix = f"{pbx}-" if pbx else ""
        self._is_snapshot = and_(rows.c.pbx == pbx, rows.c.kind == Kind.RESYNC)
        # Another daemon's rows are its own to end: both would wait for each other's locks. Those of a version that
        # knew no owners are everybody's.
        mine = or_(rows.c.owner == owner, rows.c.owner == "")
        mine = exists(select(rows.c.id).where(rows.c.id == names.c.journal_id, mine))
        over = (names.c.pbx == pbx, names.c.uniqueid == bindparam("gone"), _LIVE, mine)
        self._end = Prepared(update(names).where(*over).values(live=False))

    async def write(self, connection: AsyncConnection, new: Sequence[Row], gone: Sequence[Uniqueid]) -> None:
        """Add rows, then take note that nothing is kept any more of the channels `gone`."""
        if new:
            common = {"pbx": self.pbx, "owner": self.owner}
            values = [{**common, "at": row.at, "kind": row.kind, "raw": row.raw} for row in new]
            added = await _ADD_ROWS.each(connection, values)
            about = [line for key, row in zip(added, new, strict=True) for line in self._names(key.id, row)]
            if about:
                await _ADD_NAMES.each(connection, about)
        if gone:
            await self._end.each(connection, [{"gone": one} for one in gone])

    async def live(self, connection: AsyncConnection, now: float) -> list[Event | Snapshot]:
        """Tell what was heard of the channels that are live, in order, and all snapshots; these name such alone."""
        told = await self.live_rows(connection, now)
        return self.read(merged(told.streams.values()), told.channels)

    async def live_rows(self, connection: AsyncConnection, now: float) -> LiveRows:
        """Tell the same as it is written."""
        fresh = or_(rows.c.owner == self.owner, rows.c.at > now - OTHERS_LIVE)
        query = (
            select(names.c.uniqueid)
            .join(rows, rows.c.id == names.c.journal_id)
            .where(names.c.pbx == self.pbx, _LIVE, fresh)
            .distinct()
        )
        living = set((await connection.execute(query)).scalars())
        # What others know of the same calls belongs to it, also where they have seen them end.
        channels = await self._belonging(connection, *living, most=sys.maxsize)
        wanted = select(names.c.journal_id).where(names.c.pbx == self.pbx, names.c.uniqueid.in_(channels))
        told = await self._told(connection, rows.c.id.in_(wanted))
        # A snapshot says of those whom it does not name that they are over.
        begin = min((row.at for _, row in told.values()), default=sys.maxsize)
        snapshots = await self._told(connection, and_(self._is_snapshot, rows.c.at >= begin))
        return LiveRows(_streams(told | snapshots), channels)

    async def others_heard(self, connection: AsyncConnection, since: float, limit: int) -> list[bytes]:
        """Tell the first of what other daemons heard of live channels since then, in their order."""
        query = (
            select(rows.c.id, rows.c.raw)
            .join(names, names.c.journal_id == rows.c.id)
            .where(names.c.pbx == self.pbx, _LIVE, rows.c.owner != self.owner, rows.c.at >= since)
            .distinct()
            .order_by(rows.c.id)
            .limit(limit)
        )
        return [row.raw for row in await connection.execute(query)]

    @staticmethod
    def read(told: Iterable[Told], channels: set[str]) -> list[Event | Snapshot]:
        """Read rows; snapshots are made to name these channels alone."""
        found = [_read(row, channels) for row in told]
        return [heard for heard in found if heard is not None]

    async def timeline(self, connection: AsyncConnection, callid: str) -> list[Event | Snapshot]:
        """Tell all that is kept of a call and of what it became mixed with, in order."""
        channels = await self._belonging(connection, callid.removeprefix(self._prefix))
        mine = (names.c.pbx == self.pbx, names.c.uniqueid.in_(channels))
        told = await self._told(connection, rows.c.id.in_(select(names.c.journal_id).where(*mine)))
        if told:
            # One that was over unheard ended with the first snapshot after that, which does not name it.
            later = select(rows.c.id).where(self._is_snapshot, rows.c.id > max(told)).order_by(rows.c.id).limit(1)
            end = func.coalesce(later.scalar_subquery(), max(told))
            told |= await self._told(connection, and_(self._is_snapshot, rows.c.id.between(min(told), end)))
        return self.read(merged(_streams(told).values()), channels)

    async def find(self, connection: AsyncConnection, number: str, since: float) -> list[Found]:
        """Find calls by a number in their messages, however it is written there; oldest first."""
        digits = "".join(filter(str.isdigit, number))[-10:].encode()
        if len(digits) < _LEAST_DIGITS:
            return []
        query = select(rows.c.id, rows.c.raw).where(
            rows.c.pbx == self.pbx, rows.c.at >= since, rows.c.kind == Kind.EVENT
        )
        hits = [row.id async for row in await connection.stream(query) if digits in row.raw]
        seen: set[str] = set()
        found: list[Found] = []
        for hit in hits:
            about = select(names.c.uniqueid).where(names.c.journal_id == hit)
            uniqueids = set((await connection.execute(about)).scalars())
            if uniqueids & seen:
                continue
            whole = await self._belonging(connection, *uniqueids)
            seen |= whole
            found.append(await self._first(connection, whole))
        return found

    async def is_over(self, connection: AsyncConnection, uniqueids: Iterable[str]) -> bool:
        """Tell whether some daemon has heard of these channels, and of all of them that they are over."""
        mine = (names.c.pbx == self.pbx, names.c.uniqueid.in_(list(uniqueids)))
        query = select(rows.c.owner, names.c.live).join(rows, rows.c.id == names.c.journal_id).where(*mine).distinct()
        found = {(row.owner, row.live) for row in await connection.execute(query)}
        return any((owner, True) not in found for owner, _ in found)

    async def remove_old(self, connection: AsyncConnection, before: float, limit: int) -> int:
        """Remove up to `limit` rows of before `before`; tell how many."""
        old = select(rows.c.id).where(rows.c.at < before).order_by(rows.c.at).limit(limit)
        return (await connection.execute(delete(rows).where(rows.c.id.in_(old)))).rowcount

    def _names(self, key: int, row: Row) -> list[dict[str, object]]:
        common = {"pbx": self.pbx, "journal_id": key}
        return [
            *({**common, "uniqueid": one, "live": True} for one in row.channels),
            *({**common, "uniqueid": one, "live": False} for one in row.linkedids),
        ]

    async def _told(self, connection: AsyncConnection, which: ColumnElement[bool]) -> _Written:
        query = select(rows.c.id, rows.c.owner, rows.c.at, rows.c.kind, rows.c.raw).where(which)
        return {row.id: (row.owner, Told(row.at, row.kind, row.raw)) for row in await connection.execute(query)}

    async def _belonging(self, connection: AsyncConnection, *uniqueids: str, most: int = MOST_CHANNELS) -> set[str]:
        """Tell all channels that messages name together with these, and together with those, and so on."""
        known: set[str] = set()
        frontier = set(uniqueids)
        while frontier and len(known) < most:
            known |= frontier
            about = (
                select(names.c.journal_id)
                .join(rows, rows.c.id == names.c.journal_id)
                .where(names.c.pbx == self.pbx, names.c.uniqueid.in_(frontier), rows.c.kind == Kind.EVENT)
            )
            together = select(names.c.uniqueid).where(names.c.journal_id.in_(about)).distinct()
            frontier = set((await connection.execute(together)).scalars()) - known
        return known

    async def _first(self, connection: AsyncConnection, uniqueids: set[str]) -> Found:
        query = (
            select(rows.c.at, names.c.uniqueid)
            .join(names, names.c.journal_id == rows.c.id)
            .where(names.c.pbx == self.pbx, names.c.uniqueid.in_(uniqueids), rows.c.kind == Kind.EVENT)
            .order_by(rows.c.id)
            .limit(1)
        )
        first = (await connection.execute(query)).one()
        return Found(f"{self._prefix}{first.uniqueid}", first.at)


def _streams(written: _Written) -> dict[str, list[Told]]:
    """Tell what each daemon wrote, in the order in which it did."""
    streams: dict[str, list[Told]] = {}
    for _, (owner, told) in sorted(written.items()):
        streams.setdefault(owner, []).append(told)
    return streams


def _read(row: Told, channels: set[str]) -> Event | Snapshot | None:
    """Read a row; None if this version makes nothing of it any more."""
    if row.kind == Kind.EVENT:
        return decode(row.raw, row.at)
    try:
        snapshot = _SNAPSHOT.validate_json(row.raw)
    except ValueError:
        return None
    return snapshot._replace(channels=tuple(one for one in snapshot.channels if one.channel.uniqueid in channels))
