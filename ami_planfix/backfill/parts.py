"""Makes the backfill from the configuration, or none."""

import time

from ami_planfix.backfill.filling import PART, Asker, Backfill, Kept, Live, Outcome
from ami_planfix.backfill.reading import Reader
from ami_planfix.config.model import Config
from ami_planfix.errors import BackfillError
from ami_planfix.status import Board, State


class Records:
    """Asterisk's own records: read at each connect, and when an administrator asks."""

    def __init__(self, backfill: Backfill | None) -> None:
        self._backfill = backfill

    async def greet(self, asker: Asker) -> None:
        """Fill the gap before this connection."""
        if self._backfill is not None:
            await self._backfill.greet(asker)

    async def look(self, asker: Asker, since: float, *, dry: bool) -> Outcome:
        """Report what is missing since then (seconds since the epoch), or only tell it.

        Raises BackfillError, StorageError, AmiError.
        """
        if self._backfill is None:
            raise BackfillError("the configuration has no section `backfill`: docs/admin/backfill.md")
        return await self._backfill.look(asker, since, time.time(), dry=dry)

    async def stop(self) -> None:
        """End."""
        if self._backfill is not None:
            await self._backfill.stop()


def make_records(config: Config, kept: Kept, live: Live, board: Board) -> Records:
    """Make it; says on the board if there is nothing to read."""
    section = config.backfill
    if not (section.cdr.get_secret_value() or section.cel.get_secret_value()):
        board.say(PART, State.OFF, "neither backfill.cel nor backfill.cdr: what nobody heard is not reported")
        return Records(None)
    backfill = Backfill(Reader(section), kept, live, board, section.hours)
    return Records(backfill)
