"""Who follows this PBX: a daemon that joins leaves the calls that go on to those who followed them before it.

It knows such a call only from what others have written so far, and they may not have written all. So its own reports
of it are withheld as long as somebody follows the PBX for longer; then it learns once more, and takes over.
"""

import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, suppress

from ami_planfix.calls.reports import CallId, Report
from ami_planfix.errors import StorageError
from ami_planfix.storage.database import Database

LOOK_EVERY = 0.5
"""Seconds between two looks whether somebody else still follows."""
KEPT = 20.0
"""Seconds after which a report that was withheld has been written by somebody else."""


class Following:
    """This daemon among those that follow a PBX."""

    def __init__(self, database: Database, pbx: str) -> None:
        self._database = database
        self._pbx = pbx
        self._stack = AsyncExitStack()
        self._seniors: Callable[[], Awaitable[int]] = _nobody

    async def begin(self) -> None:
        """Follow from now on; who follows already is our senior. Raises StorageError."""
        await self.end()
        self._seniors = await self._stack.enter_async_context(self._database.following(self._pbx))

    async def end(self) -> None:
        """Follow no more."""
        self._seniors = _nobody
        stack, self._stack = self._stack, AsyncExitStack()
        with suppress(StorageError):  # then the server has noticed by itself
            await stack.aclose()

    async def seniors(self) -> int:
        """Tell how many have followed for longer than we; raise StorageError."""
        return await self._seniors()


class Withheld:
    """Reports of calls that we know in part."""

    def __init__(self) -> None:
        self.calls: set[CallId] = set()
        self.takes_all = False
        """Whatever is concluded now is of such calls."""
        self._reports: list[tuple[float, Report]] = []

    def sift(self, reports: Iterable[Report]) -> list[Report]:
        """Withhold those of such calls; return the others."""
        others: list[Report] = []
        for report in reports:
            if self.takes_all:
                self.calls.add(report.callid)
            if report.callid in self.calls:
                self._reports.append((time.monotonic(), report))
            else:
                others.append(report)
        return others

    def forget_old(self, live: Iterable[CallId]) -> None:
        """Forget what others have written by now, and calls that are over."""
        old = time.monotonic() - KEPT
        self._reports = [(at, report) for at, report in self._reports if at > old]
        self.calls &= {*live, *(report.callid for _, report in self._reports)}

    def release(self) -> list[Report]:
        """Withhold nothing any more; return what was."""
        released = [report for _, report in self._reports]
        self.calls.clear()
        self._reports.clear()
        return released


async def _nobody() -> int:
    return 0
