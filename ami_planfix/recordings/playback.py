"""From a link to what is heard: whoever has the right signature gets the audio, nobody else learns anything."""

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack

from ami_planfix.errors import RecordingError
from ami_planfix.recordings.audio import Audio
from ami_planfix.recordings.disk import Disk
from ami_planfix.recordings.files import Opened, Part, Shelf
from ami_planfix.recordings.ledger import Entry, Ledger, Progress
from ami_planfix.recordings.links import Links

LOOKUPS = 2
"""At once: a flood of wrong links must leave the database to the reports."""
PATIENCE = 20.0
"""Seconds that a link which was given before its file is whole may have to wait."""
_LOOK_AGAIN = 1.0


class Playback:
    """Finds what links lead to."""

    def __init__(
        self,
        ledger: Ledger,
        shelf: Shelf,
        links: Links,
        audio: Audio,
        disk: Disk,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ledger = ledger
        self._shelf = shelf
        self._links = links
        self._audio = audio
        self._disk = disk
        self._clock = clock
        self._lookups = asyncio.Semaphore(LOOKUPS)

    async def find(self, signature: str, callid: str) -> Entry | None:
        """Check a link; None if it is wrong, has expired, or is of no call."""
        async with self._lookups:
            entry = await self._ledger.find(callid)
        file = entry.files[0] if entry is not None else ""
        signed = self._links.is_signed(signature, callid, file)
        if entry is None or not signed or (entry.expires is not None and entry.expires < self._clock()):
            return None
        return entry

    async def open(self, entry: Entry) -> Opened:
        """Open what is heard of a call; raise RecordingError if its files are not there."""
        waiting = entry
        deadline = self._clock() + PATIENCE
        while waiting.progress is Progress.WAITING and self._clock() < deadline:
            await asyncio.sleep(_LOOK_AGAIN)
            waiting = await self._ledger.find(entry.callid) or waiting
        return await self._audio.of(await self._disk.run(lambda: open_parts(self._shelf, waiting)))

    async def read(self, opened: Opened, at: int, size: int) -> bytes:
        """Read a piece of an open file."""
        return await self._disk.run(lambda: opened.read(at, size))


def open_parts(shelf: Shelf, entry: Entry) -> list[Part]:
    """Open all of a call's recordings that are there and have sound; raise RecordingError if none is (blocks)."""
    first: RecordingError | None = None
    with ExitStack() as stack:
        parts: list[Part] = []
        for file in entry.files:
            try:
                part = shelf.open(file, entry.at)
            except RecordingError as fault:
                first = first or fault
                continue
            if part.is_empty:
                part.close()
                continue
            stack.callback(part.close)
            parts.append(part)
        if not parts:
            raise first or RecordingError(f"recording {entry.files[0]} is empty")
        stack.pop_all()
    return parts
