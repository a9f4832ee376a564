"""Who follows a PBX for longer: seen by all daemons on a server, also after it was gone, whoever comes back first."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from ami_planfix.calls.events import Newchannel, Uniqueid
from ami_planfix.calls.reports import CallId
from ami_planfix.errors import StorageError
from ami_planfix.following import KEPT, Following, Withheld, stand_back
from ami_planfix.storage.database import Database
from ami_planfix.storage.schema import open_database
from tests.calls.mirror import Mirror
from tests.conftest import NO_SYNC
from tests.load.home import SETTINGS
from tests.load.recorded import copy_of
from tests.making import report
from tests.postgresql import PostgreSql, a_postgresql

LIMIT = 20.0
PBX = "pbx"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSql]:
    with a_postgresql(*NO_SYNC) as found:
        yield found


@pytest.fixture
async def databases(server: PostgreSql) -> AsyncIterator[tuple[Database, Database]]:
    url = server.database()
    async with await open_database(url) as one, await open_database(url) as other:
        yield one, other


def test_the_journal_is_kept_of_what_is_withheld_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    withheld = Withheld()
    withheld.withhold([CallId("1.1")])
    ours, others = [Uniqueid("1.1"), Uniqueid("1.2")], [Uniqueid("1.3")]
    assert list(withheld.hold_on_to(others, map(CallId, others))) == others
    assert list(withheld.hold_on_to(ours, map(CallId, ours))) == []
    assert withheld.forget_old([]) == []
    later = time.monotonic() + KEPT
    monkeypatch.setattr("ami_planfix.following.time", SimpleNamespace(monotonic=lambda: later))
    assert withheld.forget_old([]) == ours
    assert withheld.gone == []


async def test_what_others_cannot_have_written_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    withheld, looks = Withheld(), iter([True, True, False, False])
    now = 0.0
    monkeypatch.setattr("ami_planfix.following.time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr("ami_planfix.following.LOOK_EVERY", 0.0)
    withheld.withhold([CallId("1.1")])
    withheld.sift([report(callid="1.1")])
    known: list[int] = []

    async def seniors() -> int:
        known.append(len(withheld.reports))
        return 1

    def is_stuck() -> bool:
        nonlocal now
        now += 0.8 * KEPT
        return next(looks)

    following: Any = SimpleNamespace(seniors=seniors)
    await stand_back(following, withheld, list, is_stuck, lambda _: None, lambda: pytest.fail("not alone"))
    assert known == [1, 1, 1, 1]
    assert withheld.reports == []


async def test_alone_with_a_file(tmp_path: object) -> None:
    async with await open_database(f"sqlite:///{tmp_path}/state.db") as database:
        alone = Following(database, PBX)
        await alone.begin(100.0)
        assert await alone.seniors() == 0
        await alone.end()


@pytest.mark.postgresql
class TestOnAServer:
    async def test_who_began_later_has_the_others_for_seniors(self, databases: tuple[Database, Database]) -> None:
        async with AsyncExitStack() as stack:
            found = []
            for since, database in ((1.8e9, databases[0]), (1.7e9, databases[1]), (1.7e9 + 0.01, databases[0])):
                found.append((await stack.enter_async_context(database.following(PBX, since)))[0])
            elsewhere = (await stack.enter_async_context(databases[0].following("another", 1.9e9)))[0]
            assert [tuple(await company()) for company in found] == [(2, 0), (0, 2), (1, 1)]
            assert tuple(await elsewhere()) == (0, 0)

    async def test_who_ends_is_seen_to_be_gone(self, databases: tuple[Database, Database]) -> None:
        senior, junior = (Following(database, PBX) for database in databases)
        await senior.begin(100.0)
        await junior.begin(200.0)
        assert await junior.seniors() == 1
        await senior.end()
        assert await junior.seniors() == 0
        with pytest.raises(StorageError):
            await senior.seniors()
        await junior.end()

    async def test_seniority_outlives_the_server(
        self, server: PostgreSql, databases: tuple[Database, Database]
    ) -> None:
        senior, junior = (Following(database, PBX) for database in databases)
        await senior.begin(100.0)
        await junior.begin(200.0)
        await asyncio.to_thread(server.stop, "immediate")
        with pytest.raises(StorageError):
            await junior.seniors()
        await asyncio.to_thread(server.start)
        assert [await when_known(one) for one in (junior, senior)] == [1, 0]
        await junior.end()
        await senior.end()


async def when_known(following: Following) -> int:
    async with asyncio.timeout(LIMIT):
        while True:
            try:
                return await following.seniors()
            except StorageError:
                await asyncio.sleep(0)


@pytest.mark.parametrize(
    "story", ["freepbx/freepbx_ivr-ast16", "attended_transfer/attended_refer", "outgoing/out_busy"]
)
def test_all_that_can_become_of_what_a_snapshot_shows_is_known_at_once(story: str) -> None:
    """A daemon leaves to its seniors also what is no call yet: a client in a menu."""
    copy = copy_of(story, 1, 1_800_000_000.0, 1.0)
    told = copy.events()
    for number in range(1, len(told)):
        tracker = copy.recorded.story.tracker(SETTINGS)
        tracker.resync(Mirror(told[:number]).snapshot())
        known = tracker.callids()
        reported = {report.callid for event in told[number:] for report in tracker.handle(event).reports}
        later = {event.channel.uniqueid for event in told[number:] if isinstance(event, Newchannel)}
        assert reported <= known | later, number
