"""A database whose file fails or is damaged while it is in use: nothing that matters is lost, and it heals itself."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import structlog

from ami_planfix.calls.reports import Stage
from ami_planfix.deliveries import Deliveries
from ami_planfix.entries import Delivered, State
from ami_planfix.errors import StorageDamaged, StorageError, StorageRefused
from ami_planfix.outbox import Outbox
from ami_planfix.status import State as PartState
from ami_planfix.storage import keeping as keeping_module
from ami_planfix.storage.database import Database
from ami_planfix.storage.keeping import Keeping
from ami_planfix.storage.mending import found_aside
from ami_planfix.storage.schema import open_database
from ami_planfix.storage.settings import Settings
from tests.making import report

MORE_THAN_ITS_CACHE = 5000
"""Reports; SQLite does not see what happens to pages that it holds in memory."""
NOW = 1_700_000_000.0


class Bench:
    """A database that is kept, in a folder; `run` cares for it."""

    def __init__(self, folder: Path) -> None:
        self.path, self.stand_in = folder / "state.db", folder / "run-stand-in.db"
        self.renewed = asyncio.Event()
        self.said: list[tuple[PartState, str]] = []
        self.keeping = Keeping(f"sqlite:///{self.path}", False, self.stand_in, lambda *word: self.said.append(word))

    @asynccontextmanager
    async def run(self) -> AsyncIterator[Database]:
        async with await self.keeping.open() as database:
            task = asyncio.create_task(self.keeping.run())
            try:
                yield database
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def put(self, database: Database, *callids: str) -> None:
        """Write reports as the daemon does: until it works."""
        async with asyncio.timeout(20):
            while True:
                try:
                    async with database.write() as connection:
                        reports = [report(Stage.COMPLETED, callid=callid) for callid in callids]
                        await Outbox(database).put(connection, reports, NOW)
                except StorageError:
                    await asyncio.sleep(0.01)
                else:
                    return

    async def counts(self, database: Database) -> dict[State, int]:
        return {state: count for state, count in (await Deliveries(database).counts()).by_state.items() if count}

    async def note_renewed(self) -> None:
        self.renewed.set()

    async def until(self, state: PartState, words: str) -> None:
        async with asyncio.timeout(20):
            while self.said[-1][0] is not state or words not in self.said[-1][1]:  # noqa: ASYNC110 - nobody is told
                await asyncio.sleep(0.01)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    for name in ("LOOK_EVERY", "PATIENCE", "AGAIN"):
        monkeypatch.setattr(keeping_module, name, 0.01)
    monkeypatch.setattr("ami_planfix.storage.sqlite.BUSY_TIMEOUT", 1)
    return Bench(tmp_path)


def damage(path: Path) -> None:
    """Overwrite all pages but the first, under the feet of whoever has the file open."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))


class TestDamaged:
    async def test_at_the_start_a_new_one_is_begun_and_it_is_said_once(self, bench: Bench) -> None:
        async with bench.run() as database:
            await bench.put(database, "1.1")
        damage(bench.path)
        with structlog.testing.capture_logs() as logs:
            async with bench.run() as database:
                await bench.put(database, "2.1")
                assert await bench.counts(database) == {State.WAITING: 1, State.DROPPED: 1}
        (line,) = [line for line in logs if line["log_level"] == "error"]
        assert line["event"] == "database damaged"
        assert line["set_aside"] == str(found_aside(bench.path)[0])
        assert bench.keeping.damages == 1
        assert bench.said[-1] == (PartState.WELL, "written")

    async def test_while_it_is_in_use_what_memory_holds_goes_into_the_new_one(self, bench: Bench) -> None:
        async with bench.run() as database:
            settings = Settings(database)
            database.when_renewed(bench.note_renewed)
            await settings.write({"planfix.token": "hush"})
            await bench.put(database, *(f"{number}.1" for number in range(MORE_THAN_ITS_CACHE)))
            await database.sync()
            damage(bench.path)
            with pytest.raises(StorageDamaged):  # who comes upon it first
                async with database.read() as connection:
                    await connection.exec_driver_sql("SELECT sum(length(payload)) FROM outbox NOT INDEXED")
            await bench.put(database, "new.1")
            await bench.renewed.wait()
            assert await settings.read(["planfix.token"]) == {"planfix.token": "hush"}
            assert len(await Deliveries(database).listing(callid="new.1")) == 1
        assert found_aside(bench.path)

    async def test_a_file_that_is_not_ours_by_its_name_is_left_alone(self, tmp_path: Path) -> None:
        letter = tmp_path / "letter.txt"
        letter.write_text("this is a letter to the editor" * 100)
        before = letter.read_bytes()
        keeping = Keeping(f"sqlite:///{letter}", False, tmp_path / "none" / "stand-in.db", lambda *_: None)
        with pytest.raises(StorageError, match="the file is no SQLite database"):
            await keeping.open()
        assert letter.read_bytes() == before

    async def test_a_newer_version_is_no_damage(self, bench: Bench) -> None:
        async with bench.run():
            pass
        with closing(sqlite3.connect(bench.path)) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(StorageRefused, match="written by a newer ami-planfix"):
            await bench.keeping.open()
        assert not found_aside(bench.path)
        assert not bench.stand_in.exists()


