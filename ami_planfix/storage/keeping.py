"""Keeps a database in a file usable, whatever becomes of the file.

It is damaged: a new one takes its place, with all that can still be read. It cannot be written for long (a full disk,
a file system that became read-only): state is kept in a stand-in elsewhere, beside the control socket, where systemd
has a file system in memory; reports go on from there, and it survives the death of the daemon, not of the machine.
When the file works again, all is carried over to it.
"""

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from sqlalchemy import make_url, text
from sqlalchemy.exc import ArgumentError

from ami_planfix.errors import StorageDamaged, StorageError, StorageRefused
from ami_planfix.status import State
from ami_planfix.storage.database import Database
from ami_planfix.storage.mending import Carried, carry_over, is_ours, make_fresh, mend, remove
from ami_planfix.storage.schema import open_database

log = structlog.get_logger("ami_planfix.storage")

LOOK_EVERY = 1.0
PATIENCE = 20.0
"""Seconds for which writing may fail until the stand-in is taken: memory holds what comes meanwhile."""
AGAIN = 10.0
"""Seconds between two tries to mend, to take the stand-in or to come back from it."""
ROOM = 16 * 1024**2
"""Bytes that must be free before a file that failed is taken again."""
MOST = 128 * 1024**2
"""Bytes of the stand-in: a day of some thousand calls; when it is full, memory holds what comes, as before."""

Say = Callable[[State, str], None]


