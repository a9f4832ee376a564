import pytest
from sqlalchemy import text

from ami_planfix import retention as retention_module
from ami_planfix.ami import capture
from ami_planfix.ami.decode import decode
from ami_planfix.calls.reports import Stage
from ami_planfix.deliveries import Deliveries
from ami_planfix.entries import Delivered
from ami_planfix.journal import Journal, Scribe
from ami_planfix.outbox import Outbox
from ami_planfix.presence import Presence
from ami_planfix.retention import DAY, Retention
from ami_planfix.storage.schema import open_database
from tests.calls.story import CAPTURES
from tests.making import report

NOW = 1_700_000_000.0


async def test_what_is_old_goes_and_what_waits_or_is_young_stays(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_module, "STEP", 2)
    monkeypatch.setattr(retention_module, "BREATH", 0.0)
    async with await open_database(database_url) as database:
        outbox = Outbox(database)
        async with database.write() as connection:
            await outbox.put(connection, [report(Stage.COMPLETED, callid=f"{n}.1") for n in range(7)], NOW)
            due = await outbox.claim(connection, NOW, 6, opened=True)
            await outbox.settle(connection, [Delivered(one.id, "200") for one in due[:5]], NOW - 31 * DAY)
            await outbox.settle(connection, [Delivered(due[5].id, "200")], NOW - 29 * DAY)
            scribe = Scribe()
            raws = list(capture.read(CAPTURES / "incoming/direct_client_hangs_up.ami"))[:7]
            heard = [(event, raw) for raw in raws if (event := decode(raw, NOW)) is not None]
            rows = [row for event, raw in heard if (row := scribe.event_row(event, raw)) is not None]
            await Journal().write(connection, rows, [])
            await connection.execute(text("UPDATE journal SET at = :at"), {"at": NOW - 15 * DAY})
            await connection.execute(text("UPDATE journal SET at = :at WHERE id = 1"), {"at": NOW - 13 * DAY})
        await Retention(database, outbox, Presence(database), 30, 14, lambda: NOW).clean()
        assert len(await Deliveries(database).listing()) == 2
        async with database.read() as connection:
            assert (await connection.execute(text("SELECT count(*) FROM journal"))).scalar() == 1
            channels = await connection.execute(text("SELECT DISTINCT journal_id FROM journal_channels"))
            assert channels.scalars().all() == [1]
