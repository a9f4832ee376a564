"""Statements take the shortest way to SQLite: here if they are quick, else through its thread."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from ami_planfix.storage.database import Database
from ami_planfix.storage.short_way import BUSY_TIMEOUT, FEW, QUICK, SHORT, Pace

ADD = "INSERT INTO said (words) VALUES ('a')"
WHERE = "SELECT where_am_i()"
NAP = "SELECT nap()"
HERE = threading.get_ident()


def nap() -> int:
    time.sleep(5 * QUICK)
    return threading.get_ident()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite:///{tmp_path}/state.db") as database:
        async with database.write() as connection:
            await connection.exec_driver_sql("CREATE TABLE said (words TEXT)")
        yield database


async def raw_of(connection: AsyncConnection) -> sqlite3.Connection:
    adapted = (await connection.get_raw_connection()).driver_connection
    assert adapted is not None
    raw: sqlite3.Connection = adapted._conn
    return raw


async def one(connection: AsyncConnection, statement: str) -> object:
    return (await connection.exec_driver_sql(statement)).scalar_one()


async def lines(database: Database) -> object:
    async with database.read() as connection:
        return await one(connection, "SELECT count(*) FROM said")


async def test_what_was_quick_is_executed_here(database: Database) -> None:
    async with database.read() as connection:
        (await raw_of(connection)).create_function("where_am_i", 0, threading.get_ident)
        assert await one(connection, WHERE) != HERE
        assert await one(connection, WHERE) == HERE


async def test_what_was_slow_never_is(database: Database) -> None:
    async with database.read() as connection:
        (await raw_of(connection)).create_function("nap", 0, nap)
        assert [await one(connection, NAP) == HERE for _ in range(3)] == [False, False, False]


async def test_many_rows_never_are(database: Database) -> None:
    async with database.write() as connection:
        seen = set()
        (await raw_of(connection)).create_function("where_am_i", 0, lambda: seen.add(threading.get_ident()))
        statement = "INSERT INTO said (words) SELECT where_am_i() WHERE ? > 0"
        for _ in range(3):
            await connection.exec_driver_sql(statement, [(number,) for number in range(1, FEW + 2)])
        assert HERE not in seen


async def test_a_file_that_is_locked_is_waited_for_elsewhere(database: Database, tmp_path: Path) -> None:
    for _ in range(2):
        async with database.write() as connection:
            await connection.exec_driver_sql(ADD)
    with sqlite3.connect(tmp_path / "state.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")

        async def write() -> None:
            async with database.write() as connection:
                await connection.exec_driver_sql(ADD)
                assert await one(connection, "PRAGMA busy_timeout") == BUSY_TIMEOUT

        writing = asyncio.create_task(write())
        await asyncio.sleep(0)
        assert not writing.done()
        other.execute("COMMIT")
        await writing
    assert await lines(database) == 3


async def test_who_gives_up_waiting_leaves_nothing_behind(database: Database) -> None:
    async def write() -> None:
        async with database.write() as connection:
            (await raw_of(connection)).create_function("nap", 0, nap)
            await connection.exec_driver_sql(ADD)
            await one(connection, NAP)

    for _ in range(5):
        writing = asyncio.create_task(write())
        await asyncio.sleep(QUICK)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
    async with database.write() as connection:
        await connection.exec_driver_sql(ADD)
    assert await lines(database) == 1


async def test_a_transaction_that_fails_is_undone(database: Database) -> None:
    async def fail() -> None:
        async with database.write() as connection:
            await connection.exec_driver_sql(ADD)
            raise RuntimeError

    for _ in range(3):
        with pytest.raises(RuntimeError):
            await fail()
    assert await lines(database) == 0


def test_the_memory_of_quick_statements_is_bounded() -> None:
    pace = Pace()
    pace.took("x" * (SHORT + 1), 0.0)
    assert not pace.is_quick("x" * (SHORT + 1))
    for number in range(3000):
        pace.took(f"SELECT {number}", 0.0)
    assert pace.is_quick("SELECT 2999")
    assert not pace.is_quick("SELECT 1")
    pace.took("SELECT 2999", 2 * QUICK)
    assert not pace.is_quick("SELECT 2999")
