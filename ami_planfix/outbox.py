"""The outbox: every report until Planfix has taken it, and for a while after.

A row's identity is that of its report, so that whatever tells the same twice (a replay after a crash, a second
daemon on the same PBX) writes it once. Rows of one call leave in the order of their numbers: a row is due only
if no earlier one of its call still waits, but RANG does not wait for RANG (thirty phones ring at once). Who
takes rows puts a lease on them, so that several daemons can share one outbox and none waits for a dead one.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby, islice, takewhile
from typing import Any

import structlog
from sqlalchemy import (
    Boolean,
    ColumnElement,
    Float,
    FromClause,
    Row,
    Select,
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
from ami_planfix.storage.prepared import Prepared
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
RANG_NOBODY = "6"
"""The rule by which a call is reported that rang nobody."""
_WAITING: ColumnElement[str] = literal_column(
    "'waiting'"
)  # spelt out: a parameter would keep the partial index from being used


_IS_POPUP: ColumnElement[bool] = literal_column("stage IN ('rang', 'dialled', 'accepted')", Boolean)
MOST_BEHIND = 8
"""Rows of one call that are claimed together; a lease must last for all of them."""
STEP = 500
"""Popups that are left out in one transaction."""

_NOW = bindparam("now", type_=Float)
_Row = Row[tuple[object, ...]]


class Outbox:
    """The rows of one PBX (`ami.name`); `owner` is this daemon among those that share the database."""

    def __init__(self, database: Database, pbx: str = "", owner: str = "daemon") -> None:
        self.pbx = pbx
        self.owner = owner
        self._database = database
        # Each statement is made once: making one costs more than SQLite needs to execute it.
        self._insert = _insertion(database)
        self._changes = _changes()
        self._oldest_due = self._due_statement(true(), newest=False)
        self._newest_popups_due = self._due_statement(_IS_POPUP, newest=True)
        lease = {"claimed_by": owner, "claimed_until": bindparam("until")}
        self._lease = Prepared(update(rows).where(rows.c.id == bindparam("row")).values(lease))
        self._left_out = Prepared(
            select(rows).where(rows.c.pbx == pbx, rows.c.callid == bindparam("call"), *_is_opener_left_out(rows))
        )
        self._old_popups = Prepared(self._old_popups_statement())
        left = update(rows).where(rows.c.id.in_(bindparam("ids", expanding=True)), rows.c.state == _WAITING)
        self._leave_out = left.values(state=State.STALE, settled=_NOW).returning(*rows.c)
        of_call = select(rows, _lost_its_opener().label("is_lost")).order_by(rows.c.id)
        self._of_call = Prepared(of_call.where(self._waits(), rows.c.callid == bindparam("call")))
        self._next_times = Prepared(self._next_times_statement())
        self._some_waiting = Prepared(select(rows.c.id).where(self._waits()).limit(bindparam("most")))

    async def put(
        self, connection: AsyncConnection, entries: Iterable[Entry], now: float, *, history: bool = False
    ) -> None:
        """Add what is not there yet, in this order; nothing of a part after its COMPLETED.

        That a call rang nobody (rule 6) is not believed of one that is known to have rung somebody, or dialled somebody
        else: who says so has heard less of it than another daemon.

        Daemons that report the same call take turns: their rows' numbers are in the order of the call, and neither can
        add something to a part that the other is just completing. With `history` popups are left out from the
        beginning: all that is long over.
        """
        entries = list(entries)
        await self._database.take_turns(connection, {f"{self.pbx}/{entry.callid}" for entry in entries})
        credible = await self._credible(connection, entries)
        if credible:
            await self._insert.each(connection, [self._row(entry, now, history) for entry in credible])
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
        found = list(await self._oldest_due.rows(connection, {"now": now, "most": limit}))
        if len(found) == limit and limit > 1:
            fresh = list(await self._newest_popups_due.rows(connection, {"now": now, "most": limit // 2}))
            known = {row.id for row in fresh}
            found = fresh + [row for row in found if row.id not in known][: limit - len(fresh)]
        if not found:
            return []
        return await self._take(connection, found, now, opened=opened)

    async def claim_behind(
        self, connection: AsyncConnection, due: Sequence[Due], now: float, *, opened: bool
    ) -> list[Due]:
        """Take also what waits behind these and could be sent when they have been; the same, with that `behind` them.

        Behind several of one call that may be sent side by side nothing is taken: it would have to wait for all. Not
        for a database that other daemons use: if we die, these would have to wait until our lease is over.
        """
        calls = Counter(one.entry.callid for one in due)
        alone = [one for one in due if calls[one.entry.callid] == 1]
        waiting = await self._of_call.each(connection, [{"call": one.entry.callid} for one in alone]) if alone else ()
        found: list[_Row] = []
        for _, of_call in groupby(waiting, lambda row: row.callid):
            first, *rest = of_call
            if any(one.id == first.id for one in alone):
                free = takewhile(lambda row: not (row.claimed_by or row.next_at > now or row.is_lost), rest)
                found += islice(free, MOST_BEHIND)
        if not found:
            return list(due)
        behind: dict[str, tuple[Due, ...]] = {}
        for one in await self._take(connection, found, now, opened=opened):
            behind[one.entry.callid] = (*behind.get(one.entry.callid, ()), one)
        return [one._replace(behind=behind.get(one.entry.callid, ())) for one in due]

    async def settle(self, connection: AsyncConnection, results: Sequence[Result], now: float) -> None:
        """Write down what became of claimed rows."""
        for kind, change in self._changes.items():
            values = [_bound(result, now) for result in results if isinstance(result, kind)]
            if values:
                await change.each(connection, values)

    async def leave_out(self, connection: AsyncConnection, now: float, before: float) -> list[Report]:
        """Give up popups of before `before` (seconds since the epoch) that nobody is sending; tell them.

        `before` is of the clock that calls go by, `now` of the one that leases go by. An ACCEPTED goes with its
        opener: without it, or before it, it would mean nothing. Many are given up in several steps.
        """
        old = await self._old_popups.rows(connection, {"now": now, "before": before})
        if not old:
            return []
        left = await connection.execute(self._leave_out, {"ids": [row.id for row in old], "now": now})
        found = [_due(row, None) for row in left]
        return [one.entry for one in found if isinstance(one, Due) and isinstance(one.entry, Report)]

    async def next_due(self, connection: AsyncConnection, popup_max_age: float) -> float | None:
        """Tell when something is to be done next, seconds since the epoch; None if nothing waits."""
        ((send, oldest),) = await self._next_times.rows(connection, {})
        times = (send, None if oldest is None else oldest + popup_max_age)
        return min((time for time in times if time is not None), default=None)

    async def waits_besides(self, connection: AsyncConnection, in_hand: Collection[int]) -> bool:
        """Tell whether a row waits besides those in hand: if none does, there is nothing to look for."""
        waiting = await self._some_waiting.rows(connection, {"most": len(in_hand) + 1})
        return any(row.id not in in_hand for row in waiting)

    async def hasten(self, connection: AsyncConnection, at: float) -> None:
        """Make everything due `at` the latest that waits for another attempt: Planfix is back."""
        await connection.execute(update(rows).where(self._waits(), rows.c.next_at > at).values(next_at=at))

    async def take_back(self, connection: AsyncConnection, in_hand: Collection[int] = ()) -> None:
        """Free what this daemon has claimed, but for what it has in hand: it knows of nothing else."""
        mine = (self._waits(), rows.c.claimed_by == self.owner, rows.c.id.not_in(in_hand))
        await connection.execute(update(rows).where(*mine).values(claimed_by="", claimed_until=0.0))

    async def remove_old(self, connection: AsyncConnection, before: float, limit: int) -> int:
        """Remove up to `limit` rows that were settled before `before`; tell how many."""
        settled = [state for state in State if state is not State.WAITING]  # named each: the index begins with them
        old = select(rows.c.id).where(rows.c.state.in_(settled), rows.c.settled < before).limit(limit)
        return (await connection.execute(delete(rows).where(rows.c.id.in_(old)))).rowcount

    async def _take(self, connection: AsyncConnection, found: Sequence[_Row], now: float, *, opened: bool) -> list[Due]:
        await self._lease.each(connection, [{"row": row.id, "until": now + LEASE} for row in found])
        left_out = await self._openers(connection, found) if opened else {}
        due = [_due(row, left_out.get(_part(row)) if row.stage == Stage.COMPLETED else None) for row in found]
        await self.settle(connection, [one for one in due if isinstance(one, Buried)], now)
        return [one for one in due if isinstance(one, Due)]

    async def _credible(self, connection: AsyncConnection, entries: Sequence[Entry]) -> Sequence[Entry]:
        doubtful = {entry.callid for entry in entries if _rang_nobody(entry)}
        if not doubtful:
            return entries
        known = await self.reports(connection, doubtful)
        return [entry for entry in entries if not any(_contradicts(entry, report) for report in known)]

    def _waits(self) -> ColumnElement[bool]:
        return and_(rows.c.state == _WAITING, rows.c.pbx == self.pbx)

    def _is_free(self) -> ColumnElement[bool]:
        # What is ours is on its way, whatever the clock says: it may have jumped over the lease, or far back.
        over = or_(rows.c.claimed_until <= _NOW, rows.c.claimed_until > _NOW + 2 * LEASE)
        return or_(rows.c.claimed_by == "", and_(rows.c.claimed_by != self.owner, over))

    def _is_next(self) -> ColumnElement[bool]:
        earlier = rows.alias("earlier")
        first = (
            select(earlier.c.id)
            .where(
                _is(earlier.c.state, State.WAITING),
                earlier.c.pbx == rows.c.pbx,
                earlier.c.callid == rows.c.callid,
                earlier.c.id < rows.c.id,
                or_(earlier.c.stage != Stage.RANG, rows.c.stage != Stage.RANG),
            )
            .limit(1)
        )
        # Not `NOT EXISTS`, of which PostgreSQL may make a join that compares each waiting row with each.
        return first.scalar_subquery().is_(None)

    def _due_statement(self, which: ColumnElement[bool], *, newest: bool) -> Prepared:
        is_due = or_(rows.c.next_at <= _NOW, rows.c.next_at > _NOW + NEVER_LATER)
        return Prepared(
            select(rows)
            # What is left out with its opener is not sent either: another daemon may just be leaving that out.
            .where(self._waits(), is_due, self._is_free(), self._is_next(), which, ~_lost_its_opener())
            .order_by(rows.c.id.desc() if newest else rows.c.id)
            .limit(bindparam("most"))
            .with_for_update(skip_locked=True)
        )

    def _old_popups_statement(self) -> Select[tuple[int]]:
        old = or_(rows.c.at < bindparam("before", type_=Float), _lost_its_opener())
        return (
            select(rows.c.id)
            .where(self._waits(), _IS_POPUP, self._is_free(), old)
            .order_by(rows.c.id)
            .limit(STEP)
            .with_for_update(skip_locked=True)
        )

    def _next_times_statement(self) -> Select[Any]:
        free = case((rows.c.next_at > rows.c.claimed_until, rows.c.next_at), else_=rows.c.claimed_until)
        send = select(func.min(free)).where(self._waits(), self._is_next(), rows.c.claimed_by != self.owner)
        oldest = select(func.min(rows.c.at)).where(self._waits(), _IS_POPUP, rows.c.claimed_by == "")
        return select(send.scalar_subquery(), oldest.scalar_subquery())

    async def _openers(self, connection: AsyncConnection, found: Sequence[_Row]) -> dict[tuple[str, str, int], Due]:
        ended = {row.callid for row in found if row.stage == Stage.COMPLETED}
        if not ended:
            return {}
        told = await self._left_out.each(connection, [{"call": callid} for callid in ended])
        left_out = {_part(row): _due(row, None) for row in told}
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


def _insertion(database: Database) -> Prepared:
    """Write `INSERT ... SELECT ... WHERE` nothing COMPLETED it `... ON CONFLICT DO NOTHING`."""
    names = ["kind", "pbx", "callid", "extension", "part", "stage", "client", "at", "payload", "state"]
    names += ["next_at", "created", "settled"]
    values = {name: bindparam(name, type_=rows.c[name].type) for name in names}
    same_part = [rows.c[name] == values[name] for name in ("pbx", "callid", "extension", "part")]
    completed = exists(select(rows.c.id).where(*same_part, rows.c.stage == Stage.COMPLETED))
    chosen = select(*values.values()).where(~completed)
    return Prepared(database.insert(rows).from_select(names, chosen).on_conflict_do_nothing())


def _is(state: ColumnElement[str], which: State) -> ColumnElement[bool]:
    """Compare a state so that no index of states is used, but that of the call.

    PostgreSQL's statistics are of a time in which nothing waited: it would take any index of what waits for equally
    good, and read all of it for each row.
    """
    return func.coalesce(state, "") == which


def _lost_its_opener() -> ColumnElement[bool]:
    """Tell whether it is an ACCEPTED whose opener was left out."""
    opener = rows.alias("opener")
    same_part = [opener.c[name] == rows.c[name] for name in ("pbx", "callid", "extension", "part")]
    left_out = exists(select(opener.c.id).where(*same_part, *_is_opener_left_out(opener)))
    return and_(rows.c.stage == Stage.ACCEPTED, left_out)


def _is_opener_left_out(table: FromClause) -> tuple[ColumnElement[bool], ...]:
    opens = or_(*(table.c.stage == stage for stage in OPENERS))
    return _is(table.c.state, State.STALE), opens


def _changes() -> dict[type[Result], Prepared]:
    """Write what is changed in a row (`row`) by each kind of result."""
    free = {"claimed_by": "", "claimed_until": 0.0}
    unsettled = or_(rows.c.state == _WAITING, rows.c.state == State.STALE)
    ended = update(rows).where(rows.c.id == bindparam("row"), unsettled)
    waits = update(rows).where(rows.c.id == bindparam("row"), rows.c.state == _WAITING)
    tried = {"attempts": rows.c.attempts + 1, "answer": bindparam("said")}
    return {
        Delivered: Prepared(ended.values(**free, **tried, state=State.DELIVERED, settled=_NOW)),
        Observed: Prepared(ended.values(**free, **tried, state=State.OBSERVED, settled=_NOW)),
        Buried: Prepared(ended.values(**free, **tried, state=State.DEAD, settled=_NOW)),
        Postponed: Prepared(waits.values(**free, **tried, next_at=bindparam("again"))),
        Returned: Prepared(waits.values(**free)),
    }


def _contradicts(entry: Entry, known: Report) -> bool:
    """Tell whether an entry says that a call rang nobody of which something else is known."""
    if not (isinstance(entry, Report) and _rang_nobody(entry) and entry.callid == known.callid):
        return False
    return not _rang_nobody(known) or known.extension != entry.extension


def _rang_nobody(entry: Entry) -> bool:
    return isinstance(entry, Report) and entry.rule == RANG_NOBODY


def _due(row: _Row, opener: Due | Buried | None) -> Due | Buried:
    try:
        entry = load(Kind(row.kind), row.payload)
    except ValueError:
        log.exception("outbox row unreadable", id=row.id, call=row.callid)
        return Buried(row.id, "written by another version of ami-planfix, which this one cannot read")
    return Due(row.id, entry, row.attempts, opener if isinstance(opener, Due) else None)


def _part(row: _Row) -> tuple[str, str, int]:
    return row.callid, row.extension, row.part


def _bound(result: Result, now: float) -> dict[str, object]:
    values: dict[str, object] = {"row": result.id}
    if isinstance(result, Delivered | Observed | Buried):
        values["now"] = now
    if not isinstance(result, Returned):
        values["said"] = result.answer
    if isinstance(result, Postponed):
        values["again"] = result.next_at
    return values
