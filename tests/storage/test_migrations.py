"""Every released schema leads to the present one, with all that is in it, also when two daemons start at once."""

import asyncio
from collections.abc import Mapping

import pytest
from sqlalchemy import text

from ami_planfix.deliveries import Deliveries
from ami_planfix.entries import State, dump
from ami_planfix.journal import Journal
from ami_planfix.outbox import Outbox
from ami_planfix.storage import migrations
from ami_planfix.storage.database import Database
from ami_planfix.storage.schema import open_database
from ami_planfix.storage.settings import Settings
from tests.making import report

RELEASED = ("0001", "0002", "0003")
REPORT = report()
EVENT = (
    b"Event: Newchannel\r\nTimestamp: 1700000000.250000\r\nChannel: PJSIP/provider-00000001\r\nChannelState: 4\r\n"
    b"CallerIDNum: 79101234567\r\nExten: 74951230000\r\nUniqueid: 1700000000.1\r\nLinkedid: 1700000000.1"
)
KEPT = {
    "planfix.url": "https://test.planfix.com/tel/api",
    "planfix.token": "token",
    "devices.": '[["PJSIP/101", "101"]]',
    "devices.spb": '[["PJSIP/201", "201"]]',
}


async def as_it_was(url: str, step: str) -> None:
    """Make a database as that version left it in the middle of a call."""
    async with Database(url) as database, database.write() as connection:
        await connection.run_sync(migrations.upgrade, step)
        for name, value in KEPT.items():
            row = {"name": name, "value": value}
            await connection.execute(text("INSERT INTO settings (name, value) VALUES (:name, :value)"), row)
        await insert(database, connection.execute, "outbox", {
            "kind": "event", "pbx": "", "callid": REPORT.callid, "extension": "101", "part": 1, "stage": "rang",
            "client": REPORT.client, "at": REPORT.at, "payload": dump(REPORT), "state": "waiting", "next_at": 1.0,
            "created": 1.0,
        })  # fmt: skip
        await insert(
            database, connection.execute, "journal", {"pbx": "", "at": REPORT.at, "kind": "event", "raw": EVENT}
        )
        line = {"pbx": "", "uniqueid": "1700000000.1", "journal_id": 1, "live": True}
        await insert(database, connection.execute, "journal_channels", line)


async def insert(database: Database, execute: object, table: str, row: Mapping[str, object]) -> None:
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    await execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)  # type: ignore[operator]


@pytest.mark.parametrize("step", RELEASED)
async def test_what_an_earlier_version_kept_is_there_and_used(database_url: str, step: str) -> None:
    await as_it_was(database_url, step)
    async with await open_database(database_url) as database:
        (line,) = await Deliveries(database).listing()
        assert (line.report, line.state) == (REPORT, State.WAITING)
        async with database.write() as connection:
            assert len(await Outbox(database).claim(connection, 2.0, 5, opened=True)) == 1
            (event,) = await Journal(owner="new").live(connection, REPORT.at)
            await Journal(owner="new").write(connection, [], [event.channel.uniqueid])  # type: ignore[union-attr]
            assert await Journal(owner="new").live(connection, REPORT.at) == []
        for pbx, devices in (("", KEPT["devices."]), ("spb", KEPT["devices.spb"])):
            kept = await Settings(database, pbx).read(["planfix.url", "planfix.token", "devices"])
            assert kept == {"planfix.url": KEPT["planfix.url"], "planfix.token": "token", "devices": devices}


@pytest.mark.parametrize("step", ["", *RELEASED])
async def test_daemons_that_start_at_once_migrate_once(database_url: str, step: str) -> None:
    if step:
        await as_it_was(database_url, step)
    opened = await asyncio.gather(*(open_database(database_url) for _ in range(4)))
    for database in opened:
        await Settings(database).write({"a": "b"})
    assert await Settings(opened[0]).read(["a"]) == {"a": "b"}
    await asyncio.gather(*(database.close() for database in opened))
