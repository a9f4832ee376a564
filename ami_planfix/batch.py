"""What is heard and concluded until it is written, in one transaction: a batch in hand, and the next one."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from ami_planfix.calls.events import Uniqueid
from ami_planfix.calls.reports import Report
from ami_planfix.journal import Row

LINGER = 0.05
"""Seconds for which what brought no report waits for more."""


@dataclass(slots=True)
class Batch:
    """Rows of the journal, channels of which nothing is kept any more, and reports."""

    rows: list[Row] = field(default_factory=list)
    gone: list[Uniqueid] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    written: list[asyncio.Event] = field(default_factory=list)
    """Of those who wait for it."""

    def __len__(self) -> int:
        return len(self.rows) + len(self.gone) + len(self.reports)

    def extend(self, later: "Batch") -> None:
        """Take what came after it."""
        self.rows += later.rows
        self.gone += later.gone
        self.reports += later.reports
        self.written += later.written


class Gathering:
    """What is not written yet."""

    def __init__(self) -> None:
        self.waiting = Batch()
        """What has come since the batch in hand was taken."""
        self.in_hand = Batch()
        self._pressed = asyncio.Event()
        self._presses_always = False

    def __len__(self) -> int:
        return len(self.waiting) + len(self.in_hand)

    @property
    def rows(self) -> int:
        """Count rows of the journal."""
        return len(self.waiting.rows) + len(self.in_hand.rows)

    @property
    def reports(self) -> int:
        """Count reports."""
        return len(self.waiting.reports) + len(self.in_hand.reports)

    def look(self) -> None:
        """Take note that something has come: a report is in a hurry."""
        if self.waiting.reports:
            self._pressed.set()

    def press(self) -> None:
        """Wait for nothing any more."""
        self._presses_always = True
        self._pressed.set()

    async def linger(self) -> None:
        """Wait a moment for more, unless a report waits or something could not be written before."""
        if not self.in_hand:
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    await self._pressed.wait()

    async def written(self) -> None:
        """Wait until all of it is."""
        if self:
            written = asyncio.Event()
            (self.waiting or self.in_hand).written.append(written)
            await written.wait()

    def gather(self) -> None:
        """Take all in hand."""
        self.in_hand.extend(self.waiting)
        self.waiting = Batch()
        if not self._presses_always:
            self._pressed.clear()

    def put_down(self) -> None:
        """Take note that what was in hand is written."""
        for written in self.in_hand.written:
            written.set()
        self.in_hand = Batch()

    def give_rows_up(self) -> None:
        """Forget all rows of the journal."""
        self.waiting.rows.clear()
        self.in_hand.rows.clear()
