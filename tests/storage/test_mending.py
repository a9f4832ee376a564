"""Files that are really damaged: what can be read is carried over, the rest is set aside and never removed."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from ami_planfix.calls.reports import Stage
from ami_planfix.deliveries import Deliveries
from ami_planfix.entries import Delivered, State
from ami_planfix.outbox import Outbox
from ami_planfix.storage.mending import Mended, carry_over, found_aside, make_fresh, mend
from ami_planfix.storage.schema import open_database
from ami_planfix.storage.settings import Settings
from tests.making import report

PAGE = 4096
CALLS = 400
NOW = 1_700_000_000.0


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """Give a file with many reports that wait, and one setting; all of it is in the file itself."""
    path = tmp_path / "state.db"
    async with await open_database(f"sqlite:///{path}") as database:
        async with database.write() as connection:
            reports = [report(Stage.COMPLETED, callid=f"{number}.1") for number in range(CALLS)]
            await Outbox(database).put(connection, reports, NOW)
        await Settings(database).write({"planfix.token": "hush"})
    return path


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def cut(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)


def content(path: Path) -> bytes:
    return path.read_bytes()


def names_beside(path: Path) -> list[str]:
    return [one.name for one in path.parent.iterdir()]


def page_of(path: Path, text: bytes) -> int:
    """Find where the page begins on which a text stands."""
    return path.read_bytes().index(text) // PAGE * PAGE


async def waiting(path: Path) -> int:
    async with await open_database(f"sqlite:///{path}") as database:
        return (await Deliveries(database).counts()).by_state[State.WAITING]


async def mended(path: Path, damage: Callable[[Path], None]) -> Mended:
    """Damage a file; mend it, and see to it that the damaged one is kept as it was."""
    damage(path)
    damaged = content(path)
    found = await mend(path)
    assert found_aside(path) == [found.aside]
    assert content(found.aside) == damaged
    assert await waiting(path) == found.carried.rows["outbox"]
    assert set(names_beside(path)) == {path.name, found.aside.name}
    return found


async def test_a_whole_file_is_carried_over_as_a_whole(path: Path) -> None:
    found = await mended(path, lambda _: None)
    assert found.carried.whole
    assert (found.carried.rows["outbox"], found.carried.rows["settings"]) == (CALLS, 1)


async def test_of_a_file_without_its_first_bytes_everything_is_read(path: Path) -> None:
    found = await mended(path, lambda file: overwrite(file, 0, b"\xa5" * 100))
    assert found.carried.whole
    assert found.carried.rows["outbox"] == CALLS


async def test_of_a_broken_page_only_what_stood_there_is_lost(path: Path) -> None:
    found = await mended(path, lambda file: overwrite(file, page_of(file, b'"callid":"200.1"'), b"\xa5" * PAGE))
    assert not found.carried.whole
    assert CALLS - 20 < found.carried.rows["outbox"] < CALLS
    assert found.carried.rows["settings"] == 1


async def test_of_a_file_that_was_cut_short_its_beginning_is_read(path: Path) -> None:
    found = await mended(path, lambda file: cut(file, page_of(file, b'"callid":"300.1"')))
    assert not found.carried.whole
    assert 200 < found.carried.rows["outbox"] < CALLS


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: overwrite(file, 0, b"\xa5" * PAGE),
        lambda file: cut(file, 100),
        lambda file: file.write_bytes(b"this is a letter to the editor" * 1000),
        lambda file: file.write_bytes(b""),
    ],
    ids=["no first page", "cut to nothing", "another file", "empty"],
)
async def test_a_file_of_which_nothing_can_be_read_is_replaced(path: Path, damage: Callable[[Path], None]) -> None:
    found = await mended(path, damage)
    assert not found.carried.whole
    assert found.carried.rows["outbox"] == 0


async def test_what_the_write_ahead_log_has_is_carried_over_too(tmp_path: Path) -> None:
    path, crashed = tmp_path / "state.db", tmp_path / "crashed.db"
    async with await open_database(f"sqlite:///{path}") as database:
        async with database.write() as connection:
            await Outbox(database).put(connection, [report(Stage.COMPLETED)], NOW)
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{path}{suffix}", f"{crashed}{suffix}")
    overwrite(crashed, 0, b"\xa5" * 100)
    found = await mend(crashed)
    assert found.carried.rows["outbox"] == 1
    assert f"{found.aside.name}-wal" in names_beside(crashed)


async def test_after_a_loss_no_number_is_given_again(path: Path) -> None:
    """A report that is on its way must not be taken for another one that has its number now."""
    await mended(path, lambda file: cut(file, 100))
    async with await open_database(f"sqlite:///{path}") as database:
        outbox = Outbox(database)
        async with database.write() as connection:
            await outbox.put(connection, [report(Stage.COMPLETED, callid="new.1")], NOW)
            (due,) = await outbox.claim(connection, NOW, 1, opened=True)
            await outbox.settle(connection, [Delivered(number, "200") for number in range(1, CALLS + 1)], NOW)
        assert due.id > CALLS
        assert (await Deliveries(database).counts()).by_state[State.WAITING] == 1


async def test_settled_reports_of_long_ago_stay_behind(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE outbox SET state = 'delivered', settled = created WHERE id <= 100")
    connection.close()
    assert (await mended(path, lambda _: None)).carried.rows["outbox"] == CALLS - 100


async def test_two_files_are_set_aside_under_two_names(path: Path) -> None:
    names = {(await mend(path)).aside for _ in range(3)}
    assert set(found_aside(path)) == names
    assert len(names) == 3


async def test_what_is_carried_home_replaces_what_was_there(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    await make_fresh(elsewhere)
    assert carry_over(path, elsewhere).whole
    async with await open_database(f"sqlite:///{elsewhere}") as database:
        outbox = Outbox(database)
        async with database.write() as connection:
            due = await outbox.claim(connection, NOW, 10, opened=True)
            await outbox.settle(connection, [Delivered(one.id, "200") for one in due], NOW)
            await outbox.put(connection, [report(Stage.COMPLETED, callid="new.1")], NOW)
    assert carry_over(elsewhere, path, everything=True).whole
    assert await waiting(path) == CALLS - 10 + 1
