"""Hears from the kernel which files were closed, so that nobody has to look again and again.

It does not hear what another machine writes into a network folder, nor of folders that are yet to be made: whoever uses
it looks by himself as well, more seldom.
"""

import asyncio
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

import structlog
from asyncinotify import Inotify, Mask, Watch

from ami_planfix.recordings.disk import Disk

log = structlog.get_logger("ami_planfix.recordings")

MOST_FOLDERS = 64
_WHOLE = Mask.CLOSE_WRITE | Mask.MOVED_TO


class Watcher:
    """Watches folders; `closed` is called for each file that was closed after writing, or moved there."""

    def __init__(self, disk: Disk, closed: Callable[[Path], None]) -> None:
        self._disk = disk
        self._closed = closed
        self._inotify: Inotify | None = None
        self._watched: dict[Path, Watch] = {}
        self._reading: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin; where the kernel has none left to give, nothing is heard."""
        try:
            self._inotify = Inotify()
        except OSError as fault:
            log.warning("folders not watched", error=str(fault), consequence="recordings are looked for now and then")
            return
        self._reading = asyncio.create_task(self._read(self._inotify))

    async def want(self, folders: Collection[Path]) -> None:
        """Watch these folders, and no others."""
        inotify = self._inotify
        if inotify is None:
            return
        for folder in self._watched.keys() - set(folders):
            self._forget(inotify, folder)
        for folder in folders:
            if folder in self._watched or len(self._watched) >= MOST_FOLDERS:
                continue
            try:
                self._watched[folder] = await self._disk.run(partial(inotify.add_watch, folder, _WHOLE))
            except OSError:
                continue  # not there yet

    async def close(self) -> None:
        """End."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def _forget(self, inotify: Inotify, folder: Path) -> None:
        try:
            inotify.rm_watch(self._watched.pop(folder))
        except OSError:
            return  # the folder itself is gone, and the watch with it

    async def _read(self, inotify: Inotify) -> None:
        async for event in inotify:
            if event.mask & Mask.IGNORED:
                for folder, watch in list(self._watched.items()):
                    if watch is event.watch:
                        del self._watched[folder]
            elif event.path is not None:
                self._closed(event.path)