@asynccontextmanager
async def locked(path: Path) -> AsyncIterator[None]:
    """Be another process that keeps a file locked."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


class TestFailing:
    async def test_what_fails_for_long_is_stood_in_for_until_it_works_again(self, bench: Bench) -> None:
        async with bench.run() as database:
            outbox = Outbox(database)
            await bench.put(database, "1.1", "2.1")
            async with database.write() as connection:
                due = await outbox.claim(connection, NOW, 1, opened=True)
            async with locked(bench.path):
                await bench.put(database, "3.1")
                assert bench.keeping.stands_in
                assert "another process keeps it locked; meanwhile reports are kept in" in bench.said[-1][1]
                assert await bench.counts(database) == {State.WAITING: 3}
                async with database.write() as connection:
                    await outbox.settle(connection, [Delivered(due[0].id, "200")], NOW)
            await bench.until(PartState.WELL, "written")
            await bench.put(database, "4.1")
            assert await bench.counts(database) == {State.WAITING: 3, State.DELIVERED: 1}
            lines = await Deliveries(database).listing()
            assert [line.callid for line in lines] == ["4.1", "3.1", "2.1", "1.1"]
        assert not bench.stand_in.exists()
        async with await open_database(f"sqlite:///{bench.path}") as database:
            assert await bench.counts(database) == {State.WAITING: 3, State.DELIVERED: 1}

    async def test_what_fails_at_the_start_is_stood_in_for(self, bench: Bench) -> None:
        folder = bench.path
        folder.mkdir()  # nothing that could be opened as a file
        async with bench.run() as database:
            assert bench.keeping.stands_in
            await bench.put(database, "1.1")
            folder.rmdir()
            await bench.until(PartState.WELL, "written")
            await bench.put(database, "2.1")
            assert (await bench.counts(database))[State.WAITING] == 2
        assert bench.path.stat().st_size

    async def test_what_a_killed_daemon_left_in_the_stand_in_is_carried_home_by_the_next(self, bench: Bench) -> None:
        async with bench.run() as database:
            await bench.put(database, "1.1")
            async with locked(bench.path):
                await bench.put(database, "2.1")
        assert bench.stand_in.exists()
        bench = Bench(bench.path.parent)
        async with bench.run() as database:
            assert not bench.keeping.stands_in
            assert await bench.counts(database) == {State.WAITING: 2}
        assert not bench.stand_in.exists()

    async def test_at_the_end_it_comes_home(self, bench: Bench) -> None:
        async with await bench.keeping.open() as database:
            async with locked(bench.path):
                with pytest.raises(StorageError):
                    async with database.write() as connection:
                        await connection.exec_driver_sql("DELETE FROM settings")
                await bench.keeping._begin_stand_in(database)
                await bench.put(database, "1.1")
            await bench.keeping.end()
        assert not bench.stand_in.exists()

    async def test_without_room_for_a_stand_in_memory_holds_what_comes(self, bench: Bench) -> None:
        bench.stand_in.with_name(f"{bench.stand_in.name}.new").mkdir()
        async with bench.run() as database:
            async with locked(bench.path):
                writing = asyncio.create_task(bench.put(database, "1.1"))
                await bench.until(PartState.FAILED, "another process keeps it locked")
                assert not bench.keeping.stands_in
            await writing
            assert await bench.counts(database) == {State.WAITING: 1}
            assert bench.said[-1] == (PartState.WELL, "written")

    async def test_the_stand_in_does_not_grow_without_end(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(keeping_module, "MOST", 400_000)
        async with bench.run() as database, locked(bench.path):
            await bench.put(database, "1.1")
            with pytest.raises(StorageError, match="the disk is full"):
                await Settings(database).write({"a": "b" * 1_000_000})
