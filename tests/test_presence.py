from collections.abc import AsyncIterator

import pytest

from ami_planfix import presence as presence_module
from ami_planfix.ami.connection import Status
from ami_planfix.errors import AmiError
from ami_planfix.presence import EVERY, Gap, Listening, Presence, between
from ami_planfix.storage.database import Database
from ami_planfix.storage.schema import open_database

NOW = 1_700_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Source:
    """A connection that is as a test says."""

    def __init__(self, clock: Clock) -> None:
        self.status = Status()
        self.asked = 0
        self._clock = clock

    def connect(self, *, synced: bool = True) -> None:
        now = self._clock.now
        self.status = self.status._replace(connected_since=now, heard_at=now, synced_at=now if synced else None)

    def hear(self) -> None:
        self.status = self.status._replace(heard_at=self._clock.now)

    def lose(self) -> None:
        self.status = self.status._replace(connected_since=None, lost_at=self.status.heard_at)

    async def act(self, action: str) -> object:
        self.asked += 1
        if self.status.connected_since is None:
            raise AmiError("gone")
        self.hear()
        return action


class Scene:
    """A daemon's presence, one look after another."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = Clock()
        self.source = Source(self.clock)
        self.presence = self.of("a")

    def of(self, owner: str, pbx: str = "") -> Presence:
        return Presence(self.database, pbx, owner, self.clock)

    async def look(self, later: float = 0.0) -> None:
        self.clock.now += later
        await self.presence._look(self.source)

    async def rows(self) -> list[Listening]:
        return list(await self.presence.everywhere())


@pytest.fixture
async def scene(database_url: str) -> AsyncIterator[Scene]:
    async with await open_database(database_url) as database:
        yield Scene(database)


async def test_a_connection_counts_from_its_first_snapshot_until_asterisk_was_last_heard(scene: Scene) -> None:
    scene.source.connect(synced=False)
    await scene.look()
    assert await scene.rows() == []
    scene.source.connect()
    await scene.look(1)
    scene.clock.now += 2
    scene.source.hear()
    scene.source.lose()
    await scene.look(3)
    assert await scene.rows() == [Listening("", "a", NOW, NOW + 3)]


async def test_the_row_is_moved_on_while_asterisk_is_heard(scene: Scene) -> None:
    scene.source.connect()
    await scene.look()
    scene.clock.now += EVERY
    scene.source.hear()
    await scene.look()
    assert await scene.rows() == [Listening("", "a", NOW, NOW + EVERY)]


async def test_a_quiet_asterisk_is_asked_and_a_dumb_one_is_not_heard(scene: Scene) -> None:
    scene.source.connect()
    await scene.look()
    await scene.look(EVERY)
    assert scene.source.asked == 1
    assert await scene.rows() == [Listening("", "a", NOW, NOW + EVERY)]


async def test_a_connection_lost_and_made_again_between_two_looks_leaves_its_gap(scene: Scene) -> None:
    scene.source.connect()
    await scene.look()
    scene.clock.now += 2
    scene.source.hear()
    scene.source.lose()
    scene.clock.now += 1
    scene.source.connect()
    await scene.look()
    await scene.look(4)
    assert await scene.presence.gaps(NOW) == (Gap(NOW + 2, NOW + 3),)


async def test_who_stops_in_order_leaves_the_moment_of_the_last_word(scene: Scene) -> None:
    scene.source.connect()
    await scene.look()
    scene.clock.now += 2
    scene.source.hear()
    scene.source.lose()
    scene.clock.now += 5
    await scene.presence.end(scene.source)
    assert await scene.rows() == [Listening("", "a", NOW, NOW + 2)]


async def test_others_are_those_of_this_pbx_that_were_heard_of_lately(scene: Scene) -> None:
    scene.source.connect()
    for presence in (scene.presence, scene.of("b"), scene.of("c", "branch")):
        await presence._look(scene.source)
    assert [one.owner for one in await scene.presence.others()] == ["b"]
    assert [(one.pbx, one.owner) for one in await scene.rows()] == [("", "a"), ("", "b"), ("branch", "c")]
    scene.clock.now += presence_module.ALIVE
    assert await scene.presence.others() == ()


async def test_the_next_connection_of_the_same_daemon_is_its_latest(scene: Scene) -> None:
    scene.source.connect()
    await scene.look()
    scene.source.lose()
    await scene.look(1)
    scene.source.connect()
    await scene.look()
    assert await scene.rows() == [Listening("", "a", NOW + 1, NOW + 1)]


async def test_old_rows_go_but_the_last_one_of_each_pbx_stays(scene: Scene) -> None:
    for pbx in ("", "branch"):
        for owner in ("a", "b"):
            scene.clock.now += 10
            scene.source.connect()
            await scene.of(owner, pbx)._look(scene.source)
    async with scene.database.write() as connection:
        assert await scene.presence.remove_old(connection, NOW + 1000, 1) == 1
        assert await scene.presence.remove_old(connection, NOW + 1000, 10) == 1
        assert await scene.presence.remove_old(connection, NOW + 1000, 10) == 0
    assert [(one.pbx, one.owner) for one in await scene.rows()] == [("", "b"), ("branch", "b")]


class TestGaps:
    def rows(self, *times: tuple[float, float]) -> list[Listening]:
        return [Listening("", "a", *each) for each in times]

    def test_nobody_ever_listened_so_that_nobody_is_missed(self) -> None:
        assert between([], 0, 100) == ()

    def test_what_was_before_the_first_row_is_none(self) -> None:
        assert between(self.rows((10, 100)), 0, 100) == ()

    def test_between_rows_and_after_the_last(self) -> None:
        assert between(self.rows((10, 20), (30, 40)), 0, 100) == (Gap(20, 30), Gap(40, 100))

    def test_daemons_side_by_side_leave_none(self) -> None:
        assert between(self.rows((10, 50), (20, 30), (45, 100)), 0, 100) == ()

    def test_nothing_before_the_limit(self) -> None:
        assert between(self.rows((10, 20), (60, 90)), 50, 100) == (Gap(50, 60), Gap(90, 100))

    def test_a_clock_that_was_ahead_makes_no_gap_in_the_future(self) -> None:
        assert between(self.rows((10, 20), (500, 510)), 0, 100) == (Gap(20, 100),)


class TestGapsOfThisDaemon:
    async def test_who_connects_ends_the_gap_and_the_other_who_listens_leaves_none(self, scene: Scene) -> None:
        scene.source.connect()
        await scene.look()
        scene.clock.now += 3
        assert await scene.presence.gaps(NOW) == ()
        assert await scene.presence.gaps(NOW, connecting=True) == (Gap(NOW, NOW + 3),)
        assert await scene.of("b").gaps(NOW, connecting=True) == ()

    async def test_the_end_of_a_listening_is_in_doubt_but_not_what_was_before_it(self, scene: Scene) -> None:
        scene.source.connect()
        await scene.look()
        await scene.look(EVERY)
        scene.clock.now += 100
        assert await scene.presence.gaps(0, 2.0) == (Gap(NOW + EVERY - 2, NOW + EVERY + 100),)
        assert await scene.presence.gaps(0, 60.0) == (Gap(NOW, NOW + EVERY + 100),)
