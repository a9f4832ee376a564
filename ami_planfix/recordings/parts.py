"""Makes all that recordings consist of from the configuration, and keeps it running and tidy."""

import asyncio
import time
from collections.abc import Callable

import structlog

from ami_planfix.calls.reports import Report
from ami_planfix.config.model import Config
from ami_planfix.errors import StorageError
from ami_planfix.outbox import Outbox
from ami_planfix.recordings.audio import Audio, find_converter
from ami_planfix.recordings.cache import Cache
from ami_planfix.recordings.disk import Disk
from ami_planfix.recordings.files import Shelf
from ami_planfix.recordings.formats import FORMATS
from ami_planfix.recordings.ledger import Ledger
from ami_planfix.recordings.links import Links, elsewhere
from ami_planfix.recordings.playback import Playback
from ami_planfix.recordings.waiting import PART, Places, Waiting
from ami_planfix.recordings.waiting import Settings as WaitingSettings
from ami_planfix.status import Board, State
from ami_planfix.storage.database import Database
from ami_planfix.storage.settings import Settings

log = structlog.get_logger("ami_planfix.recordings")

TIDY_EVERY = 3600.0
LOOK_EVERY = 60.0
"""Seconds between two looks at the folder itself."""
NO_LINKS = "neither `server` nor recordings.url: no link could lead anywhere, so every call goes with is_recorded=0"
_DAY = 86400.0


class Recordings:
    """The recordings of one PBX."""

    def __init__(self, places: Places, waiting: Waiting, settings: WaitingSettings, kept_days: int) -> None:
        self.links = places.links
        self.ledger = places.ledger
        self.waiting = waiting
        self.playback = Playback(places.ledger, places.shelf, places.links, places.audio, places.disk)
        self._places = places
        self._settings = settings
        self._kept = kept_days * _DAY

    async def run(self) -> None:
        """Wait for recordings and keep order, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.waiting.run())
            tasks.create_task(self._tidy())
            tasks.create_task(self._look())

    def close(self) -> None:
        """Let go of the threads."""
        self._places.disk.close()

    def link_in(self, report: Report) -> str:
        """Tell the link that goes with a report (`recordings.link: completed`); `''` if none does."""
        shelf, url = self._places.shelf, self._settings.url
        usable = [file for file in report.recordings if shelf.folders(file)]
        if not self._settings.in_report or not usable:
            return ""
        if url:
            return elsewhere(url, report.callid, shelf.relative(usable[0]), report.at)
        return self._link(report.callid, report.recordings[0], usable[0])

    async def newest_link(self) -> str:
        """Tell the link to the newest recording that has one of ours; `''` if none has; raises StorageError."""
        newest = await self.ledger.newest() if not self._settings.url else None
        return self._link(newest.callid, newest.files[0], newest.files[0]) if newest is not None else ""

    def _link(self, callid: str, signed: str, file: str) -> str:
        return self.links.link(callid, signed, ".mp3" if self._places.audio.makes_mp3 else _extension(file))

    async def _look(self) -> None:
        while True:
            await self.waiting.say_how_it_is()
            await asyncio.sleep(LOOK_EVERY)

    async def _tidy(self) -> None:
        while True:
            try:
                await self._places.audio.clean()
                now = time.time()
                await self.ledger.remove_old(now, now - self._kept)
                await self.links.refresh()
            except StorageError as fault:
                log.warning("recordings not tidied", error=str(fault), again_in=TIDY_EVERY)
            await asyncio.sleep(TIDY_EVERY)


def have_links(config: Config) -> bool:
    """Tell whether links to recordings lead anywhere: to us (`server`), or to where `recordings.url` says."""
    return config.server is not None or bool(config.recordings.url)


async def make_recordings(
    config: Config,
    database: Database,
    outbox: Outbox,
    written: Callable[[], None],
    is_live: Callable[[str], bool],
    board: Board,
) -> Recordings | None:
    """Make them; None if nobody could open a link: there is neither `server` nor `recordings.url`.

    Raises StorageError.
    """
    section = config.recordings
    if not have_links(config):
        board.say(PART, State.OFF, NO_LINKS)
        log.info("recordings off", reason=NO_LINKS)
        return None
    links = Links(Settings(database, config.ami.name), config.server.public_url if config.server is not None else "")
    await links.load()
    disk = Disk()
    audio = Audio(
        disk,
        Cache(section.cache, section.cache_days, section.cache_megabytes),
        find_converter(section.converter),
        original=section.format == "original",
    )
    shelf = Shelf(section.directory, section.asterisk_directory, section.archives)
    places = Places(disk, shelf, audio, links, Ledger(database, config.ami.name))
    settings = WaitingSettings(
        settle=section.settle,
        patience=section.patience * 3600.0,
        expires_after=section.link_days * _DAY,
        in_report=section.link == "completed",
        url=section.url,
        url_after=section.url_after,
    )
    waiting = Waiting(places, outbox, written, settings, is_live=is_live, board=board)
    return Recordings(places, waiting, settings, config.delivery.retention_days)


def _extension(file: str) -> str:
    return next((known for known in FORMATS if file.endswith(known)), ".wav")
