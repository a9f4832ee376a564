"""Waits until a call's recording is whole, then has Planfix told where it is: once, also after a restart.

What is waited for is in storage (`ledger`); what was seen of it is in memory, and seen anew after a restart. One loop
looks at what is due; what is whole is converted in tasks of its own, then its row ends and its link goes into
the outbox in one transaction.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import NamedTuple, assert_never

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from ami_planfix.calls.reports import CallId, Report
from ami_planfix.entries import RecordLink
from ami_planfix.errors import RecordingError, StorageError
from ami_planfix.outbox import Outbox
from ami_planfix.recordings.audio import Audio
from ami_planfix.recordings.disk import Disk
from ami_planfix.recordings.files import Shelf
from ami_planfix.recordings.ledger import Entry, Ledger, Progress
from ami_planfix.recordings.links import Links, elsewhere
from ami_planfix.recordings.patience import Again, GivenUp, Look, Seen, Whole, decide
from ami_planfix.recordings.playback import open_parts
from ami_planfix.recordings.watching import Watcher
from ami_planfix.status import Board, State
from ami_planfix.writing import Take

log = structlog.get_logger("ami_planfix.recordings")

PART = "recordings"
AT_ONCE = 50
"""Calls whose files are looked at in one go."""
STILL_TALKING = 2.0
"""Seconds until a call that goes on is looked at again."""
WORRIED_AFTER = 300.0
"""Seconds after which a recording that is not there is worth a line in the log."""
LEAST_PAUSE = 0.05
STORAGE_PAUSE = 2.0


class Settings(NamedTuple):
    """What the administrator chose (`recordings`); times in seconds."""

    settle: float = 5.0
    patience: float = 86400.0
    expires_after: float = 0.0
    """0: never."""
    in_report: bool = False
    """The link went with the report of the call's end already."""
    url: str = ""
    url_after: float = 10.0


DEFAULT_SETTINGS = Settings()


class Places(NamedTuple):
    """Where recordings are, what is made of them, and what is known of them."""

    disk: Disk
    shelf: Shelf
    audio: Audio
    links: Links
    ledger: Ledger


@dataclass(slots=True)
class _Awaited:
    entry: Entry
    seen: Seen
    due: float
    busy: bool = False
    """A task is ending it."""
    worried: bool = False


