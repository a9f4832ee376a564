import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import func, select, text

from ami_planfix import pipeline, writing
from ami_planfix.ami import capture
from ami_planfix.ami.decode import decode
from ami_planfix.ami.listening import Heard
from ami_planfix.calls.events import BridgeEnter, Event, Hangup, Linkedid, Snapshot, Uniqueid
from ami_planfix.calls.reports import CallId, Report
from ami_planfix.calls.tracker import Conclusion
from ami_planfix.deliveries import Deliveries
from ami_planfix.errors import StorageError
from ami_planfix.explain import timeline
from ami_planfix.following import Following
from ami_planfix.joining import Learned
from ami_planfix.journal import Journal, Scribe
from ami_planfix.outbox import Outbox
from ami_planfix.storage.database import Database
from ami_planfix.storage.schema import open_database
from ami_planfix.storage.tables import journal, journal_channels
from tests.calls.mirror import Mirror
from tests.calls.playing import lines, tracker_of
from tests.calls.story import CAPTURES
from tests.load.recorded import copy_of
from tests.making import pipeline_of

OWNER = "daemon"
NOW = 0.0
"""No row is too old."""


def heard(name: str) -> list[Heard]:
    """Read a capture as the connection tells it."""
    found = [Heard(event, raw) for raw in capture.read(CAPTURES / f"{name}.ami") if (event := decode(raw, 0.0))]
    assert found
    return found


def expected(batch: Iterable[Heard]) -> list[str]:
    """Tell what comes of events without a pipeline."""
    tracker = tracker_of()
    return lines([report for one in batch for report in tracker.handle(one.event).reports])


class Bench:
    """A pipeline on a real database; each `open` is a start of the daemon."""

    def __init__(self, url: str, owner: str = OWNER) -> None:
        self.url = url
        self.owner = owner
        self.troubles: list[str] = []
        self.times_written = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Bench"]:
        async with await open_database(self.url) as self.database:
            self.database.listen(self.troubles.append)
            self.outbox = Outbox(self.database, owner=self.owner)
            self.tracker = tracker_of()
            self.pipeline, self.writer = pipeline_of(self.database, self.outbox, self.tracker, self.note)
            await self.pipeline.restore()
            task = asyncio.create_task(self.pipeline.run())
            try:
                yield self
            finally:
                tasks = [one for one in (task, self.pipeline._standing_back) if one is not None]
                for one in tasks:
                    one.cancel()  # as hard as `kill -9` for what is not written yet
                await asyncio.gather(*tasks, return_exceptions=True)

    def note(self, _reports: Iterable[Report]) -> None:
        self.times_written += 1

    async def hear(self, batch: Sequence[Heard]) -> None:
        """Let the pipeline hear a batch and write it."""
        self.pipeline.heard(batch)
        await self.joined()
        await self.quiet()

    async def joined(self) -> None:
        """Wait until it is known what others heard."""
        async with asyncio.timeout(10):
            while self.pipeline._joining is not None:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)

    async def told(self) -> None:
        """Wait until reports are written, and nothing waits."""
        async with asyncio.timeout(10):
            while not (self.times_written and not self.writer.backlog):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)

    async def quiet(self) -> None:
        """Wait until all is written."""
        async with asyncio.timeout(10):
            await self.writer.all_written()

    async def reports(self) -> list[str]:
        """Tell what is in the outbox, oldest first."""
        return lines([line.report for line in (await Deliveries(self.database).listing())[::-1] if line.report])

    async def live(self) -> list[Event | Snapshot]:
        async with self.database.read() as connection:
            return await Journal(owner=OWNER).live(connection, NOW)

    async def timeline(self, callid: str) -> list[Event | Snapshot]:
        async with self.database.read() as connection:
            return await Journal().timeline(connection, callid)


@pytest.fixture
async def bench(database_url: str) -> AsyncIterator[Bench]:
    async with Bench(database_url).open() as bench:
        yield bench


@pytest.fixture
async def on_disk(tmp_path: Path) -> AsyncIterator[Bench]:
    """Give a bench on a file, which can be told that its disk is full."""
    async with Bench(f"sqlite:///{tmp_path}/state.db").open() as bench:
        yield bench


