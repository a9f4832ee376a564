import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import hypothesis
import pytest
import structlog
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import text

from ami_planfix.calls.reports import CallId, Outcome, Report, Stage
from ami_planfix.deliveries import Deliveries
from ami_planfix.delivery import Delivery, Settings
from ami_planfix.demo import planfix as embedded
from ami_planfix.demo.planfix import EmbeddedPlanfix, Fault, Received
from ami_planfix.entries import RecordLink, State
from ami_planfix.errors import PlanfixUnreachable
from ami_planfix.gate import OUTAGE, PROBE_EVERY, Gate
from ami_planfix.outbox import Outbox
from ami_planfix.planfix.account import Credentials
from ami_planfix.planfix.api import PlanfixApi
from ami_planfix.status import Board
from ami_planfix.status import State as BoardState
from ami_planfix.storage.schema import open_database
from tests.making import report

QUICK = Settings(ping_every=0.02)


class Clock:
    """Seconds that pass when they are told to, and as many more as really pass."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return 1_700_000_001.0 + asyncio.get_running_loop().time() + self.ahead


class Bench:
    """A delivery between a real database and the embedded Planfix."""

    def __init__(self, url: str, change: Settings = QUICK) -> None:
        self.url = url
        self.settings = change
        self.planfix = EmbeddedPlanfix()
        self.clock = Clock()
        self.board = Board()
        self.credentials: Credentials | None = None
        self.task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def open(self, set_up: bool = True, start: bool = True) -> AsyncIterator["Bench"]:
        async with self.planfix, await open_database(self.url) as self.database:
            if set_up:
                self.set_up()
            self.outbox = Outbox(self.database)
            self.rows = Deliveries(self.database)
            self.api = PlanfixApi(lambda: self.credentials, timeout=2)
            self.delivery = Delivery(
                self.database, self.outbox, self.api, self.settings, self.board, self.clock, lambda: 0.0
            )
            if start:
                self.start()
            try:
                yield self
            finally:
                if self.task is not None:
                    await self.delivery.stop(0.0)
                    await self.task
                await self.api.close()

    def set_up(self, token: str = "") -> None:
        self.credentials = Credentials(self.planfix.url, token or self.planfix.token)

    def start(self) -> None:
        self.task = asyncio.create_task(self.delivery.run())

    async def put(self, *entries: Report | RecordLink) -> None:
        async with self.database.write() as connection:
            await self.outbox.put(connection, entries, self.clock())
        self.delivery.wake()

    async def write(self, *reports: Report, fail: bool = False) -> None:
        """Put them there as the writer does."""
        async with self.delivery.taking() as take, self.database.write() as connection:
            await self.outbox.put(connection, reports, self.clock())
            await take(connection, reports)
            if fail:
                raise RuntimeError

    async def until(self, *events: str) -> None:
        """Wait until just these reports were taken, in this order."""
        await self.planfix.wait_for(lambda _: len(self.planfix.events()) >= len(events))
        assert self.planfix.events() == list(events)

    async def hurry(self, seconds: float) -> None:
        """Let seconds pass at once."""
        self.clock.ahead += seconds
        self.delivery.wake()

    async def settled(self, **counts: int) -> None:
        """Wait until the rows are in these states."""
        async with asyncio.timeout(10):
            while (found := await self.states()) != counts:  # noqa: ASYNC110 - a database tells nobody
                await asyncio.sleep(0.005)
        assert found == counts

    async def owners(self) -> list[str]:
        """Tell who has each row in hand, oldest first."""
        async with self.database.read() as connection:
            found = await connection.execute(text("SELECT claimed_by FROM outbox ORDER BY id"))
            return list(found.scalars())

    async def states(self) -> dict[str, int]:
        return {state.value: n for state, n in (await self.rows.counts()).by_state.items() if n}

    def now(self, stage: Stage, extension: str = "101", callid: str = "1.1", part: int = 1) -> Report:
        outcome = Outcome.SUCCESS if stage is Stage.COMPLETED else None
        return report(stage, extension, callid, at=self.clock(), outcome=outcome, part=part)


@pytest.fixture
async def bench(database_url: str) -> AsyncIterator[Bench]:
    async with Bench(database_url).open() as bench:
        yield bench


RANG, ACCEPTED, COMPLETED = Stage.RANG, Stage.ACCEPTED, Stage.COMPLETED


async def test_a_clock_that_is_moved_while_we_wait_for_the_database_makes_nobody_elses_reports_due(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, asked = Bench(database_url), list[float]()
    async with bench.open(start=False):
        now, write, claim = bench.clock(), bench.database.write, bench.outbox.claim
        monkeypatch.setattr(type(bench.database), "skew", property(lambda _: -bench.clock.ahead))

        @asynccontextmanager
        async def moved() -> AsyncIterator[object]:
            async with write() as connection:
                bench.clock.ahead -= 3600.0
                yield connection

        async def claimed(connection: object, at: float, *_: object, **__: object) -> object:
            asked.append(at)
            return await claim(connection, at, 20, opened=True)  # type: ignore[arg-type]

        await bench.put(report(Stage.COMPLETED, outcome=Outcome.MISSED))
        monkeypatch.setattr(bench.database, "write", moved)
        monkeypatch.setattr(bench.outbox, "claim", claimed)
        bench.start()
        await bench.planfix.wait_for(bool)
    assert abs(asked[0] - now) < 10.0


class TestOrder:
    async def test_the_reports_of_a_call_arrive_in_their_order(self, bench: Bench) -> None:
        await bench.put(bench.now(RANG), bench.now(ACCEPTED), bench.now(COMPLETED))
        await bench.until("INCOMING 101", "ACCEPTED 101", "COMPLETED 101 Success")
        await bench.settled(delivered=3)

    async def test_thirty_phones_ring_without_waiting_for_each_other(self, bench: Bench) -> None:
        bench.planfix.fault_for = lambda fields: embedded.hang() if fields["event"] == "INCOMING" else None
        await bench.put(*(bench.now(RANG, str(100 + n)) for n in range(20)), bench.now(ACCEPTED))
        await bench.planfix.wait_for(lambda received: len(received) == 20)
        assert bench.planfix.waiting == 20

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # elsewhere another daemon may take them
    async def test_what_waits_behind_a_report_is_in_hand_with_it(self, bench: Bench) -> None:
        bench.planfix.fault_for = lambda _: embedded.hang()
        await bench.put(bench.now(RANG), bench.now(ACCEPTED), bench.now(COMPLETED))
        await bench.planfix.wait_for(bool)
        assert await bench.owners() == [bench.outbox.owner] * 3
        bench.planfix.fault_for = lambda _: None
        bench.planfix.release()
        await bench.until("INCOMING 101", "ACCEPTED 101", "COMPLETED 101 Success")
        await bench.settled(delivered=3)

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    async def test_what_is_behind_goes_before_the_line_of_the_log_and_the_look_at_the_outbox(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order: list[str] = []
        event, settle = bench.api.event, bench.outbox.settle

        async def sent(one: Report) -> None:
            await asyncio.sleep(0)  # aiohttp writes a request in the next turn of the loop
            order.append(one.stage)
            await event(one)

        async def noted(*given: object) -> None:
            order.append("look")
            await settle(*given)  # type: ignore[arg-type] # handed through as it came

        def line(processed: object, method: str, said: dict[str, object]) -> dict[str, object]:
            order.append("line")
            return said

        monkeypatch.setattr(bench.api, "event", sent)
        monkeypatch.setattr(bench.outbox, "settle", noted)
        with structlog.testing.capture_logs(processors=[line]):  # type: ignore[list-item]
            await bench.write(bench.now(RANG), bench.now(ACCEPTED), bench.now(COMPLETED))
            await bench.settled(delivered=3)
        begin = order.index(RANG)
        assert order[begin : begin + 2] == [RANG, ACCEPTED]

    async def test_behind_phones_that_ring_side_by_side_nothing_is_in_hand(self, bench: Bench) -> None:
        bench.planfix.fault_for = lambda _: embedded.hang()
        await bench.put(bench.now(RANG), bench.now(RANG, "102"), bench.now(ACCEPTED))
        await bench.planfix.wait_for(lambda received: len(received) == 2)
        assert await bench.owners() == [bench.outbox.owner] * 2 + [""]

    async def test_behind_what_failed_nothing_is_sent(self, bench: Bench) -> None:
        bench.planfix.fault_for = lambda fields: embedded.broken() if fields["event"] == "ACCEPTED" else None
        await bench.put(bench.now(RANG), bench.now(ACCEPTED), bench.now(COMPLETED))
        await bench.planfix.wait_for(lambda received: len(received) == 2)
        await bench.settled(delivered=1, waiting=2)
        await bench.until("INCOMING 101")
        async with asyncio.timeout(10):
            while any(await bench.owners()):  # noqa: ASYNC110 - see `settled`
                await asyncio.sleep(0.005)
        bench.planfix.fault_for = lambda _: None
        await bench.hurry(1)
        await bench.until("INCOMING 101", "ACCEPTED 101", "COMPLETED 101 Success")

    async def test_behind_a_slow_answer_all_is_sent_in_its_turn(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ami_planfix.delivery.SLOW", 0.0)
        await bench.put(*(bench.now(COMPLETED, str(100 + number)) for number in range(12)))
        await bench.until(*(f"COMPLETED {100 + number} Success" for number in range(12)))
        await bench.settled(delivered=12)

    async def test_who_ends_sends_what_is_behind_too(self, bench: Bench) -> None:
        bench.planfix.fault_for = lambda _: embedded.slow(0.01)
        await bench.put(*(bench.now(COMPLETED, str(100 + number)) for number in range(12)))
        await bench.planfix.wait_for(bool)
        await bench.delivery.stop()
        await bench.settled(delivered=12)

    async def test_no_more_requests_at_once_than_allowed(self, database_url: str) -> None:
        async with Bench(database_url, QUICK._replace(parallel=3)).open() as bench:
            bench.planfix.fault_for = lambda _: embedded.slow(0.01)
            await bench.put(*(bench.now(COMPLETED, callid=f"{n}.1") for n in range(12)))
            await bench.planfix.wait_for(lambda received: len(received) == 12)
            assert bench.planfix.most_waiting == 3

    async def test_a_slow_call_does_not_hold_back_another(self, bench: Bench) -> None:
        bench.planfix.fault_for = lambda fields: embedded.hang() if fields["callid"] == "1.1" else None
        await bench.put(bench.now(RANG), bench.now(ACCEPTED), bench.now(COMPLETED, callid="2.2"))
        await bench.until("COMPLETED 101 Success")

    async def test_an_answer_that_comes_after_others_were_written_down_counts_too(self, bench: Bench) -> None:
        """The loop takes the results away to write them; a later answer must not land among what it took."""
        bench.planfix.fault_for = lambda fields: embedded.hang() if fields["callid"] == "1.1" else None
        await bench.put(bench.now(RANG, callid="1.1"), bench.now(RANG, callid="2.1"))
        await bench.settled(delivered=1, waiting=1)
        bench.planfix.fault_for = lambda _: None
        await bench.put(bench.now(COMPLETED, callid="1.1"), bench.now(COMPLETED, callid="2.1"))
        await bench.settled(delivered=2, waiting=2)
        bench.planfix.release()
        await bench.settled(delivered=4)

    async def test_a_recording_follows_its_call(self, bench: Bench) -> None:
        await bench.put(bench.now(COMPLETED), RecordLink(1.0, CallId("1.1"), "https://pbx/r", True))
        await bench.planfix.wait_for(lambda received: len(received) == 2)
        assert dict(bench.planfix.taken[1].fields) == {
            "cmd": "record",
            "callid": "1.1",
            "record_link": "https://pbx/r",
            "is_temp": "1",
            "planfix_token": bench.planfix.token,
        }


class TestTaking:
    """Reports are taken in hand in the transaction in which they are written."""

    async def test_the_reports_of_a_call_arrive_in_their_order(self, bench: Bench) -> None:
        for stage in (RANG, ACCEPTED, COMPLETED):
            await bench.write(bench.now(stage))
        await bench.until("INCOMING 101", "ACCEPTED 101", "COMPLETED 101 Success")
        await bench.settled(delivered=3)

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # elsewhere another daemon may take them
    async def test_they_are_in_hand_before_anybody_looks(self, bench: Bench) -> None:
        await bench.put(bench.now(COMPLETED))
        await bench.settled(delivered=1)
        bench.planfix.fault_for = lambda _: embedded.hang()
        await bench.write(bench.now(RANG, callid="2.2"), bench.now(RANG, "102", callid="2.2"))
        assert (await bench.owners())[1:] == [bench.outbox.owner] * 2

    async def test_of_a_transaction_that_fails_nothing_is_sent(self, bench: Bench) -> None:
        await bench.put(bench.now(COMPLETED))
        await bench.settled(delivered=1)
        again = bench.now(COMPLETED, callid="2.2")
        with pytest.raises(RuntimeError):
            await bench.write(again, fail=True)
        assert len(bench.planfix.received) == 1
        await bench.write(again)
        await bench.until("COMPLETED 101 Success", "COMPLETED 101 Success")
        await bench.settled(delivered=2)

    async def test_what_was_answered_meanwhile_is_noted_in_it_or_soon_after(self, bench: Bench) -> None:
        for number in range(50):
            await bench.write(*(bench.now(stage, callid=f"{number}.1") for stage in (RANG, COMPLETED)))
        await bench.settled(delivered=100)
        assert len(bench.planfix.events()) == 100

    async def test_a_popup_that_is_too_old_is_left_out(self, bench: Bench) -> None:
        await bench.put(bench.now(COMPLETED))
        await bench.settled(delivered=1)
        late = bench.now(RANG, callid="2.2")
        await bench.hurry(61)
        await bench.write(late)
        await bench.settled(delivered=1, stale=1)

    async def test_before_and_after_it_runs_nothing_is_taken(self, database_url: str) -> None:
        async with Bench(database_url).open(start=False) as bench:
            await bench.write(bench.now(COMPLETED))
            await bench.settled(waiting=1)
            bench.start()
            await bench.until("COMPLETED 101 Success")
            await bench.delivery.stop(1.0)
            await bench.write(bench.now(COMPLETED, callid="2.2"))
            await bench.settled(delivered=1, waiting=1)


async def test_what_nobody_told_us_of_is_found_all_the_same(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was mended or came back from a stand-in may hold rows of which we know nothing."""
    monkeypatch.setattr("ami_planfix.delivery.LONGEST_SLEEP", 0.05)
    async with Bench(database_url).open() as bench:
        await bench.write(bench.now(COMPLETED))
        await bench.settled(delivered=1)
        async with bench.database.write() as connection:
            await bench.outbox.put(connection, [bench.now(COMPLETED, callid="2.2")], bench.clock())
        await bench.settled(delivered=2)


