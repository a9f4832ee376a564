import asyncio
import errno
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from ami_planfix.errors import StorageError
from ami_planfix.storage.database import Database
from ami_planfix.storage.schema import open_database
from ami_planfix.storage.settings import Settings


def pragma(path: Path, name: str) -> object:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]
    finally:
        connection.close()


async def test_what_was_committed_is_carried_into_the_file_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ami_planfix.storage.database.CHECKPOINT_EVERY", 5)
    monkeypatch.setattr("ami_planfix.storage.sqlite.LONGEST_LOG", 5)
    file, log = tmp_path / "state.db", tmp_path / "state.db-wal"
    async with await open_database(f"sqlite:///{file}") as database:
        settings = Settings(database)
        sizes = []
        for number in range(40):
            async with database.write() as connection:
                await connection.execute(text(f"INSERT INTO settings (name, value) VALUES ('{number}', '-')"))
            if database._carrying is not None:
                await database._carrying
            sizes.append(log.stat().st_size)
        assert max(sizes) == max(sizes[:10])  # it began anew
        assert len(await settings.read([str(number) for number in range(40)])) == 40
        (tmp_path / "alone.db").write_bytes(file.read_bytes())
    with sqlite3.connect(tmp_path / "alone.db") as alone:
        assert alone.execute("SELECT count(*) FROM settings WHERE value = '-'").fetchone()[0] >= 35


@pytest.mark.parametrize(("durable", "synchronous"), [(False, 1), (True, 2)])
async def test_sqlite_is_tuned(tmp_path: Path, durable: bool, synchronous: int) -> None:
    path = tmp_path / "state.db"
    async with await open_database(f"sqlite:///{path}", durable) as database, database.read() as connection:
        found = {
            name: (await connection.execute(text(f"PRAGMA {name}"))).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": synchronous,
        "foreign_keys": 1,
        "busy_timeout": 5000,
    }


async def test_a_transaction_is_written_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    async with await open_database(f"sqlite:///{tmp_path}/state.db") as database:

        async def half() -> None:
            async with database.write() as connection:
                await connection.execute(text("INSERT INTO settings VALUES ('', 'a', 'b')"))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await half()
        assert await Settings(database).read(["a"]) == {}


async def test_who_reads_sees_one_moment(database_url: str) -> None:
    async with await open_database(database_url) as database:
        settings = Settings(database)
        count = text("SELECT count(*) FROM settings WHERE value = 'x'")
        async with database.read() as connection:
            found = [(await connection.execute(count)).scalar_one()]
            await settings.write({"a": "x"})
            found.append((await connection.execute(count)).scalar_one())
        assert found == [0, 0]
        assert await settings.read(["a"]) == {"a": "x"}


async def test_many_writers_and_readers_get_along(tmp_path: Path) -> None:
    async with await open_database(f"sqlite:///{tmp_path}/state.db") as database:

        async def work(number: int) -> None:
            await Settings(database).write({f"n{number}": "x"})
            assert await Settings(database).read([f"n{number}"]) == {f"n{number}": "x"}

        await asyncio.gather(*(work(number) for number in range(30)))
        assert len(await Settings(database).read([f"n{number}" for number in range(30)])) == 30


async def test_who_opens_a_new_file_waits_for_others_who_do(tmp_path: Path) -> None:
    """Nobody may have it in use when it is told to write ahead."""
    path = tmp_path / "state.db"
    other = sqlite3.connect(path, isolation_level=None)
    for statement in ("CREATE TABLE other (a)", "BEGIN IMMEDIATE"):
        other.execute(statement)
    asyncio.get_running_loop().call_later(0.1, other.close)
    async with await open_database(f"sqlite:///{path}") as database:
        await Settings(database).write({"a": "b"})
    assert pragma(path, "journal_mode") == "wal"


async def test_who_gives_up_while_it_is_opened_waits_for_the_thread_and_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_open, opens = threading.Event(), threading.Event()
    opened = sqlite3.connect

    def slow(*args: Any, **options: Any) -> sqlite3.Connection:
        opens.set()
        may_open.wait()
        connection: sqlite3.Connection = opened(*args, **options)
        return connection

    async with await open_database(f"sqlite:///{tmp_path}/state.db") as database, database.read():
        before = set(threading.enumerate())
        monkeypatch.setattr(sqlite3, "connect", slow)
        reading = asyncio.create_task(Settings(database).read(["a"]))
        await asyncio.to_thread(opens.wait)
        reading.cancel()
        asyncio.get_running_loop().call_later(0.05, may_open.set)
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert may_open.is_set()
        for thread in {one for one in threading.enumerate() if "_connection_worker" in one.name} - before:
            await asyncio.to_thread(thread.join, 5)
            assert not thread.is_alive()


async def test_after_sync_the_file_itself_has_it(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with await open_database(f"sqlite:///{path}") as database:
        await Settings(database).write({"planfix.token": "x-marks-the-spot"})
        assert b"x-marks-the-spot" in path.read_bytes()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://localhost/x", "storage.url must be"),
        ("what?", "storage.url must be"),
        ("sqlite:////nowhere/at/all/state.db", r"/nowhere/at/all/state\.db: No such file or directory"),
        ("sqlite:////proc", "Is a directory"),
    ],
)
async def test_what_cannot_be_opened_says_where_and_why(url: str, reason: str) -> None:
    with pytest.raises(StorageError, match=reason):
        await open_database(url)


async def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"this is a letter to the editor" * 100)
    with pytest.raises(StorageError, match="the file is no SQLite database"):
        await open_database(f"sqlite:///{path}")


async def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    await (await open_database(f"sqlite:///{path}")).close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xa5" * (len(whole) - 4096))
    with pytest.raises(StorageError, match="damaged"):
        async with await open_database(f"sqlite:///{path}") as database:
            await Settings(database).read(["a"])


async def test_a_full_disk_says_so_and_is_over_when_there_is_room(tmp_path: Path) -> None:
    async with await open_database(f"sqlite:///{tmp_path}/state.db") as database:
        await limit(database, 1)
        with pytest.raises(StorageError, match="the disk is full; make room"):
            await Settings(database).write({"a": "b" * 1_000_000})
        await limit(database, 1_000_000)
        await Settings(database).write({"a": "b" * 1_000_000})


async def limit(database: Database, pages: int) -> None:
    """Let the file grow no further, which SQLite tells as a full disk (PRAGMA max_page_count)."""
    async with database.write() as connection:
        await connection.execute(text(f"PRAGMA max_page_count = {pages}"))


async def test_a_file_system_that_takes_no_writing_says_so_before_sqlite_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("ami_planfix.storage.sqlite.make_file", refuse)
    with pytest.raises(StorageError, match="it cannot be written; check the owner"):
        await open_database(f"sqlite:///{tmp_path}/state.db")


async def test_a_lock_of_another_process_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ami_planfix.storage.sqlite.BUSY_TIMEOUT", 1)
    path = tmp_path / "state.db"
    async with await open_database(f"sqlite:///{path}") as database:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="another process keeps it locked"):
            await Settings(database).write({"a": "b"})
        other.execute("ROLLBACK")
        other.close()
        await Settings(database).write({"a": "b"})
