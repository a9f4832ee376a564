"""Who follows this PBX: a daemon that joins leaves the calls that go on to those who followed them before it.

It knows such a call only from what others have written so far, and they may not have written all. So its own reports
of it are withheld as long as somebody follows the PBX for longer; then it learns once more, and takes over.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import suppress

from ami_planfix.calls.events import Uniqueid
from ami_planfix.calls.reports import CallId, Report
from ami_planfix.errors import StorageError
from ami_planfix.storage.database import Database
from ami_planfix.storage.postgresql import Company

LOOK_EVERY = 0.2
"""Seconds between two looks whether somebody else still follows."""
AGAIN = 0.3
"""Seconds until a connection that was lost is tried again: sooner than a server that has started is asked."""
CHECK_EVERY = 10.0
"""Seconds between two looks whether the connection is still there."""
KEPT = 20.0
"""Seconds after which a report that was withheld has been written by somebody else."""


class Following:
    """This daemon among those that follow a PBX; while the database is away it tries to be seen again."""

    def __init__(self, database: Database, pbx: str) -> None:
        self._database = database
        self._pbx = pbx
        self._keeping: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()
        self._company: Callable[[], Awaitable[Company]] = _unknown

    async def begin(self, since: float) -> None:
        """Follow `since` then, by our clock; who has done so before is our senior.

        Waits for the database, or for `end`.
        """
        await self.end()
        await self.go_on(since).wait()

    def go_on(self, since: float) -> asyncio.Event:
        """Follow as before, else `since` then; gives what is set once we are seen to, or have ended."""
        if self._keeping is None:
            self._begun = asyncio.Event()
            self._keeping = asyncio.create_task(self._keep(since + self._database.skew, self._begun))
        return self._begun

    async def end(self) -> None:
        """Follow no more."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def seniors(self) -> int:
        """Tell how many have followed for longer than we; raise StorageError."""
        return (await self._company()).seniors

    async def is_alone(self) -> bool:
        """Tell whether nobody else follows; raise StorageError."""
        return not any(await self._company())

    async def _keep(self, since: float, begun: asyncio.Event) -> None:
        try:
            while True:
                with suppress(StorageError):  # the pipeline says it
                    async with self._database.following(self._pbx, since) as (self._company, gone):
                        begun.set()
                        await _lost(self._company, gone)
                self._company = _unknown
                await asyncio.sleep(AGAIN)
        finally:
            self._company = _unknown
            begun.set()


class Withheld:
    """Reports of calls that we know in part, and what the journal must keep as long as nobody else told them."""

    def __init__(self) -> None:
        self.calls: dict[CallId, float] = {}
        """These calls, and when each was last seen to go on."""
        self.takes_all = False
        """Whatever is concluded now may be of such calls."""
        self._reports: list[tuple[float, Report]] = []
        self._gone: list[tuple[float, Uniqueid]] = []

    def withhold(self, calls: Iterable[CallId]) -> None:
        """Withhold what is concluded of these from now on."""
        self.calls.update(dict.fromkeys(calls, time.monotonic()))

    def sift(self, reports: Iterable[Report], companions: Iterable[CallId] = ()) -> list[Report]:
        """Withhold those of such calls; return the others.

        `companions` have to do with all of these calls: who has not heard of them would say something else.
        """
        others: list[Report] = []
        for report in reports:
            if self.takes_all:
                self.withhold([report.callid])
            if report.callid in self.calls:
                self.withhold(companions)
                self._reports.append((time.monotonic(), report))
            else:
                others.append(report)
        return others

    def hold_on_to(self, gone: Sequence[Uniqueid], calls: Iterable[CallId]) -> Sequence[Uniqueid]:
        """Keep in mind channels whose journal could go if such calls are among `calls`, theirs; else return them.

        What we withhold may never be told by anybody: then whoever follows the PBX next tells it from the journal.
        """
        if not self.takes_all and self.calls.keys().isdisjoint(calls):
            return gone
        self._gone += [(time.monotonic(), uniqueid) for uniqueid in gone]
        return ()

    def forget_old(self, live: Collection[CallId]) -> list[Uniqueid]:
        """Forget what others have written by now, and calls that have been over for as long; whose journal can go."""
        self.withhold([call for call in self.calls if call in live])
        old = time.monotonic() - KEPT
        self._reports = [(at, report) for at, report in self._reports if at > old]
        self.calls = {call: seen for call, seen in self.calls.items() if seen > old}
        gone = [uniqueid for at, uniqueid in self._gone if at <= old or self.is_over]
        self._gone = [(at, uniqueid) for at, uniqueid in self._gone if at > old and not self.is_over]
        return gone

    def renew(self) -> None:
        """Forget nothing yet: what we cannot write just now, others cannot either."""
        now = time.monotonic()
        self.calls = dict.fromkeys(self.calls, now)
        self._reports = [(now, report) for report in self.reports]
        self._gone = [(now, uniqueid) for uniqueid in self.gone]

    @property
    def is_over(self) -> bool:
        """Tell whether nothing is withheld any more."""
        return not (self.calls or self.takes_all)

    @property
    def reports(self) -> list[Report]:
        """Tell what is withheld."""
        return [report for _, report in self._reports]

    @property
    def gone(self) -> list[Uniqueid]:
        """Tell whose journal is kept for it."""
        return [uniqueid for _, uniqueid in self._gone]

    def emptied(self) -> "Withheld":
        """Withhold nothing any more; return what was."""
        was = Withheld()
        was.calls, self.calls = self.calls, {}
        was.takes_all, self.takes_all = self.takes_all, False
        was._reports, self._reports = self._reports, []
        was._gone, self._gone = self._gone, []
        return was

    def extend(self, others: "Withheld") -> None:
        """Withhold these, too."""
        self.calls |= others.calls
        self.takes_all |= others.takes_all
        self._reports += others._reports
        self._gone += others._gone


async def stand_back(
    following: Following,
    withheld: Withheld,
    live: Callable[[], Collection[CallId]],
    is_stuck: Callable[[], bool],
    forget: Callable[[list[Uniqueid]], None],
    alone: Callable[[], Awaitable[None]],
) -> None:
    """Wait until calls that we know in part are over; call `alone` if nobody else follows them any more.

    `forget` is given the channels whose journal can go, since others have told what became of them; as long as writing
    `is_stuck` they have not.
    """
    while not withheld.is_over:
        await asyncio.sleep(LOOK_EVERY)
        with suppress(StorageError):
            if not await following.seniors():
                await alone()
            elif is_stuck():
                withheld.renew()
            else:
                forget(withheld.forget_old(live()))


async def _unknown() -> Company:
    raise StorageError("the database is away, and who else follows the PBX cannot be known")


async def _lost(ask: Callable[[], Awaitable[Company]], gone: "asyncio.Future[None]") -> None:
    """Wait until the connection is lost; raise StorageError if it is found so. A host that is gone ends none."""
    while not gone.done():
        await asyncio.wait({gone}, timeout=CHECK_EVERY)
        await ask()