class TestFaults:
    @pytest.mark.parametrize(
        "fault", [embedded.broken(), embedded.broken(404), embedded.garbage()._replace(status=502)]
    )
    async def test_a_fault_is_tried_again_before_the_next_report_of_the_call(self, bench: Bench, fault: Fault) -> None:
        bench.planfix.faults.append(fault)
        await bench.put(bench.now(RANG), bench.now(ACCEPTED))
        await bench.planfix.wait_for(lambda received: len(received) == 1)
        await bench.settled(waiting=2)
        await bench.hurry(1)
        await bench.until("INCOMING 101", "ACCEPTED 101")

    async def test_a_refusal_is_a_dead_letter_with_planfix_words_and_stops_nothing_else(self, bench: Bench) -> None:
        bench.planfix.faults.append(embedded.refuse("no such ext"))
        await bench.put(bench.now(RANG), bench.now(ACCEPTED), bench.now(COMPLETED))
        await bench.until("ACCEPTED 101", "COMPLETED 101 Success")
        await bench.settled(delivered=2, dead=1)
        (dead,) = await bench.rows.listing([State.DEAD])
        assert dead.answer == "Planfix at 127.0.0.1 refused it: 400 no such ext"

    async def test_a_dead_letter_goes_when_it_gets_another_chance(self, bench: Bench) -> None:
        bench.planfix.faults.append(embedded.refuse())
        await bench.put(bench.now(COMPLETED))
        await bench.settled(dead=1)
        await bench.rows.retry(bench.clock())
        bench.delivery.wake()
        await bench.until("COMPLETED 101 Success")

    async def test_when_planfix_asks_for_a_pause_nothing_is_sent_until_it_is_over(self, bench: Bench) -> None:
        bench.planfix.faults.append(embedded.too_many("100"))
        await bench.put(bench.now(COMPLETED))
        async with asyncio.timeout(10):
            while not bench.delivery.sent.postponed:  # noqa: ASYNC110 - nobody tells when the answer was read
                await asyncio.sleep(0.005)
        await bench.put(bench.now(COMPLETED, callid="2.2"))
        await bench.hurry(50)
        assert len(bench.planfix.received) == 1
        await bench.hurry(51)
        await bench.until("COMPLETED 101 Success", "COMPLETED 101 Success")

    async def test_after_an_outage_all_that_waits_goes_at_once(self, bench: Bench) -> None:
        await bench.planfix.stop()
        await bench.put(*(bench.now(COMPLETED, callid=f"{n}.1") for n in range(5)))
        async with asyncio.timeout(10):
            while "cannot be reached" not in bench.board.summary():
                await bench.hurry(300)
                await bench.settled(waiting=5)
        await bench.planfix.start()
        await bench.put(bench.now(COMPLETED, callid="9.9"))
        await bench.until(*["COMPLETED 101 Success"] * 6)

    def test_who_fails_now_and_then_does_not_get_all_of_it_with_each_success(self) -> None:
        now = 0.0
        planfix: Any = None
        gate = Gate(planfix, 20, 30.0, Board(), lambda: now, lambda: None)

        def back(failures: int) -> float | None:
            for _ in range(failures):
                gate.failed(PlanfixUnreachable("503"))
            return gate.taken(0)

        assert back(OUTAGE - 1) is None
        assert back(OUTAGE) == 0.0
        now = 1.0
        assert back(OUTAGE) == PROBE_EVERY - 1.0
        now = PROBE_EVERY
        assert back(OUTAGE) == 0.0

    async def test_a_request_that_fails_in_us_is_kept_and_stops_nothing_else(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = bench.api.event

        async def broken(one: Report) -> None:
            if one.stage is RANG:
                raise ZeroDivisionError
            await real(one)

        monkeypatch.setattr(bench.api, "event", broken)
        await bench.put(bench.now(RANG), bench.now(COMPLETED))
        await bench.until("COMPLETED 101 Success")
        await bench.settled(delivered=1, dead=1)

    async def test_a_fault_of_ours_after_planfix_took_it_holds_back_nothing_either(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        faults = [ZeroDivisionError()]
        real = bench.board.say

        def broken(*told: str) -> None:
            if faults:
                raise faults.pop()
            real(told[0], BoardState(told[1]), *told[2:])

        monkeypatch.setattr(bench.board, "say", broken)
        await bench.put(bench.now(RANG), bench.now(COMPLETED))
        await bench.until("INCOMING 101", "COMPLETED 101 Success")
        await bench.settled(delivered=1, dead=1)


class TestToken:
    """A 401 is about us, not about a report."""

    async def test_nothing_is_sent_until_ping_is_taken_and_then_all_of_it(self, bench: Bench) -> None:
        bench.set_up("wrong")
        await bench.put(bench.now(RANG), bench.now(COMPLETED))
        await bench.planfix.wait_for(lambda received: [one.event for one in received].count("ping") == 2)
        assert [one.event for one in bench.planfix.received].count("INCOMING 101") == 1
        assert bench.board.parts()[-1].state == "failed"
        bench.set_up()
        await bench.until("INCOMING 101", "COMPLETED 101 Success")
        assert bench.board.parts()[-1].state == "well"

    async def test_a_new_setup_is_tried_at_once(self, database_url: str) -> None:
        async with Bench(database_url, Settings(ping_every=3600)).open() as bench:
            bench.set_up("wrong")
            await bench.put(bench.now(COMPLETED))
            await bench.planfix.wait_for(lambda received: len(received) == 1)
            await bench.settled(waiting=1)
            bench.set_up()
            bench.delivery.account_changed()
            await bench.until("COMPLETED 101 Success")

    async def test_before_setup_all_is_kept_and_it_is_said_once(self, database_url: str) -> None:
        async with Bench(database_url).open(set_up=False) as bench:
            with structlog.testing.capture_logs() as logs:
                await bench.put(bench.now(COMPLETED))
                await bench.put(bench.now(COMPLETED, callid="2.2"))
                await bench.settled(waiting=2)
            assert [line["event"] for line in logs].count("planfix not set up") == 1
            bench.set_up()
            bench.delivery.account_changed()
            await bench.until("COMPLETED 101 Success", "COMPLETED 101 Success")


class TestAge:
    """`popup_max_age` and `history`."""

    async def test_the_opener_that_came_too_late_goes_directly_before_its_completed(self, bench: Bench) -> None:
        await bench.planfix.stop()
        late = [bench.now(RANG), bench.now(RANG, "102"), bench.now(ACCEPTED, "102")]
        await bench.put(*late, bench.now(COMPLETED), bench.now(COMPLETED, "102"))
        await bench.hurry(100)
        await bench.settled(stale=3, waiting=2)
        await bench.planfix.start()
        await bench.hurry(300)
        await bench.until("INCOMING 101", "COMPLETED 101 Success", "INCOMING 102", "COMPLETED 102 Success")
        await bench.settled(stale=1, delivered=4)

    async def test_a_planfix_that_is_too_slow_is_said_until_it_is_fast_enough(self, database_url: str) -> None:
        async with Bench(database_url, QUICK._replace(parallel=1)).open() as bench:
            bench.planfix.fault_for = lambda _: embedded.hang()
            await bench.put(bench.now(COMPLETED, callid="busy.1"))
            await bench.planfix.wait_for(lambda received: len(received) == 1)
            await bench.put(bench.now(RANG), bench.now(COMPLETED))
            await bench.hurry(100)
            await bench.settled(stale=1, waiting=2)
            bench.planfix.fault_for = lambda _: None
            with structlog.testing.capture_logs() as logs:
                bench.planfix.release()
                await bench.settled(delivered=3)
                assert "slower than calls come in" in bench.board.summary()
                bench.clock.ahead += 100
                await bench.put(bench.now(COMPLETED, callid="later.1"))
                await bench.settled(delivered=4)
            assert bench.board.summary() == "all is well"
            assert [line["event"] for line in logs].count("planfix fast enough again") == 1

    async def test_or_completed_goes_alone(self, database_url: str) -> None:
        async with Bench(database_url, QUICK._replace(opened=False)).open(start=False) as bench:
            await bench.put(bench.now(RANG), bench.now(COMPLETED))
            await bench.hurry(100)
            bench.start()
            await bench.until("COMPLETED 101 Success")
            await bench.settled(stale=1, delivered=1)

    async def test_a_refused_opener_does_not_stop_its_completed(self, database_url: str) -> None:
        async with Bench(database_url).open(start=False) as bench:
            bench.planfix.faults.append(embedded.refuse())
            await bench.put(bench.now(RANG), bench.now(COMPLETED))
            await bench.hurry(100)
            bench.start()
            await bench.until("COMPLETED 101 Success")
            await bench.settled(dead=1, delivered=1)

    async def test_an_opener_that_fails_is_tried_again_with_its_completed(self, database_url: str) -> None:
        async with Bench(database_url).open(start=False) as bench:
            bench.planfix.faults.append(embedded.broken())
            await bench.put(bench.now(RANG), bench.now(COMPLETED))
            await bench.hurry(100)
            bench.start()
            await bench.planfix.wait_for(lambda received: len(received) == 1)
            await bench.settled(stale=1, waiting=1)
            await bench.hurry(1)
            await bench.until("INCOMING 101", "COMPLETED 101 Success")

    async def test_a_popup_gets_too_old_while_it_waits_without_anything_else_happening(self, database_url: str) -> None:
        async with Bench(database_url, QUICK._replace(popup_max_age=5.0)).open() as bench:
            bench.planfix.faults.append(embedded.too_many("600"))
            await bench.put(bench.now(RANG))
            await bench.planfix.wait_for(lambda received: len(received) == 1)
            await bench.hurry(599)
            await bench.settled(stale=1)


class TestStop:
    async def test_stopping_sends_what_is_due(self, bench: Bench) -> None:
        bench.planfix.fault_for = lambda _: embedded.slow(0.01)
        await bench.put(bench.now(RANG), bench.now(ACCEPTED), bench.now(COMPLETED))
        await bench.delivery.stop(10)
        assert len(bench.planfix.events()) == 3
        assert await bench.states() == {"delivered": 3}

    async def test_stopping_does_not_wait_for_what_hangs_and_keeps_it(self, database_url: str) -> None:
        async with Bench(database_url).open() as bench:
            bench.planfix.faults.append(embedded.hang())
            await bench.put(bench.now(COMPLETED))
            await bench.planfix.wait_for(lambda received: len(received) == 1)
            await bench.delivery.stop(0.01)
            assert await bench.states() == {"waiting": 1}
        async with Bench(database_url).open() as bench:
            await bench.until("COMPLETED 101 Success")

    async def test_stopping_is_at_once_when_planfix_is_away(self, bench: Bench) -> None:
        await bench.planfix.stop()
        await bench.put(bench.now(COMPLETED))
        await bench.delivery.stop(10)
        assert await bench.states() == {"waiting": 1}


async def test_what_was_sent_and_could_not_be_written_down_is_not_sent_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ami_planfix.delivery.STORAGE_PAUSE", 0.01)
    real = bench.outbox.settle
    failures = iter([OSError(28, "No space left on device")] * 3)

    async def full(*given: object) -> None:
        if given[1]:
            for failure in failures:
                raise failure
        await real(*given)  # type: ignore[arg-type] # handed through as it came

    monkeypatch.setattr(bench.outbox, "settle", full)
    await bench.put(bench.now(COMPLETED))
    await bench.settled(delivered=1)
    assert bench.planfix.events() == ["COMPLETED 101 Success"]


async def test_each_report_leaves_one_line_without_secrets(bench: Bench) -> None:
    with structlog.testing.capture_logs() as logs:
        await bench.put(bench.now(RANG))
        await bench.settled(delivered=1)
    (line,) = [line for line in logs if line["event"] == "report delivered"]
    assert line.pop("lag") >= 0
    assert line == {
        "event": "report delivered",
        "log_level": "info",
        "call": "1.1",
        "extension": "101",
        "report": "INCOMING",
        "answer": "200",
    }
    assert bench.planfix.token not in repr(logs)


answers = st.lists(st.sampled_from(["taken", "broken", "refused", "cut"]), max_size=30)
stories = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=8, unique=True)


@given(answers=answers, stories=stories, opened=st.booleans(), late=st.booleans())
@hypothesis.settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_planfix_answers_every_completed_arrives_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory,
    answers: list[str],
    stories: list[tuple[int, int]],
    opened: bool,
    late: bool,
) -> None:
    change = QUICK._replace(opened=opened, popup_max_age=60 if late else 1e9)

    async def play() -> list[Received]:
        async with Bench(f"sqlite:///{tmp_path_factory.mktemp('delivery')}/state.db", change).open(
            start=False
        ) as bench:
            bench.planfix.faults.extend(FAULTS[answer] for answer in answers)
            for stage in (RANG, ACCEPTED, COMPLETED):
                await bench.put(*(bench.now(stage, f"10{ext}", f"{call}.0") for call, ext in stories))
            await bench.hurry(100)
            bench.start()
            async with asyncio.timeout(20):
                while (await bench.states()).get("waiting"):
                    await bench.hurry(10)
                    await asyncio.sleep(0.002)
            return bench.planfix.received

    answered = [one for one in asyncio.run(play()) if one.status in (200, 400)]
    said = [(one.fields["callid"], one.fields["ext"], one.fields["event"]) for one in answered]
    assert len(set(said)) == len(said)
    assert {(f"{call}.0", f"10{ext}", "COMPLETED") for call, ext in stories} <= set(said)
    for call in {call for call, _ in stories}:
        mine = [(event, ext) for callid, ext, event in said if callid == f"{call}.0"]
        if not late:
            assert [event for event, _ in mine] == sorted((event for event, _ in mine), key=ORDER.index)
        elif opened:
            pairs = list(zip(mine[::2], mine[1::2], strict=True))
            assert pairs == [(("INCOMING", ext), ("COMPLETED", ext)) for (_, ext), _ in pairs]
        else:
            assert {event for event, _ in mine} == {"COMPLETED"}


ORDER = ("INCOMING", "ACCEPTED", "COMPLETED")
FAULTS: Mapping[str, Fault | None] = {
    "taken": None,
    "broken": embedded.broken(),
    "refused": embedded.refuse(),
    "cut": embedded.cut(),
}
