"""The alerts that there are, in a real database: kept over restarts, told though it fails, given up in the end."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from ami_planfix.alerts.book import GIVEN_UP, SHARED, Book, own
from ami_planfix.alerts.deciding import REMEMBERED, Alert, Stage
from ami_planfix.alerts.looking import Trouble
from ami_planfix.storage.database import Database
from ami_planfix.storage.schema import open_database
from ami_planfix.storage.settings import Settings

NOW = 1_795_440_000.0
WAYS = ["mail", "webhook"]
BEGAN = Alert(Trouble.STORAGE, NOW, "the disk is full")
OVER = Alert(Trouble.STORAGE, NOW, "the disk is full", until=NOW + 60)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with await open_database(f"sqlite:///{tmp_path}/state.db") as found:
        yield found


@pytest.fixture
async def book(database: Database) -> Book:
    return await opened(database)


async def opened(database: Database, name: str = SHARED) -> Book:
    found = Book(Settings(database), name)
    await found.open()
    return found


def broken(tmp_path: Path, how: str) -> None:
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as connection:
        connection.execute(f"ALTER TABLE {how}")


async def test_what_was_told_is_known_after_a_restart(database: Database, book: Book) -> None:
    await book.take([BEGAN], WAYS, NOW)
    await book.told(BEGAN, "mail", WAYS)
    again = await opened(database)
    assert again.alerts == {Trouble.STORAGE: BEGAN.told("mail", Stage.BEGAN, WAYS)}
    assert (again.owed("mail"), again.owed("webhook")) == (None, again.alerts[Trouble.STORAGE])


async def test_each_daemon_has_a_book_of_its_own(database: Database) -> None:
    one, other = own("host-a/run/control.sock"), own("host-b/run/control.sock")
    await (await opened(database, one)).take([BEGAN], WAYS, NOW)
    assert (await opened(database, other)).alerts == {}
    assert len(one) <= 64


async def test_while_it_cannot_be_kept_memory_has_it_and_then_it_is_written(
    database: Database, book: Book, tmp_path: Path
) -> None:
    broken(tmp_path, "settings RENAME TO elsewhere")
    await book.take([BEGAN], WAYS, NOW)
    assert book.owed("mail") == BEGAN
    await book.told(BEGAN, "mail", WAYS)
    assert book.owed("mail") is None
    broken(tmp_path, "elsewhere RENAME TO settings")
    await book.take([], WAYS, NOW)
    assert (await opened(database)).alerts == book.alerts


async def test_what_cannot_be_read_is_not_written_over(database: Database, book: Book, tmp_path: Path) -> None:
    await book.take([Alert(Trouble.TOKEN, NOW)], WAYS, NOW)
    broken(tmp_path, "settings RENAME TO elsewhere")
    late = await opened(database)
    await late.take([BEGAN], WAYS, NOW)
    broken(tmp_path, "elsewhere RENAME TO settings")
    await late.open()
    await late.take([], WAYS, NOW)
    assert set((await opened(database)).alerts) == {Trouble.TOKEN, Trouble.STORAGE}


async def test_a_value_that_is_none_of_ours_stops_nothing(database: Database) -> None:
    await Settings(database).write({SHARED: '[{"trouble": "of another version"}]'})
    book = await opened(database)
    await book.take([BEGAN], WAYS, NOW)
    assert set((await opened(database)).alerts) == {Trouble.STORAGE}


async def test_an_end_that_nobody_could_be_told_is_given_up_after_a_day(book: Book) -> None:
    await book.take([OVER], WAYS, NOW + 60)
    await book.take([], WAYS, NOW + 60 + GIVEN_UP - 1)
    assert book.owed("mail") is not None
    await book.take([], WAYS, NOW + 60 + GIVEN_UP + 1)
    assert book.owed("mail") is None


async def test_what_is_settled_is_remembered_for_a_while(book: Book) -> None:
    await book.take([OVER], [], NOW + 60)
    await book.take([], [], NOW + 60 + REMEMBERED - 1)
    assert Trouble.STORAGE in book.alerts
    await book.take([], [], NOW + 60 + REMEMBERED + 1)
    assert book.alerts == {}


async def test_a_way_that_comes_later_is_told_what_is_wrong_now_but_not_what_is_over(book: Book) -> None:
    await book.take([BEGAN], [], NOW)
    assert book.owed("mail") == BEGAN
    await book.take([OVER], [], NOW + 60)
    assert book.owed("mail") is None
