"""What became of reports, until it is written down: what is not noted yet when a daemon dies is sent again.

It is written at once, with whatever else is written just then. The database fails: it is kept, and written when that
works again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from math import inf

from sqlalchemy.ext.asyncio import AsyncConnection

from ami_planfix.entries import Postponed, Result, Returned
from ami_planfix.outbox import Outbox

Write = Callable[[AsyncConnection], Awaitable[bool]]
"""Writes results; tells whether rows wait again by them."""


class Notebook:
    """Results until they are written."""

    def __init__(self, outbox: Outbox, clock: Callable[[], float]) -> None:
        self._outbox = outbox
        self._clock = clock
        self._results: list[Result] = []
        self._in_hand: list[Result] = []
        self._hasten = inf

    def add(self, result: Result) -> None:
        """Note what became of a row."""
        self._results.append(result)

    def hasten(self, at: float) -> None:
        """Note that what waits for another attempt is due `at` the latest (of the clock of leases)."""
        self._hasten = min(self._hasten, at)

    @property
    def is_waiting(self) -> bool:
        """Tell whether something is to be written."""
        return self._hasten < inf or bool(self._results)

    @property
    def is_empty(self) -> bool:
        """Tell whether all is written."""
        return not (self.is_waiting or self._in_hand)

    @property
    def rows(self) -> set[int]:
        """Tell of which rows something is to be written, besides what is being written."""
        return {result.id for result in self._results}

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Write]:
        """Give what writes all there is, in a transaction within this; if that fails, it is kept."""
        mine: list[Result] = []
        hasten = inf

        async def write(connection: AsyncConnection) -> bool:
            nonlocal hasten
            mine.extend(self._results)
            self._results.clear()
            self._in_hand += mine
            hasten, self._hasten = self._hasten, inf
            await self._outbox.settle(connection, mine, self._clock())
            if hasten < inf:
                await self._outbox.hasten(connection, hasten)
            return any(isinstance(result, Postponed | Returned) for result in mine)

        try:
            yield write
        except BaseException:
            self._results[:0] = mine
            self._hasten = min(self._hasten, hasten)
            raise
        finally:
            for result in mine:
                self._in_hand.remove(result)
