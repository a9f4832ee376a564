"""The outbox: every report until Planfix has taken it, and for a while after.

A row's identity is that of its report, so that whatever tells the same twice (a replay after a crash, a second
daemon on the same PBX) writes it once. Rows of one call leave in the order of their numbers: a row is due only
if no earlier one of its call still waits, but RANG does not wait for RANG (thirty phones ring at once). Who
takes rows puts a lease on them, so that several daemons can share one outbox and none waits for a dead one.
"""

from collections.abc import Iterable, Sequence

import structlog
from sqlalchemy import (
    Boolean,
    ColumnElement,
    Insert,
    Row,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ami_planfix.calls.reports import Report, Stage
from ami_planfix.entries import (
    Buried,
    Delivered,
    Due,
    Entry,
    Kind,
    Observed,
    Postponed,
    Result,
    Returned,
    State,
    dump,
    load,
)
from ami_planfix.storage.database import Database
from ami_planfix.storage.notices import Topic
from ami_planfix.storage.tables import outbox as rows

log = structlog.get_logger("ami_planfix.outbox")

LEASE = 60.0
"""Seconds after which what a dead daemon had taken is due again; longer than any attempt lasts."""
NEVER_LATER = 600.0
"""Seconds, more than `retry` ever waits: what is due later than that waits for a clock that was moved."""
POPUPS = (Stage.RANG, Stage.DIALLED, Stage.ACCEPTED)
"""Worth something only while the call goes on."""
OPENERS = (Stage.RANG, Stage.DIALLED)
_RECORD = "record"
_WAITING: ColumnElement[str] = literal_column(
    "'waiting'"
)  # spelt out: a parameter would keep the partial index from being used


_IS_POPUP: ColumnElement[bool] = literal_column("stage IN ('rang', 'dialled', 'accepted')", Boolean)
STEP = 500
"""Popups that are left out in one transaction."""

_Row = Row[tuple[object, ...]]


class Outbox:
    """The rows of one PBX (`ami.name`); `owner` is this daemon among those that share the database."""

    def __init__(self, database: Database, pbx: str = "", owner: str = "daemon") -> None:
        self.pbx = pbx
        self.owner = owner
        self._database = database
        self._insert = _insertion(database)

    async def put(
        self, connection: AsyncConnection, entries: Iterable[Entry], now: float, *, history: bool = False
    ) -> None:
        """Add what is not there yet, in this order; nothing of a part after its COMPLETED.

        Daemons that report the same call take turns: their rows' numbers are in the order of the call, and neither can
        add something to a part that the other is just completing. With `history` popups are left out from the
        beginning: all that is long over.
        """
        values = [self._row(entry, now, history) for entry in entries]
        if values:
            await self._database.take_turns(connection, {f"{self.pbx}/{entry['callid']}" for entry in values})
            await connection.execute(self._insert, values)
            await self._database.notify(connection, Topic.REPORTS, self.pbx)

    async def reports(self, connection: AsyncConnection, callids: Iterable[str]) -> list[Report]:
        """Tell all reports of these calls that are kept, in their order."""
        mine = (rows.c.pbx == self.pbx, rows.c.callid.in_(list(callids)), rows.c.kind == Kind.EVENT)
        query = select(rows).where(*mine).order_by(rows.c.id)
        found = [_due(row, None) for row in await connection.execute(query)]
        return [one.entry for one in found if isinstance(one, Due) and isinstance(one.entry, Report)]

    async def claim(self, connection: AsyncConnection, now: float, limit: int, *, opened: bool) -> list[Due]:
        """Take up to `limit` rows that are due, oldest first; with `opened` a COMPLETED brings its opener.

        With more rows due than are taken half of the places are for popups: they cannot wait, history can. The newest
        go first: of a phone that rings now it is still worth telling.
        """
        found = await self._eligible(connection, now, limit, true())
        if len(found) == limit and limit > 1:
            fresh = await self._eligible(connection, now, limit // 2, _IS_POPUP, newest=True)
            known = {row.id for row in fresh}
            found = fresh + [row for row in found if row.id not in known][: limit - len(fresh)]
        if not found:
            return []
        lease = {"claimed_by": self.owner, "claimed_until": now + LEASE}
        ids = [row.id for row in found]
        await connection.execute(update(rows).where(rows.c.id.in_(ids)).values(lease))
        left_out = await self._openers(connection, found) if opened else {}
        due = [_due(row, left_out.get(_part(row)) if row.stage == Stage.COMPLETED else None) for row in found]
        await self.settle(connection, [one for one in due if isinstance(one, Buried)], now)
        return [one for one in due if isinstance(one, Due)]

    async def settle(self, connection: AsyncConnection, results: Sequence[Result], now: float) -> None:
        """Write down what became of claimed rows."""
        free = {"claimed_by": "", "claimed_until": 0.0}
        unsettled = or_(rows.c.state == _WAITING, rows.c.state == State.STALE)
        ended = update(rows).where(rows.c.id == bindparam("row"), unsettled)
        waits = update(rows).where(rows.c.id == bindparam("row"), rows.c.state == _WAITING)
        tried = {"attempts": rows.c.attempts + 1, "answer": bindparam("said")}
        for kind, change in (
            (Delivered, ended.values(**free, **tried, state=State.DELIVERED, settled=now)),
            (Observed, ended.values(**free, **tried, state=State.OBSERVED, settled=now)),
            (Buried, ended.values(**free, **tried, state=State.DEAD, settled=now)),
            (Postponed, waits.values(**free, **tried, next_at=bindparam("again"))),
            (Returned, waits.values(**free)),
        ):
            values = [_bound(result) for result in results if isinstance(result, kind)]
            if values:
                await connection.execute(change, values)

    async def leave_out(self, connection: AsyncConnection, now: float, before: float) -> list[Report]:
        """Give up popups of before `before` (seconds since the epoch) that nobody is sending; tell them.

        `before` is of the clock that calls go by, `now` of the one that leases go by. An ACCEPTED goes with its
        opener: without it, or before it, it would mean nothing. Many are given up in several steps.
        """
        opener = rows.alias("opener")
        alone = exists(
            select(opener.c.id).where(
                *(opener.c[name] == rows.c[name] for name in ("pbx", "callid", "extension", "part")),
                opener.c.state == State.STALE,
                opener.c.stage.in_(OPENERS),
            )
        )
        old = or_(rows.c.at < before, and_(rows.c.stage == Stage.ACCEPTED, alone))
        some = (
            select(rows.c.id)
            .where(self._waits(), _IS_POPUP, self._is_free(now), old)
            .order_by(rows.c.id)
            .limit(STEP)
            .with_for_update(skip_locked=True)
        )
        left = update(rows).where(rows.c.id.in_(some.scalar_subquery()), rows.c.state == _WAITING)
        change = left.values(state=State.STALE, settled=now).returning(*rows.c)
        found = [_due(row, None) for row in await connection.execute(change)]
        return [one.entry for one in found if isinstance(one, Due) and isinstance(one.entry, Report)]

    async def next_due(self, connection: AsyncConnection, popup_max_age: float) -> float | None:
        """Tell when something is to be done next, seconds since the epoch; None if nothing waits."""
        free = case((rows.c.next_at > rows.c.claimed_until, rows.c.next_at), else_=rows.c.claimed_until)
        send = select(func.min(free)).where(self._waits(), self._is_next(), rows.c.claimed_by != self.owner)
        expire = select(func.min(rows.c.at) + popup_max_age).where(self._waits(), _IS_POPUP, rows.c.claimed_by == "")
        times = [(await connection.execute(query)).scalar() for query in (send, expire)]
        return min((time for time in times if time is not None), default=None)

    async def hasten(self, connection: AsyncConnection, now: float) -> None:
        """Make everything due that waits for another attempt: Planfix is back."""
        await connection.execute(update(rows).where(self._waits(), rows.c.next_at > now).values(next_at=now))

    async def take_back(self, connection: AsyncConnection) -> None:
        """Free what this daemon had claimed in an earlier life."""
        mine = (self._waits(), rows.c.claimed_by == self.owner)
        await connection.execute(update(rows).where(*mine).values(claimed_by="", claimed_until=0.0))

    async def remove_old(self, connection: AsyncConnection, before: float, limit: int) -> int:
        """Remove up to `limit` rows that were settled before `before`; tell how many."""
        old = select(rows.c.id).where(rows.c.state != State.WAITING, rows.c.settled < before).limit(limit)
        return (await connection.execute(delete(rows).where(rows.c.id.in_(old)))).rowcount

    def _waits(self) -> ColumnElement[bool]:
        return and_(rows.c.state == _WAITING, rows.c.pbx == self.pbx)

    def _is_free(self, now: float) -> ColumnElement[bool]:
        # What is ours is on its way, whatever the clock says: it may have jumped over the lease, or far back.
        over = or_(rows.c.claimed_until <= now, rows.c.claimed_until > now + 2 * LEASE)
        return or_(rows.c.claimed_by == "", and_(rows.c.claimed_by != self.owner, over))

    def _is_due(self, now: float) -> ColumnElement[bool]:
        return or_(rows.c.next_at <= now, rows.c.next_at > now + NEVER_LATER)

    def _is_next(self) -> ColumnElement[bool]:
        earlier = rows.alias("earlier")
        return ~exists(
            select(earlier.c.id).where(
                earlier.c.state == _WAITING,
                earlier.c.pbx == rows.c.pbx,
                earlier.c.callid == rows.c.callid,
                earlier.c.id < rows.c.id,
                or_(earlier.c.stage != Stage.RANG, rows.c.stage != Stage.RANG),
            )
        )

    async def _eligible(
        self, connection: AsyncConnection, now: float, limit: int, which: ColumnElement[bool], newest: bool = False
    ) -> list[_Row]:
        query = (
            select(rows)
            .where(self._waits(), self._is_due(now), self._is_free(now), self._is_next(), which)
            .order_by(rows.c.id.desc() if newest else rows.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return list(await connection.execute(query))

    async def _openers(self, connection: AsyncConnection, found: list[_Row]) -> dict[tuple[str, str, int], Due]:
        ended = {row.callid for row in found if row.stage == Stage.COMPLETED}
        if not ended:
            return {}
        query = select(rows).where(
            rows.c.pbx == self.pbx,
            rows.c.callid.in_(ended),
            rows.c.state == State.STALE,
            rows.c.stage.in_(OPENERS),
        )
        left_out = {_part(row): _due(row, None) for row in await connection.execute(query)}
        return {part: due for part, due in left_out.items() if isinstance(due, Due)}

    def _row(self, entry: Entry, now: float, history: bool) -> dict[str, object]:
        values: dict[str, object] = {"pbx": self.pbx, "callid": entry.callid, "at": entry.at}
        left_out = history and isinstance(entry, Report) and entry.stage in POPUPS
        if isinstance(entry, Report):
            values |= {"kind": Kind.EVENT, "stage": entry.stage, "client": entry.client}
            values |= {"extension": entry.extension, "part": entry.part}
        else:
            values |= {"kind": Kind.RECORD, "stage": _RECORD, "client": "", "extension": "", "part": 0}
        state, settled = (State.STALE, now) if left_out else (State.WAITING, None)
        values |= {"state": state, "settled": settled}
        return values | {"payload": dump(entry), "next_at": now, "created": now}


def _insertion(database: Database) -> Insert:
    """Write `INSERT ... SELECT ... WHERE` nothing COMPLETED it `... ON CONFLICT DO NOTHING`."""
    names = ["kind", "pbx", "callid", "extension", "part", "stage", "client", "at", "payload", "state"]
    names += ["next_at", "created", "settled"]
    values = {name: bindparam(name, type_=rows.c[name].type) for name in names}
    same_part = [rows.c[name] == values[name] for name in ("pbx", "callid", "extension", "part")]
    completed = exists(select(rows.c.id).where(*same_part, rows.c.stage == Stage.COMPLETED))
    chosen = select(*values.values()).where(~completed)
    return database.insert(rows).from_select(names, chosen).on_conflict_do_nothing()


def _due(row: _Row, opener: Due | Buried | None) -> Due | Buried:
    try:
        entry = load(Kind(row.kind), row.payload)
    except ValueError:
        log.exception("outbox row unreadable", id=row.id, call=row.callid)
        return Buried(row.id, "written by another version of ami-planfix, which this one cannot read")
    return Due(row.id, entry, row.attempts, opener if isinstance(opener, Due) else None)


def _part(row: _Row) -> tuple[str, str, int]:
    return row.callid, row.extension, row.part


def _bound(result: Result) -> dict[str, object]:
    values: dict[str, object] = {"row": result.id}
    if not isinstance(result, Returned):
        values["said"] = result.answer
    if isinstance(result, Postponed):
        values["again"] = result.next_at
    return values
