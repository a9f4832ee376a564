"""The outbox as an administrator sees it: what waits, what was refused, and another chance for it."""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import ColumnElement, Row, func, literal_column, select, update

from ami_planfix.calls.reports import Report
from ami_planfix.entries import Kind, State, load
from ami_planfix.storage.database import Database
from ami_planfix.storage.tables import outbox as rows

_WAITING: ColumnElement[str] = literal_column("'waiting'")  # spelt out for the partial indexes


class Line(NamedTuple):
    """One row; times in seconds since the epoch."""

    id: int
    kind: Kind
    callid: str
    report: Report | None
    """None for a recording's link."""
    at: float
    state: State
    attempts: int
    next_at: float
    answer: str
    """What Planfix said last."""
    settled: float | None


class Counts(NamedTuple):
    """How many rows are in each state, and since when the oldest waits."""

    by_state: dict[State, int]
    oldest_waiting: float | None
    """Seconds since the epoch."""


class Troubles(NamedTuple):
    """What has not reached Planfix."""

    waiting: int
    oldest_waiting: float | None
    """When the oldest that waits was written, seconds since the epoch."""
    dead: int
    lines: tuple[Line, ...]
    """Some of them: dead letters, newest first, then what waits, oldest first."""


class Deliveries:
    """The rows of one PBX (`ami.name`)."""

    def __init__(self, database: Database, pbx: str = "") -> None:
        self._database = database
        self._pbx = pbx

    async def counts(self) -> Counts:
        """Count."""
        count = select(rows.c.state, func.count()).where(rows.c.pbx == self._pbx).group_by(rows.c.state)
        oldest = select(func.min(rows.c.created)).where(rows.c.pbx == self._pbx, rows.c.state == State.WAITING)
        async with self._database.read() as connection:
            found = dict.fromkeys(State, 0) | {State(s): n for s, n in await connection.execute(count)}
            return Counts(found, (await connection.execute(oldest)).scalar())

    async def listing(
        self, states: Collection[State] = (), callid: str = "", limit: int = 100, before: int | None = None
    ) -> list[Line]:
        """List rows, newest first: of these states, of this call, with an id below `before` (to page on)."""
        query = select(rows).where(rows.c.pbx == self._pbx).order_by(rows.c.id.desc()).limit(limit)
        if states:
            query = query.where(rows.c.state.in_(states))
        if callid:
            query = query.where(rows.c.callid == callid)
        if before is not None:
            query = query.where(rows.c.id < before)
        async with self._database.read() as connection:
            return [_line(row) for row in await connection.execute(query)]

    async def troubles(self, limit: int = 0) -> Troubles:
        """Tell what has not reached Planfix, and up to `limit` rows of each kind; quick however large the outbox is."""
        waits = (rows.c.pbx == self._pbx, rows.c.state == _WAITING)
        dead = (rows.c.pbx == self._pbx, rows.c.state == State.DEAD)
        oldest = select(rows.c.created).where(*waits).order_by(rows.c.id).limit(1)
        buried = select(rows).where(*dead).order_by(rows.c.settled.desc()).limit(limit)
        waiting = select(rows).where(*waits).order_by(rows.c.id).limit(limit)
        async with self._database.read() as connection:
            found = (
                [_line(row) for query in (buried, waiting) for row in await connection.execute(query)] if limit else []
            )
            return Troubles(
                waiting=(await connection.execute(select(func.count()).where(*waits))).scalar_one(),
                oldest_waiting=(await connection.execute(oldest)).scalar(),
                dead=(await connection.execute(select(func.count()).where(*dead))).scalar_one(),
                lines=tuple(found),
            )

    async def unsent(self) -> dict[str, tuple[int, int]]:
        """Tell how many rows wait and how many are dead, for each PBX of the database that has any."""
        found: dict[str, tuple[int, int]] = {}
        waiting = select(rows.c.pbx, func.count()).where(rows.c.state == _WAITING).group_by(rows.c.pbx)
        dead = select(rows.c.pbx, func.count()).where(rows.c.state == State.DEAD).group_by(rows.c.pbx)
        async with self._database.read() as connection:
            for pbx, count in await connection.execute(waiting):
                found[pbx] = (count, 0)
            for pbx, count in await connection.execute(dead):
                found[pbx] = (found.get(pbx, (0, 0))[0], count)
        return found

    async def retry(self, now: float, ids: Collection[int] | None = None) -> int:
        """Give dead letters (None: all) another chance; tell how many. What is too old for a popup stays so."""
        change = update(rows).where(rows.c.pbx == self._pbx, rows.c.state == State.DEAD)
        if ids is not None:
            change = change.where(rows.c.id.in_(ids))
        again = {"state": State.WAITING, "attempts": 0, "next_at": now, "settled": None}
        async with self._database.write() as connection:
            return (await connection.execute(change.values(again))).rowcount

    async def drop(self, now: float, ids: Collection[int] | None = None) -> int:
        """Give up dead letters (None: all), and waiting rows if their id is named; tell how many."""
        change = update(rows).where(rows.c.pbx == self._pbx)
        if ids is None:
            change = change.where(rows.c.state == State.DEAD)
        else:
            change = change.where(rows.c.id.in_(ids), rows.c.state.in_((State.DEAD, State.WAITING)))
        async with self._database.write() as connection:
            return (await connection.execute(change.values(state=State.DROPPED, settled=now))).rowcount

    async def calls_with(self, client: str, since: float) -> list[str]:
        """Tell the callids of calls with this client's number since then, oldest first."""
        query = (
            select(rows.c.callid)
            .where(rows.c.pbx == self._pbx, rows.c.client == client, rows.c.at >= since)
            .group_by(rows.c.callid)
            .order_by(func.min(rows.c.at))
        )
        async with self._database.read() as connection:
            return [row.callid for row in await connection.execute(query)]


def _line(row: Row[tuple[object, ...]]) -> Line:
    return Line(
        id=row.id,
        kind=Kind(row.kind),
        callid=row.callid,
        report=_report(row.kind, row.payload),
        at=row.at,
        state=State(row.state),
        attempts=row.attempts,
        next_at=row.next_at,
        answer=row.answer,
        settled=row.settled,
    )


def _report(kind: str, payload: str) -> Report | None:
    try:
        entry = load(Kind(kind), payload)
    except ValueError:
        return None
    return entry if isinstance(entry, Report) else None
