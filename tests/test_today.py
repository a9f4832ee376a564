"""Today's calls, counted from the outbox: each once, by how it ended for the company, since midnight."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from ami_planfix import today as module
from ami_planfix.calls.reports import Outcome, Report, Stage
from ami_planfix.outbox import Outbox
from ami_planfix.storage.database import Database
from ami_planfix.storage.schema import open_database
from ami_planfix.today import Ended, Today
from tests.making import report

MIDNIGHT = datetime(2026, 11, 24).astimezone().timestamp()
HOUR = 3600.0


class Desk(NamedTuple):
    database: Database
    clock: list[float]
    today: Today

    async def ended(self, callid: str, *outcomes: Outcome, at: float = MIDNIGHT + 10 * HOUR, pbx: str = "") -> None:
        """Write down how the parts of a call ended, and that they rang before."""
        reports: list[Report] = []
        for number, outcome in enumerate(outcomes):
            extension = f"10{number}"
            reports.append(report(Stage.RANG, extension, callid, at))
            reports.append(report(Stage.COMPLETED, extension, callid, at, outcome))
        async with self.database.write() as connection:
            await Outbox(self.database, pbx).put(connection, reports, at)

    async def counted(self) -> dict[Ended, int]:
        return dict(await self.today.count())


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = [MIDNIGHT + 12 * HOUR]
    async with await open_database(f"sqlite:///{tmp_path}/state.db") as database:
        yield Desk(database, clock, Today(database, "", lambda: clock[0]))


async def test_a_call_counts_once_by_its_best_part(desk: Desk) -> None:
    await desk.ended("1.1", Outcome.CANCELED, Outcome.SUCCESS, Outcome.CANCELED)
    await desk.ended("2.2", Outcome.MISSED, Outcome.CANCELED)
    await desk.ended("3.3", Outcome.MISSED, Outcome.MISSED, at=MIDNIGHT + 11 * HOUR)
    assert await desk.counted() == {
        Ended(10, "in", Outcome.SUCCESS): 1,
        Ended(10, "in", Outcome.MISSED): 1,
        Ended(11, "in", Outcome.MISSED): 1,
    }


async def test_what_comes_later_is_counted_too(desk: Desk) -> None:
    await desk.ended("1.1", Outcome.MISSED)
    assert sum((await desk.counted()).values()) == 1
    await desk.ended("2.2", Outcome.MISSED)
    await desk.ended("1.1", Outcome.CANCELED, Outcome.SUCCESS)
    assert await desk.counted() == {Ended(10, "in", Outcome.SUCCESS): 1, Ended(10, "in", Outcome.MISSED): 1}


async def test_yesterday_and_other_pbxs_are_not_today(desk: Desk) -> None:
    for number in range(50):
        await desk.ended(f"y.{number}", Outcome.MISSED, at=MIDNIGHT - HOUR + number)
    await desk.ended("n.1", Outcome.MISSED, pbx="north")
    assert await desk.counted() == {}
    await desk.ended("1.1", Outcome.SUCCESS, at=MIDNIGHT)
    assert await desk.counted() == {Ended(0, "in", Outcome.SUCCESS): 1}


async def test_at_midnight_a_new_day_begins(desk: Desk) -> None:
    await desk.ended("1.1", Outcome.MISSED)
    assert await desk.counted()
    desk.clock[0] += 13 * HOUR
    assert await desk.counted() == {}
    tomorrow = (datetime.fromtimestamp(MIDNIGHT).astimezone() + timedelta(days=1)).timestamp()
    await desk.ended("2.2", Outcome.MISSED, at=tomorrow + 60)
    assert await desk.counted() == {Ended(0, "in", Outcome.MISSED): 1}


async def test_a_long_day_is_read_in_steps(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEP", 7)
    for number in range(30):
        await desk.ended(f"1.{number}", Outcome.MISSED)
    assert await desk.counted() == {Ended(10, "in", Outcome.MISSED): 30}
