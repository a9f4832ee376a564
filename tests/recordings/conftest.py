"""A folder with recordings, a database that knows them, and what makes audio of them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from ami_planfix.calls.reports import CallId, Outcome, Report, Stage
from ami_planfix.recordings.audio import Audio
from ami_planfix.recordings.cache import Cache
from ami_planfix.recordings.disk import Disk
from ami_planfix.recordings.files import Shelf
from ami_planfix.recordings.ledger import Entry, Ledger, Progress
from ami_planfix.recordings.links import Links
from ami_planfix.recordings.playback import Playback
from ami_planfix.storage.database import Database
from ami_planfix.storage.schema import open_database
from ami_planfix.storage.settings import Settings
from tests.making import report

NOW = 1_700_000_100.0
PUBLIC = "https://pbx.example.com:8443"


def recorded(*files: str, callid: str = "1700000000.1", at: float = NOW) -> Report:
    """Make the report of a recorded call's end."""
    made = report(Stage.COMPLETED, callid=callid, at=at, outcome=Outcome.SUCCESS, duration=5, recorded=True)
    return Report(**{name: getattr(made, name) for name in Report.__slots__} | {"recordings": files})


class Certificate(NamedTuple):
    """The files of a certificate for this machine, and of who vouches for it."""

    chain: Path
    key: Path
    authority: Path


class Place:
    """One PBX's recordings."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.database = database
        self.monitor = folder / "monitor"
        self.cache_folder = folder / "cache"
        self.now = NOW
        self.monitor.mkdir()
        self.disk = Disk()
        self.ledger = Ledger(database)
        self.links = Links(Settings(database), PUBLIC)
        self.shelf = Shelf(self.monitor, self.monitor)
        self.cache = Cache(self.cache_folder, days=30, megabytes=1000, clock=lambda: self.now)
        self.audio = Audio(self.disk, self.cache, None)

    @property
    def playback(self) -> Playback:
        return Playback(self.ledger, self.shelf, self.links, self.audio, self.disk, lambda: self.now)

    async def note(self, *reports: Report) -> None:
        async with self.database.write() as connection:
            await self.ledger.put(connection, reports)

    async def settle(self, callid: str, progress: Progress = Progress.LINKED, expires: float | None = None) -> None:
        async with self.database.write() as connection:
            await self.ledger.settle(connection, callid, progress, self.now, expires=expires)

    async def recording(self, file: str, content: bytes, callid: str = "1700000000.1") -> Entry:
        """Make a recording that is whole."""
        path = self.monitor / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        await self.note(recorded(file, callid=callid))
        await self.settle(callid)
        return Entry(CallId(callid), NOW, (file,), Progress.LINKED, "", None)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with await open_database(database_url) as opened:
        yield opened


@pytest.fixture
async def place(tmp_path: Path, database: Database) -> AsyncIterator[Place]:
    made = Place(tmp_path, database)
    await made.links.load()
    yield made
    made.disk.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    """Make a certificate for this machine."""
    made = Certificate(tmp_path / "chain.pem", tmp_path / "key.pem", tmp_path / "ca.pem")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(made.authority)
    issued.private_key_pem.write_to_path(made.key)
    for blob in issued.cert_chain_pems:
        blob.write_to_path(made.chain, append=True)
    return made
