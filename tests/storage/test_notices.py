"""What other daemons say over PostgreSQL is heard; what somebody else says there disturbs nobody."""

import asyncio

import pytest

from ami_planfix.storage.database import Database
from ami_planfix.storage.schema import open_database
from tests.postgresql import PostgreSql

NONSENSE = ("", "x", "[1]", "null", "[" * 5000, '{"reports": 1}')


@pytest.mark.postgresql
async def test_whoever_else_notifies_is_not_heard(postgresql: PostgreSql, postgresql_url: str) -> None:
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    name = postgresql_url.rpartition("/")[2]
    async with (
        await open_database(postgresql_url) as other,
        Database(postgresql_url) as database,
        database.listening(lambda topic, pbx: heard.put_nowait((topic, pbx))),
    ):
        for text in NONSENSE:
            await asyncio.to_thread(postgresql.sql, f"SELECT pg_notify('ami_planfix', '{text}')", name)
        async with other.write() as connection:
            await other.notify(connection, "reports", "north")
        async with asyncio.timeout(20):
            assert await heard.get() == ("reports", "north")
    assert faults == []