class Waiting:
    """Everything that waits for a recording."""

    def __init__(
        self,
        places: Places,
        outbox: Outbox,
        written: Callable[[], None],
        settings: Settings = DEFAULT_SETTINGS,
        *,
        is_live: Callable[[str], bool] = lambda callid: False,
        board: Board | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`written` is called when links are in the outbox; `is_live` tells whether a call still goes on."""
        self._ledger = places.ledger
        self._outbox = outbox
        self._written = written
        self._places = places
        self._settings = settings
        self._is_live = is_live
        self._board = board or Board(clock)
        self._clock = clock
        self._awaited: dict[CallId, _Awaited] = {}
        self._new = True
        self._woken = asyncio.Event()
        self._watcher = Watcher(places.disk, self._closed)
        self._ending: set[asyncio.Task[None]] = set()

    async def note(self, connection: AsyncConnection, reports: Iterable[Report]) -> None:
        """Note which of these reports announce a recording, in the transaction in which they are written."""
        await self._ledger.put(connection, reports)

    @asynccontextmanager
    async def noting(self) -> AsyncIterator[Take]:
        """Give what notes them, and look at them once that is written."""
        announced = False

        async def note(connection: AsyncConnection, reports: Sequence[Report]) -> None:
            nonlocal announced
            announced = any(report.recordings for report in reports)
            await self.note(connection, reports)

        yield note
        if announced:
            self.wake()

    def wake(self) -> None:
        """Look at what was noted."""
        self._new = True
        self._woken.set()

    async def run(self) -> None:
        """Wait for recordings until cancelled."""
        self._watcher.open()
        try:
            while True:
                self._woken.clear()
                try:
                    pause = await self._turn()
                except StorageError as fault:
                    log.error("recordings not noted", error=str(fault), again_in=STORAGE_PAUSE)  # noqa: TRY400
                    pause = STORAGE_PAUSE
                except Exception:
                    # Whatever is wrong with recordings: reports go on.
                    log.exception("recordings not looked at", remedy="report this as a fault of ami-planfix")
                    pause = WORRIED_AFTER
                await self._sleep(pause)
        finally:
            for task in self._ending:
                task.cancel()
            await asyncio.gather(*self._ending, return_exceptions=True)
            await self._watcher.close()

    # The loop's turn

    async def _turn(self) -> float | None:
        """Look at what is due; tell for how long there is nothing to do, None: until woken."""
        if self._new:
            self._new = False
            try:
                await self._read_ledger()
            except StorageError:
                self._new = True
                raise
        now = self._clock()
        due = [one for one in self._awaited.values() if one.due <= now and not one.busy][:AT_ONCE]
        due = [one for one in due if not self._goes_on(one, now)]
        for one in [one for one in due if not self._has_a_place(one)]:
            due.remove(one)
            await self._give_up(one, f"no usable name in recordings.asterisk_directory: {one.entry.files[0]!r}")
        if self._settings.url:
            for one in due:
                self._begin_to_end(one, complete=True)
        elif due:
            looks = await self._places.disk.run(lambda: [look(self._places.shelf, one.entry) for one in due])
            for one, seen in zip(due, looks, strict=True):
                await self._decide(one, seen)
        times = [one.due for one in self._awaited.values() if not one.busy]
        return max(min(times) - self._clock(), LEAST_PAUSE) if times else None

    async def say_how_it_is(self) -> None:
        """Tell the board whether the folder can be read, and what links lead to."""
        places = self._places
        if self._settings.url:
            self._board.say(PART, State.WELL, "another server has them")
        elif trouble := await places.disk.run(places.shelf.trouble):
            self._board.say(PART, State.FAILED, trouble)
        else:
            self._board.say(PART, State.WELL, places.audio.described)

    async def _read_ledger(self) -> None:
        entries = {entry.callid: entry for entry in await self._ledger.waiting()}
        now = self._clock()
        for callid in self._awaited.keys() - entries.keys():
            if not self._awaited[callid].busy:
                del self._awaited[callid]  # another daemon on the same database was quicker
        for callid, entry in entries.items():
            known = self._awaited.get(callid)
            if known is None or known.entry.files != entry.files:
                due = entry.at + self._settings.url_after if self._settings.url else now
                self._awaited[callid] = _Awaited(entry, Seen(entry.at, now), due)
        if not self._settings.url:
            shelf = self._places.shelf
            newest = [file for one in reversed(self._awaited.values()) for file in one.entry.files]
            await self._watcher.want(dict.fromkeys(folder for file in newest for folder in shelf.folders(file)))

    def _goes_on(self, one: _Awaited, now: float) -> bool:
        """Tell whether the call goes on: a later part may bring another file (`calls.transfers: each`)."""
        if self._is_live(one.entry.callid):
            one.due = now + STILL_TALKING
            return True
        return False

    def _has_a_place(self, one: _Awaited) -> bool:
        return any(self._places.shelf.folders(file) for file in one.entry.files)

    async def _decide(self, one: _Awaited, seen: Look) -> None:
        now = self._clock()
        decision = decide(one.seen, seen, now, self._settings.settle, self._settings.patience)
        match decision:
            case Again(at):
                one.due = at
                if seen.fault and not one.worried and now - one.seen.ended > WORRIED_AFTER:
                    one.worried = True
                    log.warning("recording not there yet", call=one.entry.callid, reason=seen.fault)
                    await self._ledger.explain(one.entry.callid, seen.fault)
            case Whole(complete):
                self._begin_to_end(one, complete)
            case GivenUp():
                await self._give_up(one, seen.fault)
            case _:
                assert_never(decision)

    async def _sleep(self, pause: float | None) -> None:
        try:
            async with asyncio.timeout(pause):
                await self._woken.wait()
        except TimeoutError:
            pass

    def _closed(self, path: Path) -> None:
        for one in self._awaited.values():
            if any(path.name.startswith(PurePath(file).stem) for file in one.entry.files):
                one.seen.closed.add(path)
                one.due = 0.0
                self._woken.set()

    # The end of one

    def _begin_to_end(self, one: _Awaited, complete: bool) -> None:
        one.busy = True
        task = asyncio.create_task(self._end(one, complete))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, one: _Awaited, complete: bool) -> None:
        try:
            link = await self._link(one.entry)
            detail = "" if complete else "some of its files did not appear"
            now = self._clock()
            expires = now + self._settings.expires_after if self._settings.expires_after else None
            async with self._ledger.database.write() as connection:
                mine = await self._ledger.settle(connection, one.entry.callid, Progress.LINKED, now, detail, expires)
                if mine and not self._settings.in_report:
                    entry = RecordLink(now, one.entry.callid, link, temporary=expires is not None)
                    await self._outbox.put(connection, [entry], now)
        except (RecordingError, StorageError) as fault:
            # Gone between the look and now, or the database fails: from the beginning.
            log.warning("recording not linked", call=one.entry.callid, error=str(fault))
            one.busy, one.due = False, self._clock() + STORAGE_PAUSE
            one.seen = Seen(one.entry.at, one.seen.began)
        except Exception:
            log.exception("recording not linked", call=one.entry.callid, remedy="report this as a fault of ami-planfix")
            one.busy, one.due = False, self._clock() + WORRIED_AFTER
        else:
            del self._awaited[one.entry.callid]
            if not complete:
                log.warning("recording incomplete", call=one.entry.callid, files=list(one.entry.files))
            log.info("recording linked", call=one.entry.callid, lag=round(now - one.entry.at, 1))
            self._written()
        self._woken.set()

    async def _link(self, entry: Entry) -> str:
        """Make the link, and what it leads to."""
        places = self._places
        if self._settings.url:
            file = next(file for file in entry.files if places.shelf.folders(file))
            return elsewhere(self._settings.url, entry.callid, places.shelf.relative(file), entry.at)
        parts = await places.disk.run(lambda: open_parts(places.shelf, entry))
        with await places.audio.of(parts) as heard:
            return places.links.link(entry.callid, entry.files[0], heard.path.suffix)

    async def _give_up(self, one: _Awaited, why: str) -> None:
        async with self._ledger.database.write() as connection:
            await self._ledger.settle(connection, one.entry.callid, Progress.MISSING, self._clock(), why)
        del self._awaited[one.entry.callid]
        log.error(
            "recording missing",
            call=one.entry.callid,
            reason=why,
            remedy="compare recordings.directory and asterisk_directory with what Asterisk writes",
        )


def look(shelf: Shelf, entry: Entry) -> Look:
    """Look at a call's files as they are now (blocks)."""
    fingerprints: list[str] = []
    paths: set[Path] = set()
    finished: list[bool | None] = []
    faults: list[str] = []
    for file in entry.files:
        try:
            part = shelf.open(file, entry.at)
        except RecordingError as fault:
            faults.append(str(fault))
            continue
        if part.is_empty:
            faults.append(f"recording {file} is empty")
        else:
            fingerprints += [side.fingerprint for side in part.sides]
            paths.update(side.path for side in part.sides)
            finished += [side.finished for side in part.sides]
        part.close()
    told = False if False in finished else None if None in finished else True
    return Look(tuple(fingerprints), frozenset(paths), not faults, told, faults[0] if faults else "")
