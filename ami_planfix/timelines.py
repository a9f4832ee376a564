"""The timelines of calls, from the journal: what was heard, what was concluded, and what became of each report."""

from collections.abc import Callable
from typing import NamedTuple

from ami_planfix.calls.reports import Report
from ami_planfix.calls.tracker import Tracker
from ami_planfix.deliveries import Deliveries, Line
from ami_planfix.explain import Moment, timeline
from ami_planfix.journal import Found, Journal
from ami_planfix.storage.database import Database

MOST_LINES = 1000


class Timeline(NamedTuple):
    """One call's story."""

    callid: str
    moments: list[Moment]
    deliveries: list[Line]
    """What the outbox has of this call and of those mixed with it, in no order."""

    def delivery_of(self, report: Report) -> Line | None:
        """Find what became of a report, by its identity."""
        mine = (line for line in self.deliveries if line.report and line.report.identity == report.identity)
        return next(mine, None)


class Timelines:
    """Tells a call's story again; a fresh tracker replays it."""

    def __init__(
        self, database: Database, pbx: str, deliveries: Deliveries, fresh_tracker: Callable[[], Tracker]
    ) -> None:
        self._database = database
        self._journal = Journal(pbx)
        self._deliveries = deliveries
        self._fresh_tracker = fresh_tracker

    async def of_call(self, callid: str) -> Timeline:
        """Tell a call's timeline, empty if nothing is kept of it; raise StorageError."""
        async with self._database.read() as connection:
            heard = await self._journal.timeline(connection, callid)
        moments = list(timeline(heard, self._fresh_tracker()))
        callids = {report.callid for moment in moments for report in moment.reports} | {callid}
        lines: list[Line] = []
        for one in sorted(callids):
            lines += await self._deliveries.listing(callid=one, limit=MOST_LINES)
        return Timeline(callid, moments, lines)

    async def find(self, number: str, since: float) -> list[Found]:
        """Find calls in whose messages a number occurs, oldest first; raise StorageError."""
        async with self._database.read() as connection:
            return await self._journal.find(connection, number, since)