class Keeping:
    """Opens the database of `storage.url` and cares for it; `stand_in` may take its place; `say` hears how it is.

    A server's database needs no care of ours: what it does not take, memory holds.
    """

    def __init__(self, url: str, durable: bool, stand_in: Path, say: Say) -> None:
        self.damages = 0
        """Files that were found damaged since the daemon began."""
        self._url = url
        self._durable = durable
        self._stand_in = stand_in
        self._say = say
        self._database: Database | None = None
        self._reason = ""
        """Why the stand-in is in use."""
        self._next_try = 0.0

    @property
    def stands_in(self) -> bool:
        """Tell whether the stand-in is in use."""
        return bool(self._reason)

    async def open(self) -> Database:
        """Open it, or what stands in for it; raises StorageError if that is impossible too, and StorageRefused."""
        try:
            self._database = await self._open_home()
        except StorageRefused:
            raise
        except (StorageError, OSError) as fault:
            self._database = await self._open_stand_in(fault)
        self._database.listen(self._tell)
        self._tell("")
        return self._database

    async def run(self) -> None:
        """Care for it, until cancelled."""
        database = self._database
        if database is None or not database.is_sqlite:
            return
        while True:
            await asyncio.sleep(LOOK_EVERY)
            if time.monotonic() < self._next_try:
                continue
            self._next_try = time.monotonic() + AGAIN
            try:
                await self._care(database)
            except (StorageError, OSError) as fault:
                log.debug("nothing better yet", error=str(fault), again_in=AGAIN)

    async def end(self) -> None:
        """Come back from the stand-in if that is possible now."""
        if self._database is not None and self.stands_in:
            try:
                await self._come_back(self._database)
            except (StorageError, OSError) as fault:
                log.error(  # noqa: TRY400 - it says all
                    "database still fails",
                    error=str(fault),
                    consequence=f"reports wait in {self._stand_in} for the next start",
                )

    async def mend(self) -> None:
        """Replace the file if it has turned out to be damaged; raises StorageError, OSError."""
        if self._database is not None and self._database.damaged.is_set() and not self.stands_in:
            await self._mend(self._database)

    async def _care(self, database: Database) -> None:
        failing_for = time.monotonic() - database.failing_since if database.failing_since is not None else 0.0
        if database.damaged.is_set() and not self.stands_in:
            await self._mend(database)
        elif failing_for > PATIENCE and not self.stands_in:
            await self._begin_stand_in(database)
        elif self.stands_in:
            await self._come_back(database)
        else:
            self._next_try = 0.0

    # A damaged file

    async def _open_home(self) -> Database:
        path = _path(self._url)
        database = await self._open_or_mend(self._url)
        if path is None or not self._stand_in.exists():
            return database
        await database.close()
        await self._carry_home(path)
        return await open_database(self._url, self._durable)

    async def _open_or_mend(self, url: str, most: int = 0) -> Database:
        database: Database | None = None
        try:
            database = await open_database(url, self._durable, most)
            await _probe(database)
        except StorageDamaged:
            if database is not None:
                await database.close()
            path = _path(url)
            if path is None or not is_ours(path):
                raise
            await self._replace(path)
            return await open_database(url, self._durable, most)
        return database

    async def _mend(self, database: Database) -> None:
        async with database.set_down() as path:
            await self._replace(path)
            database.damaged.clear()
        await database.tell_renewed()

    async def _replace(self, path: Path) -> None:
        mended = await mend(path)
        self.damages += 1
        lost = "" if mended.carried.whole else "; what was unreadable is lost"
        log.error(
            "database damaged",
            file=str(path),
            set_aside=str(mended.aside),
            carried_over=_counts(mended.carried),
            consequence=f"all goes on with a new one{lost}",
            remedy="look after the disk (dmesg, smartctl); remove the file that was set aside when nobody needs it",
        )

    # A file that cannot be written

    async def _open_stand_in(self, fault: Exception) -> Database:
        path = _path(self._url)
        if path is None:
            raise fault
        try:
            if not self._stand_in.exists():
                await self._make_stand_in(path)
            database = await self._open_or_mend(f"sqlite:///{self._stand_in}", MOST)
        except (StorageError, OSError) as other:
            log.debug("no stand-in", error=str(other))
            raise StorageError(str(fault)) from fault
        self._stood_in(str(fault))
        return database

    async def _begin_stand_in(self, database: Database) -> None:
        reason = database.trouble
        async with database.set_down() as path:
            await self._make_stand_in(path)
            await database.use(self._stand_in, MOST)
        self._stood_in(reason)

    async def _make_stand_in(self, path: Path) -> None:
        fresh = self._stand_in.with_name(f"{self._stand_in.name}.new")
        await make_fresh(fresh)
        await asyncio.to_thread(carry_over, path, fresh)
        fresh.rename(self._stand_in)

    def _stood_in(self, reason: str) -> None:
        self._reason = reason
        log.error("database stood in for", error=reason, file=str(self._stand_in), consequence=_MEANWHILE)
        self._tell("")

    async def _come_back(self, database: Database) -> None:
        path = _path(self._url)
        if path is None or shutil.disk_usage(path.parent).free < ROOM:
            return
        await (await self._open_or_mend(self._url)).close()
        async with database.set_down():
            await self._carry_home(path)
            await database.use(path)
            database.damaged.clear()
        self._reason = ""
        self._tell("")

    async def _carry_home(self, path: Path) -> None:
        carried = await asyncio.to_thread(carry_over, self._stand_in, path, everything=True)
        remove(self._stand_in)
        log.info("database works again", file=str(path), carried_over=_counts(carried))

    def _tell(self, trouble: str) -> None:
        if trouble:
            self._say(State.FAILED, trouble)
        elif self._reason:
            self._say(State.FAILED, f"{self._reason}; meanwhile reports are kept in {self._stand_in}")
        else:
            self._say(State.WELL, "written")


_MEANWHILE = "calls are reported; what waits is lost if the machine ends before the disk works again"


async def _probe(database: Database) -> None:
    """Read what a start needs, so that damage there is found now; raises StorageDamaged."""
    if database.is_sqlite:
        async with database.read() as connection:
            for query in _PROBES:
                await connection.execute(text(query))


_PROBES = (
    "SELECT count(value) FROM settings",
    "SELECT count(until) FROM presence",
    "SELECT sum(length(payload)) FROM outbox WHERE state = 'waiting'",
    "SELECT sum(length(raw)) FROM journal WHERE id IN (SELECT journal_id FROM journal_channels WHERE live)",
)


def _counts(carried: Carried) -> dict[str, int]:
    return {name: count for name, count in carried.rows.items() if count}


def _path(url: str) -> Path | None:
    """Tell which file it is; None if it is a server's."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return None
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None