CALLS = [
    "ring_group/ring_all_second_answers",
    "attended_transfer/attended_ami",
    "attended_transfer/attended_refer",
    "queue/queue_local_optimized",
    "pickup/pickup_group",
    "parking/parked_and_returned",
    "outgoing/out_answered",
    "incoming/two_calls_crossing",
]


class TestWriting:
    @pytest.mark.parametrize("name", CALLS)
    async def test_what_the_tracker_concludes_is_in_the_outbox_and_nothing_stays_live(
        self, bench: Bench, name: str
    ) -> None:
        batch = heard(name)
        await bench.hear(batch)
        assert await bench.reports() == expected(batch)
        assert await bench.live() == []

    async def test_a_batch_is_one_transaction_and_what_comes_meanwhile_the_next(self, bench: Bench) -> None:
        batch = heard(CALLS[0])
        for one in batch:
            bench.pipeline.heard([one])
        await bench.quiet()
        assert bench.times_written == 1

    async def test_nothing_is_written_for_what_says_nothing(self, bench: Bench) -> None:
        await bench.hear(heard("internal/internal_answered"))
        assert bench.times_written == 0
        assert await bench.reports() == []

    async def test_an_event_that_the_tracker_fails_on_costs_no_other_event(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        batch = heard(CALLS[0])
        real, poison = bench.tracker.handle, batch[5].event

        def handle(event: Event) -> Conclusion:
            if event is poison:
                raise ZeroDivisionError
            return real(event)

        monkeypatch.setattr(bench.tracker, "handle", handle)
        with structlog.testing.capture_logs() as logs:
            await bench.hear(batch)
        assert [line["event"] for line in logs] == ["event not understood"]
        assert "COMPLETED 102 Success 1 s" in await bench.reports()


class TestRestart:
    """A new start follows calls as if there had been none."""

    @pytest.mark.parametrize("name", CALLS)
    async def test_killed_at_every_event(self, database_url: str, name: str) -> None:
        batch = heard(name)
        bench = Bench(database_url)
        for one in batch:
            async with bench.open():
                await bench.hear([one])
        async with bench.open():
            assert await bench.reports() == expected(batch)
            assert await bench.live() == []

    async def test_what_was_heard_and_not_written_when_it_was_killed_comes_with_the_snapshot(
        self, database_url: str
    ) -> None:
        batch = heard(CALLS[0])
        talking = next(index for index, one in enumerate(batch) if type(one.event).__name__ == "BridgeEnter") + 3
        bench = Bench(database_url)
        async with bench.open():
            await bench.hear(batch[:talking])
        async with bench.open():
            bench.pipeline.resync(Snapshot(batch[-1].event.at, ()))
            await bench.quiet()
            reports = await bench.reports()
            assert [one.split()[0] for one in reports].count("COMPLETED") == 3
            assert sum("Success" in one for one in reports) == 1
            assert await bench.live() == []

    async def test_a_talk_that_ended_unheard_is_no_longer_for_what_another_call_says_before_the_snapshot(
        self, bench: Bench
    ) -> None:
        batch, another = heard(CALLS[0]), heard("incoming/direct_busy")[:3]
        talking = next(index for index, one in enumerate(batch) if type(one.event).__name__ == "BridgeEnter") + 3
        await bench.hear(batch[:talking])
        deaf_since = batch[talking - 1].event.at
        later = [one._replace(event=replace(one.event, at=deaf_since + 600 + one.event.at % 1)) for one in another]
        bench.pipeline.connected(time.time())
        bench.pipeline.heard(later)
        bench.pipeline.resync(Mirror(one.event for one in later).snapshot())
        async with asyncio.timeout(10):
            while bench.pipeline._joining is not None:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
        await bench.quiet()
        assert (await bench.reports())[-1] == "COMPLETED 102 Success 1 s"
        assert [one.heard_until for one in await bench.live() if isinstance(one, Snapshot)] == [deaf_since]

    @pytest.mark.parametrize("name", CALLS)
    async def test_a_snapshot_between_two_events_is_replayed_in_its_place(self, database_url: str, name: str) -> None:
        batch = heard(name)
        half = len(batch) // 2
        bench = Bench(database_url)
        tracker = tracker_of()
        snapshot = Mirror([one.event for one in batch[:half]]).snapshot()
        wanted: list[Report] = []
        for one in batch[:half]:
            wanted += tracker.handle(one.event).reports
        wanted += tracker.resync(snapshot).reports
        for one in batch[half:]:
            wanted += tracker.handle(one.event).reports
        async with bench.open():
            await bench.hear(batch[:half])
            bench.pipeline.resync(snapshot)
            await bench.quiet()
        async with bench.open():
            await bench.hear(batch[half:])
            assert await bench.reports() == lines(wanted)
            assert await bench.live() == []


class TestExplain:
    @pytest.mark.parametrize("name", CALLS)
    async def test_a_calls_timeline_tells_again_what_was_reported_of_it(self, bench: Bench, name: str) -> None:
        batch = heard(name)
        other = [Heard(event, raw) for event, raw in heard("forward/forward_to_mobile")]
        await bench.hear(batch)
        await bench.hear(other)
        tracker = tracker_of()
        reports = [report for one in batch for report in tracker.handle(one.event).reports]
        for callid in {report.callid for report in reports}:
            told = [
                report
                for moment in timeline(await bench.timeline(callid), tracker_of())
                for report in moment.reports
                if report.callid == callid
            ]
            assert told == [report for report in reports if report.callid == callid]

    @pytest.mark.parametrize("later", [[], heard("incoming/direct_busy")], ids=["", "and another call"])
    async def test_a_call_that_ended_unheard_has_its_end_too(self, bench: Bench, later: list[Heard]) -> None:
        batch = heard(CALLS[0])[:-5]
        await bench.hear(batch)
        if later:  # the snapshot names somebody else
            shift = batch[-1].event.at + 60 - later[0].event.at
            later = [Heard(replace(one.event, at=one.event.at + shift), one.raw) for one in later]
            await bench.hear(later[:1])
        bench.pipeline.resync(Mirror(one.event for one in later[:1]).snapshot()._replace(at=batch[-1].event.at + 90))
        await bench.quiet()
        told = await bench.reports()
        moments = timeline(await bench.timeline(batch[0].event.channel.uniqueid), tracker_of())  # type: ignore[union-attr]
        assert lines([report for moment in moments for report in moment.reports]) == told

    async def test_an_unknown_call_has_none(self, bench: Bench) -> None:
        await bench.hear(heard(CALLS[0]))
        assert await bench.timeline("7.7") == []

    async def test_a_call_is_found_by_a_number_however_it_was_written(self, bench: Bench) -> None:
        batch = heard("incoming/national_caller_number")
        await bench.hear(batch)
        first = batch[0].event
        async with bench.database.read() as connection:
            (found,) = await Journal().find(connection, "+7 910 123-45-67", since=first.at)
            assert found.at == first.at
            assert await Journal().find(connection, "+7 910 123-45-67", since=first.at + 100) == []
            assert await Journal().find(connection, "0007654321", since=0) == []
            assert await Journal().find(connection, "123", since=0) == []
        assert (await bench.reports()) == expected(batch)
        assert await bench.timeline(found.callid)


class TestFailingDatabase:
    async def full(self, on_disk: Bench, pages: int) -> None:
        async with on_disk.database.write() as connection:
            await connection.execute(text(f"PRAGMA max_page_count = {pages}"))

    async def test_nothing_is_lost_while_the_disk_is_full(
        self, on_disk: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(writing, "FIRST_PAUSE", 0.01)
        batch = heard(CALLS[0])
        await self.full(on_disk, 1)
        for one in batch:
            on_disk.pipeline.heard([one])
        await self.said(on_disk, "the disk is full; make room")
        assert on_disk.writer.backlog > 10
        await self.full(on_disk, 1_000_000)
        await on_disk.quiet()
        assert await on_disk.reports() == expected(batch)
        assert len(on_disk.troubles) == 2
        assert on_disk.troubles[-1] == ""

    async def said(self, on_disk: Bench, words: str) -> None:
        async with asyncio.timeout(10):
            while not on_disk.troubles or words not in on_disk.troubles[-1]:  # noqa: ASYNC110 - see `quiet`
                await asyncio.sleep(0.001)

    async def test_memory_is_bounded_messages_first_and_then_asterisk_waits(
        self, on_disk: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(writing, "FIRST_PAUSE", 0.01)
        monkeypatch.setattr(writing, "MOST_ROWS", 10)
        monkeypatch.setattr(writing, "MOST_WAITING", 20)
        monkeypatch.setattr(writing, "ENOUGH_ROOM", 3)
        source = Source()
        on_disk.writer.attach(source)
        await self.full(on_disk, 1)
        batch = [one for name in CALLS for one in heard(name)]
        on_disk.pipeline.heard(batch[:15])
        await self.said(on_disk, "the disk is full; make room")
        on_disk.pipeline.heard(batch[15:])
        assert source.said == ["pause"]
        await self.full(on_disk, 1_000_000)
        await on_disk.quiet()
        assert source.said == ["pause", "resume"]
        assert sorted(await on_disk.reports()) == sorted(expected(batch))

    async def test_stopping_waits_for_the_disk_and_not_for_ever(
        self, on_disk: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        batch = heard(CALLS[0])
        await self.full(on_disk, 1)
        on_disk.pipeline.heard(batch)
        with structlog.testing.capture_logs() as logs:
            await on_disk.pipeline.stop(0.05)
        assert not on_disk.writer.alive
        (line,) = [line for line in logs if line["event"] == "heard and not written"]
        assert line["reports"] == len(expected(batch))


@pytest.mark.parametrize("fault", [StorageError("away"), TimeoutError()], ids=["away", "too slow"])
async def test_of_what_others_may_know_more_nothing_is_said_until_they_can_be_asked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    batch = heard(CALLS[0])
    asked: asyncio.Queue[float] = asyncio.Queue()
    may_answer = asyncio.Event()

    async def learn(_: Database, _journal: Journal, since: float, _held: object) -> None:
        asked.put_nowait(since)
        if not may_answer.is_set():
            raise fault

    monkeypatch.setattr(pipeline, "learn", learn)
    bench.pipeline.connected(time.time())
    bench.pipeline.heard(batch)
    since = [await asked.get() for _ in range(3)]  # it asks once more only after what it held was let go
    assert since[1:] == [0.0, 0.0], "what we have heard ourselves meanwhile says nothing of what others heard before"
    assert await bench.reports() == []
    may_answer.set()
    await bench.told()
    assert await bench.reports() == expected(batch)


async def test_what_others_may_know_more_of_is_told_if_the_database_is_always_too_slow(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = heard(CALLS[0])
    asked = 0

    async def learn(*_: object) -> None:
        nonlocal asked
        asked += 1
        raise TimeoutError

    monkeypatch.setattr(pipeline, "learn", learn)
    monkeypatch.setattr("ami_planfix.following.LOOK_EVERY", 0.001)
    bench.pipeline.connected(time.time())
    await bench.hear(batch)
    await bench.told()
    assert await bench.reports() == expected(batch)
    assert asked == 1 + pipeline.MOST_IN_VAIN


async def test_who_has_listened_for_longer_tells_also_if_it_was_slower_to_say_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[str] = []

    async def seniors() -> int:
        return len(known)

    async def learn(*_: object) -> None:
        known.append("a senior")

    monkeypatch.setattr(bench.pipeline._following, "seniors", seniors)
    monkeypatch.setattr(pipeline, "learn", learn)
    bench.pipeline.connected(time.time())
    await bench.hear(heard(CALLS[0]))
    assert await bench.reports() == []


@pytest.mark.parametrize(
    ("story", "cut"),
    [
        ("freepbx/freepbx_follow_me_confirmed", 28),
        ("freepbx/freepbx_call_forward", 16),
        ("forward/forward_to_mobile", 18),
        ("incoming/direct_busy", 5),
    ],
)
async def test_who_takes_over_tells_what_it_has_learned_and_not_what_it_thought_before(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, story: str, cut: int
) -> None:
    """It came in the middle, and thought what it could; then it learns all."""
    batch = heard(story)
    known = ["a senior"]

    async def seniors() -> int:
        return len(known)

    async def learn(*_: object) -> Learned | None:
        return None if known else Learned([one.event for one in batch], [], frozenset(), 0.0)

    monkeypatch.setattr(bench.pipeline._following, "seniors", seniors)
    monkeypatch.setattr(pipeline, "learn", learn)
    bench.pipeline.connected(time.time())
    bench.pipeline.resync(Mirror(one.event for one in batch[:cut]).snapshot())
    await bench.joined()
    bench.pipeline.heard(batch[cut:])
    known.clear()
    await bench.pipeline.stop()
    assert await bench.reports() == expected(batch)


async def test_what_reaches_us_later_than_it_was_learned_is_not_heard_twice(bench: Bench) -> None:
    """Others wrote it while our connection was late, more than the few messages on which we may overlap."""
    begin = time.time() - 20.0
    copies = [copy_of("ring_group/ring_all_second_answers", tag, begin, 1.0) for tag in range(40)]
    told = sorted(one for copy in copies for one in copy)
    batch = [Heard(event, raw) for at, raw in told if (event := decode(raw, at))]
    cut = next(number for number, one in enumerate(batch) if isinstance(one.event, Hangup))
    outbox = Outbox(bench.database, owner="other")
    other, writer = pipeline_of(bench.database, outbox, tracker_of(), lambda _: None)
    other.heard(batch[:cut])
    await writer.write()
    bench.pipeline.connected(time.time())
    await bench.joined()
    await bench.hear(batch[: cut - 1])
    mine = select(func.count()).select_from(journal).where(journal.c.owner == OWNER)
    async with bench.database.read() as connection:
        assert (await connection.execute(mine)).scalar_one() == 0
    await bench.hear(batch[cut - 1 :])
    reports = await bench.writer.told(CallId(callid) for copy in copies for callid in copy.ids)
    assert sorted(lines(reports)) == sorted(expected(batch))


@pytest.mark.parametrize("is_late", [False, True], ids=["in time", "late"])
@pytest.mark.parametrize("story", ["blind_transfer/blind_refer_answered", "attended_transfer/attended_refer"])
async def test_two_who_join_at_once_tell_what_either_has_heard(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, story: str, *, is_late: bool
) -> None:
    """One sees what exists before a call is transferred; the other, who is to tell, only after that."""

    async def two(_: Following) -> bool:
        return False

    async def one_senior() -> int:
        return 1

    batch = heard(story)
    cut = next(place for place, one in enumerate(batch) if isinstance(one.event, BridgeEnter)) + 3
    early, late = Mirror(one.event for one in batch[:cut]), Mirror(one.event for one in batch[:-4])
    monkeypatch.setattr(Database, "is_shared", property(lambda _: True))
    monkeypatch.setattr(Following, "is_alone", two)
    monkeypatch.setattr("ami_planfix.journal.OTHERS_LIVE", time.time())  # the calls are of long ago
    junior, _ = pipeline_of(bench.database, Outbox(bench.database, owner="other"), tracker_of(), lambda _: None)
    monkeypatch.setattr(junior._following, "seniors", one_senior)
    running = asyncio.create_task(junior.run())
    bench.pipeline.connected(time.time())
    junior.connected(time.time())
    junior.heard(batch[cut - 1 : cut])
    junior.resync(early.snapshot())
    bench.pipeline.heard(batch[cut - 2 : cut])
    if is_late:
        junior.heard(batch[cut : cut + 2])
        await bench.joined()
        junior.heard(batch[cut + 2 : -4])
    else:
        junior.heard(batch[cut:-4])
    bench.pipeline.heard(batch[cut:-4])
    bench.pipeline.resync(late.snapshot())
    for each in (junior, bench.pipeline):
        each.heard(batch[-4:])
    await bench.joined()
    await bench.quiet()
    told = await bench.reports()
    alone = tracker_of()
    reports: list[Report] = []
    for one in batch[cut - 2 : cut]:
        reports += alone.handle(one.event).reports
    reports += alone.resync(early.snapshot()).reports
    for one in batch[cut:]:
        reports += alone.handle(one.event).reports
    assert told == lines(reports)
    ours = select(journal.c.id).join(journal_channels).where(journal_channels.c.live, journal.c.owner == OWNER)
    async with bench.database.read() as connection:
        assert (await connection.execute(ours)).all() == []
    await junior.stop()
    await running


async def test_who_has_not_written_all_that_it_heard_is_still_seen_to_follow(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    unwritten: asyncio.Queue[int] = asyncio.Queue()

    async def end() -> None:
        unwritten.put_nowait(bench.writer.backlog)

    monkeypatch.setattr(bench.pipeline._following, "end", end)
    bench.pipeline.heard(heard(CALLS[0])[:5])
    bench.pipeline.lost(time.time())
    assert bench.writer.backlog
    assert await unwritten.get() == 0


@pytest.mark.postgresql
async def test_what_another_cannot_write_yet_is_waited_for_though_it_has_lost_asterisk(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = heard(CALLS[0])
    rings, talks = 12, next(place for place, one in enumerate(batch) if isinstance(one.event, BridgeEnter)) + 2
    nobody = Snapshot(batch[0].event.at - 1, ())
    may_write = asyncio.Event()
    monkeypatch.setattr("ami_planfix.journal.OTHERS_LIVE", time.time())  # the calls are of long ago
    async with Bench(postgresql_url).open() as ours, Bench(postgresql_url, "another").open() as others:
        write = others.writer.journal.write

        async def written(*what: Any) -> None:
            await may_write.wait()
            await write(*what)

        for each in (others, ours):
            each.pipeline.connected(time.time())
            each.pipeline.resync(nobody)
            await each.joined()
            await each.hear(batch[:rings])
        ours.pipeline.lost(time.time())
        monkeypatch.setattr(others.writer.journal, "write", written)
        others.pipeline.heard(batch[rings:talks])
        others.pipeline.lost(time.time())
        ours.pipeline.connected(time.time())
        ours.pipeline.resync(nobody._replace(at=batch[-1].event.at + 1))
        await ours.joined()
        await ours.quiet()
        known = expected(batch[:rings])
        assert await ours.reports() == known
        may_write.set()
        await others.quiet()
        assert ours.pipeline._standing_back is not None
        await ours.pipeline._standing_back
        await ours.quiet()
        *_, end = await ours.reports()
        assert end == "COMPLETED 102 Success"


async def test_a_snapshot_counts_for_those_whom_it_does_not_name_also_when_all_others_are_over(bench: Bench) -> None:
    batch = heard(CALLS[0])[:5]
    await bench.hear(batch)
    named = Mirror([batch[0].event]).snapshot()._replace(at=batch[-1].event.at + 1)
    (one,) = named.channels
    another = one._replace(channel=one.channel._replace(uniqueid=Uniqueid("9.9"), linkedid=Linkedid("9.9")))
    row = Scribe().resync_row(named._replace(channels=(another,)))
    async with bench.database.write() as connection:
        await Journal(owner="another").write(connection, [row], [another.channel.uniqueid])
    *before, last = await bench.live()
    assert len(before) == len(batch)
    assert isinstance(last, Snapshot)
    assert last.channels == ()


async def test_who_takes_over_ends_a_call_of_which_others_ended_but_a_part(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call was transferred, and its end was heard by nobody: only a snapshot tells that it is over."""
    batch, another = heard("attended_transfer/attended_refer"), heard("incoming/direct_busy")[:5]
    known = ["a senior"]

    async def seniors() -> int:
        return len(known)

    async def learn(*_: object) -> Learned | None:
        return None if known else Learned([one.event for one in another], [], frozenset(), 0.0)

    await bench.hear(batch[:-6])
    told = await bench.reports()
    assert any(line.startswith("COMPLETED") for line in told)
    monkeypatch.setattr(bench.pipeline._following, "seniors", seniors)
    monkeypatch.setattr(pipeline, "learn", learn)
    bench.pipeline.connected(time.time())
    await bench.joined()
    bench.pipeline.resync(Snapshot(batch[-1].event.at, ()))
    assert await bench.reports() == told
    known.clear()
    await bench.pipeline.stop()
    told = [line.split(" Success")[0] for line in await bench.reports()]  # how long they talked nobody can know
    assert told == [line.split(" Success")[0] for line in expected(batch)]


async def test_who_ends_tells_before_what_nobody_else_will(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = heard(CALLS[0])

    async def seniors() -> int:
        return len(known)

    known = ["a senior"]
    monkeypatch.setattr(bench.pipeline._following, "seniors", seniors)
    bench.pipeline.connected(time.time())
    bench.pipeline.heard(batch)
    async with asyncio.timeout(10):
        while not bench.pipeline._withheld.reports:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    assert await bench.reports() == []
    known.clear()  # it dies, and we end before we look again
    await bench.pipeline.stop()
    assert await bench.reports() == expected(batch)


async def test_a_connection_that_is_lost_while_we_join_leaves_the_next_one_to_join_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = heard(CALLS[0])
    asked, forever = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def following(*_: object) -> AsyncIterator[object]:
        if not asked.is_set():
            asked.set()
            await forever.wait()
        async with real("", 0.0) as found:
            yield found

    real = bench.database.following
    monkeypatch.setattr(bench.database, "following", following)
    await bench.hear(batch[: len(batch) // 2])
    bench.pipeline.connected(time.time())
    await asked.wait()
    bench.pipeline.lost(batch[0].event.at)
    bench.pipeline.connected(time.time())
    bench.pipeline.heard(batch[len(batch) // 2 :])
    await bench.joined()
    await bench.quiet()
    assert await bench.reports() == expected(batch)


@pytest.mark.parametrize("answers", [True, False])
async def test_who_is_told_to_end_while_it_joins_says_nothing_of_what_others_know_better(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, *, answers: bool
) -> None:
    batch = heard(CALLS[0])
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def seniors() -> int:
        return 1

    async def learn(*_: object) -> None:
        asked.set()
        await may_answer.wait()

    await bench.hear(batch[: len(batch) // 2])
    told = await bench.reports()
    monkeypatch.setattr(bench.pipeline._following, "seniors", seniors)
    monkeypatch.setattr(pipeline, "learn", learn)
    monkeypatch.setattr(pipeline, "JOIN_WITHIN", 10.0 if answers else 0.1)
    bench.pipeline.connected(time.time())
    bench.pipeline.resync(Snapshot(batch[-1].event.at, ()))
    await asked.wait()
    stopping = asyncio.create_task(bench.pipeline.stop())
    if answers:
        may_answer.set()
    await stopping
    assert await bench.reports() == told


@pytest.fixture
def seniors_there(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the seniors of whoever starts on a database that others use too; one to begin with."""
    known = ["a senior"]

    async def seniors(_: Following) -> int:
        return len(known)

    monkeypatch.setattr(Following, "seniors", seniors)
    monkeypatch.setattr(Database, "is_shared", property(lambda _: True))
    return known


async def test_what_was_left_to_others_is_left_to_them_after_a_restart_too(
    database_url: str, seniors_there: list[str]
) -> None:
    """The journal has what was heard of a call that was known in part: its replay knows it no better."""
    batch = heard(CALLS[0])
    half = len(batch) // 2
    async with Bench(database_url).open() as bench:
        bench.pipeline.connected(time.time())
        await bench.hear(batch[:half])
        assert await bench.live()
    async with Bench(database_url).open() as bench:
        await bench.quiet()
        assert await bench.reports() == []
        bench.pipeline.connected(time.time())
        await bench.hear(batch[half:])
        assert await bench.reports() == []
        seniors_there.clear()
        await bench.pipeline.stop()
        assert await bench.reports() == expected(batch)


@pytest.mark.parametrize("restart", [False, True], ids=["", "restarted"])
@pytest.mark.parametrize("name", [*CALLS[:-1], "conference/conference_after_conversation"])
async def test_the_journal_keeps_all_that_what_was_left_to_others_comes_from(
    database_url: str, seniors_there: list[str], name: str, *, restart: bool
) -> None:
    """Also of channels that have a call of their own, or none, and met the client."""
    batch = heard(name)
    half = next(place for place, one in enumerate(batch) if isinstance(one.event, BridgeEnter))
    async with Bench(database_url).open() as bench:
        bench.pipeline.connected(time.time())
        await bench.hear(batch[:half])
        bench.pipeline.resync(Mirror(one.event for one in batch[:half]).snapshot())
        await bench.hear(batch[half:])
        assert await bench.reports() == []
        live = await bench.live()
    if restart:
        async with Bench(database_url).open() as bench:
            await bench.quiet()
            live = await bench.live()
    tracker = tracker_of()
    told: list[Report] = []
    for one in live:
        told += (tracker.resync(one) if isinstance(one, Snapshot) else tracker.handle(one)).reports
    assert lines(told) == expected(batch)
    assert seniors_there


@pytest.mark.parametrize("unheard", [1, 0], ids=["going on", "over"])
async def test_what_nobody_told_before_restarts_is_told_if_nobody_else_is_there(
    database_url: str, seniors_there: list[str], unheard: int
) -> None:
    batch = heard(CALLS[0])
    before = len(batch) - unheard
    async with Bench(database_url).open() as bench:
        bench.pipeline.connected(time.time())
        await bench.hear(batch[:before])
    async with Bench(database_url).open() as bench:
        await bench.quiet()
        assert await bench.reports() == []
    seniors_there.clear()
    async with Bench(database_url).open() as bench:
        bench.pipeline.connected(time.time())
        bench.pipeline.heard(batch[before:])
        await bench.told()
        assert await bench.reports() == expected(batch)
        assert await bench.live() == []


async def test_stopping_writes_what_was_heard(bench: Bench) -> None:
    batch = heard(CALLS[0])
    bench.pipeline.heard(batch)
    await bench.pipeline.stop()
    assert await bench.reports() == expected(batch)


async def test_asterisk_waits_while_too_much_waits_to_be_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MOST_WAITING", 20)
    monkeypatch.setattr(writing, "ENOUGH_ROOM", 3)
    source = Source()
    bench.writer.attach(source)
    bench.pipeline.heard(heard(CALLS[0]))
    assert source.said == ["pause"]
    await bench.quiet()
    assert source.said == ["pause", "resume"]


def lives(bench: Bench) -> bool:
    return bench.writer.alive


async def test_a_write_that_neither_ends_nor_fails_is_no_life(bench: Bench) -> None:
    async with bench.database.write():
        bench.pipeline.heard(heard(CALLS[0]))
        assert lives(bench)
        bench.database.patience = 0.0
        async with asyncio.timeout(10):
            while lives(bench):  # noqa: ASYNC110 - see `quiet`
                await asyncio.sleep(0.001)
    await bench.quiet()
    assert lives(bench)


class Source:
    """A connection that can be paused."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def pause(self) -> None:
        self.said.append("pause")

    def resume(self) -> None:
        self.said.append("resume")


async def test_timelines_are_removed_in_small_steps(bench: Bench) -> None:
    batch = heard(CALLS[0])
    await bench.hear(batch)
    removed: list[int] = []
    while not removed or removed[-1]:
        async with bench.database.write() as connection:
            removed.append(await Journal().remove_old(connection, batch[-1].event.at + 1, 10))
    assert removed[0] == 10
    async with bench.database.read() as connection:
        left = await connection.execute(select(func.count()).select_from(journal_channels))
        assert left.scalar() == 0
    assert await bench.timeline(expected(batch)[0]) == []


async def test_two_pbxs_in_one_database_do_not_hear_each_other(bench: Bench) -> None:
    await bench.hear(heard(CALLS[0])[:20])
    assert await bench.live()
    async with bench.database.read() as connection:
        assert await Journal("spb", OWNER).live(connection, NOW) == []
