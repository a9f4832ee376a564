"""Gaps are filled from records: once, with what is missing, and live calls are left alone."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from ami_planfix.ami.connection import Status
from ami_planfix.ami.wire import Message
from ami_planfix.backfill import filling
from ami_planfix.backfill.filling import Backfill, Kept, Live
from ami_planfix.backfill.reading import Found
from ami_planfix.backfill.records import Cdr, Cel, cdr_of, cel_of
from ami_planfix.backfill.times import WallClock
from ami_planfix.calls.reports import CallId, Outcome, Report, Stage
from ami_planfix.calls.tracker import Tracker
from ami_planfix.config.model import Config
from ami_planfix.deliveries import Deliveries
from ami_planfix.entries import State
from ami_planfix.errors import BackfillError
from ami_planfix.journal import Journal, Kind, Row
from ami_planfix.numbering import Numbering
from ami_planfix.outbox import Outbox
from ami_planfix.presence import Presence
from ami_planfix.status import Board
from ami_planfix.status import State as PartState
from ami_planfix.storage.database import Database
from ami_planfix.storage.schema import open_database
from tests.backfill.making import NOW, cdr_row, cel_rows
from tests.making import report

GAP = 600.0
"""Seconds for which nobody listened before NOW."""
CLOCK = WallClock("UTC").read


class Records:
    """What Asterisk wrote."""

    def __init__(self) -> None:
        self.cels: list[Cel] = []
        self.cdrs: list[Cdr] = []
        self.fault: Exception | None = None
        self.asked: list[tuple[float, float]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def read(self, since: float, until: float) -> Found:
        self.asked.append((since, until))
        await self.may_answer.wait()
        if self.fault is not None:
            raise self.fault
        return Found([one for one in self.cels if since <= one.at <= until], list(self.cdrs), Counter())


class Asterisk:
    """The channels that exist."""

    def __init__(self) -> None:
        self.channels: list[str] = []

    async def collect(self, action: str) -> list[Message]:
        assert action == "CoreShowChannels"
        return [Message((("Uniqueid", one), ("Linkedid", one))) for one in self.channels]


class Source:
    status = Status(connected_since=NOW - 3600, synced_at=NOW - 3600, heard_at=NOW - GAP)

    async def act(self, action: str) -> object:
        return action


class Scene:
    """A daemon that listened until GAP seconds ago, and connects now."""

    def __init__(self, database: Database) -> None:
        self.now = NOW
        self.records, self.asterisk = Records(), Asterisk()
        self.live: set[CallId] = set()
        self.settled: list[CallId] = []
        self.board = Board()
        self.database = database
        self.outbox = Outbox(database)
        config = Config.model_validate({"numbering": {"extensions": r"1\d\d", "default_extension": "100"}})
        directory = Numbering(config)
        live = Live(
            lambda: frozenset(self.live), self.settled.extend, lambda: Tracker(directory), self._note, lambda _: None
        )
        self.presence = Presence(database, clock=lambda: self.now)
        kept = Kept(database, self.outbox, self.presence)
        self.backfill = Backfill(self.records, kept, live, self.board, 24, lambda: self.now)

    async def _note(self, connection: AsyncConnection, reports: Iterable[Report]) -> None:
        self.noted = [one for one in reports if one.recorded]

    async def listen(self) -> None:
        await self.presence._look(Source())

    async def connect(self) -> None:
        """Connect, and wait for the first look at the records."""
        await self.backfill.greet(self.asterisk)
        await self.backfill._looked.wait()

    async def told(self) -> list[tuple[str, str, str]]:
        lines = await Deliveries(self.database).listing()
        found = [(line.report, line.state) for line in reversed(lines) if line.report is not None]
        return [(f"{one.extension} {one.stage}", str(one.outcome or ""), state) for one, state in found]

    async def hear(self, *reports: Report) -> None:
        async with self.database.write() as connection:
            await self.outbox.put(connection, reports, NOW - GAP)

    async def journal(self, uniqueid: str, *, over: bool) -> None:
        about = frozenset({uniqueid})
        async with self.database.write() as connection:
            row = Row(NOW, Kind.EVENT, b"", about, frozenset())  # type: ignore[arg-type]
            await Journal().write(connection, [row], list(about) if over else [])  # type: ignore[arg-type]


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(filling, "LATER", ())
    async with await open_database(f"sqlite:///{tmp_path}/state.db") as database:
        found = Scene(database)
        await found.listen()
        yield found
        await found.backfill.stop()


def missed(at: float, number: int = 1) -> list[Cdr]:
    return [cdr_of(cdr_row(number, start=at), CLOCK)]


def events(at: float, number: int = 1, *, ends: bool = True) -> list[Cel]:
    return [cel_of(row, CLOCK) for row in cel_rows(number, at, ends=ends)]


MISSED = [("101 rang", "", State.STALE), ("101 completed", "missed", State.WAITING)]


async def test_a_call_of_the_gap_is_history_and_no_popup(scene: Scene) -> None:
    scene.records.cdrs = missed(NOW - 300)
    await scene.connect()
    assert await scene.told() == MISSED
    assert [one.detail for one in scene.board.parts()] == ["1 calls of the last gap looked at"]


async def test_nothing_is_read_twice_once_a_gap_is_filled(scene: Scene) -> None:
    scene.records.cdrs = missed(NOW - 300)
    await scene.connect()
    assert scene.backfill._task is not None
    await scene.backfill._task
    scene.records.asked.clear()
    scene.now += 1
    await scene.connect()
    assert scene.records.asked[0][0] >= NOW - filling.LOOKBACK - filling.MARGIN
    assert await scene.told() == MISSED


async def test_calls_before_the_gap_and_after_the_connect_are_left_to_live_tracking(scene: Scene) -> None:
    scene.records.cdrs = [*missed(NOW - GAP - 300, 1), *missed(NOW + 2, 2)]
    await scene.connect()
    assert await scene.told() == []


async def test_a_call_that_goes_on_is_left_alone(scene: Scene) -> None:
    scene.records.cels = events(NOW - 300, ends=False)
    scene.asterisk.channels = [scene.records.cels[0].uniqueid]
    await scene.connect()
    assert await scene.told() == []


async def test_a_call_whose_end_nobody_wrote_has_ended_if_asterisk_knows_nothing_of_it(scene: Scene) -> None:
    scene.records.cels = events(NOW - 300, ends=False)
    await scene.connect()
    assert await scene.told() == MISSED


async def test_a_call_that_was_begun_live_is_ended_and_the_snapshot_adds_nothing(scene: Scene) -> None:
    scene.records.cels = events(NOW - GAP - 20, 1) + events(NOW - 300, 5)
    first = scene.records.cels[0].uniqueid
    long = [one._replace(at=one.at + 60) if one.kind in ("HANGUP", "CHAN_END") else one for one in scene.records.cels]
    scene.records.cels = long
    scene.live.add(CallId(first))
    await scene.hear(report(Stage.RANG, callid=first))
    await scene.journal(first, over=False)
    await scene.connect()
    assert ("101 completed", "missed", State.WAITING) in await scene.told()
    assert scene.settled == [str(first)]


async def test_what_was_heard_to_its_end_is_not_decided_anew(scene: Scene) -> None:
    """It ended in the seconds of which a crash leaves doubt, and nothing had to be said of it."""
    scene.records.cdrs = missed(NOW - GAP - 12)
    await scene.journal(scene.records.cdrs[0].uniqueid, over=True)
    await scene.connect()
    assert await scene.told() == []


async def test_what_was_reported_with_its_end_is_reported_once(scene: Scene) -> None:
    scene.records.cdrs = missed(NOW - 300)
    callid = scene.records.cdrs[0].linkedid
    end = report(Stage.COMPLETED, "102", callid=callid, outcome=Outcome.SUCCESS)
    await scene.hear(report(Stage.RANG, "102", callid=callid), end)
    await scene.connect()
    assert [line[0] for line in await scene.told()] == ["102 rang", "102 completed"]


async def test_records_that_are_slow_hold_the_snapshot_up_only_if_calls_may_have_ended(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "WAIT", 0.05)
    scene.records.may_answer.clear()
    await scene.backfill.greet(scene.asterisk)
    scene.live.add(CallId("1.1"))
    await scene.backfill.greet(scene.asterisk)
    scene.records.cdrs = missed(NOW - 300)
    scene.records.may_answer.set()
    await scene.backfill._looked.wait()
    assert await scene.told() == MISSED


async def test_records_that_cannot_be_read_are_said_and_read_later(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "FIRST_PAUSE", 0.01)
    scene.records.fault = BackfillError("no such file")
    scene.live.add(CallId("1.1"))
    await scene.connect()
    [part] = scene.board.parts()
    assert (part.state, part.detail) == (PartState.WAITING, "no such file")
    scene.records.fault = None
    scene.records.cdrs = missed(NOW - 300)
    assert scene.backfill._task is not None
    await scene.backfill._task
    assert await scene.told() == MISSED
    assert scene.board.parts()[0].state is PartState.WELL


async def test_a_long_gap_is_read_in_pieces(scene: Scene) -> None:
    scene.now = NOW + 5 * 3600
    await scene.connect()
    assert len(scene.records.asked) == 3
    assert all(until - since <= filling.LOOKBACK + filling.PIECE for since, until in scene.records.asked)


async def test_no_further_back_than_configured(scene: Scene) -> None:
    scene.now = NOW + 100 * 3600
    await scene.connect()
    assert scene.records.asked[0][0] == scene.now - 24 * 3600 - filling.LOOKBACK


class TestAsked:
    async def test_a_dry_run_tells_and_changes_nothing(self, scene: Scene) -> None:
        scene.records.cdrs = missed(NOW - 300)
        found = await scene.backfill.look(scene.asterisk, NOW - 3600, NOW, dry=True)
        assert [(one.stage, found.calls) for one in found.reports] == [(Stage.RANG, 1), (Stage.COMPLETED, 1)]
        assert await scene.told() == []

    async def test_also_what_ended_while_somebody_listened_and_was_never_heard_of(self, scene: Scene) -> None:
        scene.records.cdrs = missed(NOW - GAP - 600)
        await scene.backfill.look(scene.asterisk, NOW - 3600, NOW, dry=False)
        assert await scene.told() == MISSED

    async def test_but_not_what_was_heard(self, scene: Scene) -> None:
        scene.records.cdrs = missed(NOW - GAP - 600)
        await scene.journal(scene.records.cdrs[0].uniqueid, over=True)
        found = await scene.backfill.look(scene.asterisk, NOW - 3600, NOW, dry=False)
        assert (found.reports, await scene.told()) == ([], [])
