from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
from sqlalchemy import text

from ami_planfix.calls.reports import CallId, Outcome, Report, Stage
from ami_planfix.deliveries import Deliveries
from ami_planfix.entries import Buried, Delivered, Due, Entry, Postponed, RecordLink, Result, Returned, State
from ami_planfix.outbox import LEASE, Outbox
from ami_planfix.storage.database import Database
from ami_planfix.storage.schema import open_database
from ami_planfix.storage.short_way import short_way
from tests.making import report

NOW = 1_700_000_010.0
RANG = report(Stage.RANG)
ACCEPTED = report(Stage.ACCEPTED)
RANG_NOBODY = report(extension="100", rule="6")
COMPLETED = report(Stage.COMPLETED, outcome=Outcome.SUCCESS, duration=5, recorded=True, data=(("a", "Ё"),))


class Box(NamedTuple):
    """An outbox, each step in a transaction of its own."""

    database: Database
    outbox: Outbox
    rows: Deliveries

    async def put(self, *entries: Entry, now: float = NOW) -> None:
        async with self.database.write() as connection:
            await self.outbox.put(connection, entries, now)

    async def claim(self, now: float = NOW, limit: int = 20, opened: bool = True) -> list[Due]:
        async with self.database.write() as connection:
            return await self.outbox.claim(connection, now, limit, opened=opened)

    async def settle(self, *results: Result, now: float = NOW) -> None:
        async with self.database.write() as connection:
            await self.outbox.settle(connection, results, now)

    async def leave_out(self, before: float, now: float = NOW) -> list[Report]:
        async with self.database.write() as connection:
            return await self.outbox.leave_out(connection, now, before)

    async def next_due(self) -> float | None:
        async with self.database.read() as connection:
            return await self.outbox.next_due(connection, 60.0)


@pytest.fixture
async def box(database_url: str) -> AsyncIterator[Box]:
    async with await open_database(database_url) as database:
        yield Box(database, Outbox(database), Deliveries(database))


def entries(due: list[Due]) -> list[Entry]:
    return [one.entry for one in due]


class TestPut:
    async def test_what_is_put_comes_out_as_it_was(self, box: Box) -> None:
        link = RecordLink(NOW, CallId("2.2"), "https://pbx/r", temporary=True)
        await box.put(COMPLETED, link)
        assert entries(await box.claim()) == [COMPLETED, link]

    async def test_the_same_report_is_kept_once(self, box: Box) -> None:
        await box.put(RANG, RANG, COMPLETED)
        await box.put(RANG, report(Stage.COMPLETED, outcome=Outcome.MISSED))
        assert [line.report for line in await box.rows.listing()] == [COMPLETED, RANG]

    async def test_nothing_of_a_part_comes_after_its_completed_but_the_next_part_does(self, box: Box) -> None:
        again = report(Stage.RANG, part=2)
        await box.put(COMPLETED, RANG, ACCEPTED, again)
        assert [line.report for line in await box.rows.listing()] == [again, COMPLETED]

    @pytest.mark.parametrize(
        "known", [report(extension="102"), report(extension="100"), report(extension="101", rule="6")]
    )
    async def test_that_a_call_rang_nobody_is_not_believed_of_one_that_rang_somebody(
        self, box: Box, known: Report
    ) -> None:
        """Rule 6, told by a daemon that has heard less of the call than another one."""
        said = [RANG_NOBODY, report(Stage.COMPLETED, extension="100", rule="6", outcome=Outcome.MISSED)]
        await box.put(known)
        await box.put(*said)
        assert [line.report for line in await box.rows.listing()] == [known]

    async def test_that_a_call_rang_nobody_is_believed_if_nothing_else_is_known_of_it(self, box: Box) -> None:
        said = [RANG_NOBODY, report(Stage.COMPLETED, extension="100", rule="6", outcome=Outcome.MISSED)]
        await box.put(report(callid="9.9"))
        for _ in range(2):
            await box.put(said[0])
            await box.put(*said)
        assert [line.report for line in await box.rows.listing(callid="1700000000.1")] == said[::-1]

    async def test_calls_and_extensions_and_parts_do_not_disturb_each_other(self, box: Box) -> None:
        others = [report(callid="9.9"), report(extension="102"), report(part=2), COMPLETED]
        await box.put(RANG, *others)
        assert (await box.rows.counts()).by_state[State.WAITING] == 5

    async def test_two_pbxs_share_a_database_and_not_their_rows(self, box: Box) -> None:
        other = Box(box.database, Outbox(box.database, "spb"), Deliveries(box.database, "spb"))
        await box.put(RANG)
        await other.put(RANG)
        assert len(await box.claim()) == 1
        assert len(await other.claim()) == 1
        assert len(await other.rows.listing()) == 1


class TestClaim:
    async def test_ringing_phones_are_due_together_and_the_rest_waits_for_them(self, box: Box) -> None:
        second = report(Stage.RANG, "102")
        await box.put(RANG, second, ACCEPTED, COMPLETED)
        due = await box.claim()
        assert entries(due) == [RANG, second]
        assert await box.claim() == []
        await box.settle(Delivered(due[0].id, "200"))
        assert await box.claim() == []
        await box.settle(Delivered(due[1].id, "200"))
        assert entries(await box.claim()) == [ACCEPTED]

    async def test_a_phone_that_rings_after_another_report_waits_for_that(self, box: Box) -> None:
        await box.put(RANG, COMPLETED, report(Stage.RANG, "102"))
        assert entries(await box.claim()) == [RANG]

    async def test_calls_do_not_wait_for_each_other(self, box: Box) -> None:
        other = report(callid="2.2")
        await box.put(ACCEPTED, COMPLETED, other)
        assert entries(await box.claim()) == [ACCEPTED, other]

    async def test_a_failed_report_holds_back_its_call_until_it_is_due_again(self, box: Box) -> None:
        await box.put(ACCEPTED, COMPLETED)
        (due,) = await box.claim()
        await box.settle(Postponed(due.id, "500", NOW + 8))
        assert await box.claim(NOW + 7) == []
        (due,) = await box.claim(NOW + 8)
        assert (due.entry, due.attempts) == (ACCEPTED, 1)

    async def test_a_refused_report_holds_back_nothing(self, box: Box) -> None:
        await box.put(ACCEPTED, COMPLETED)
        (due,) = await box.claim()
        await box.settle(Buried(due.id, "400 no such ext"))
        assert entries(await box.claim()) == [COMPLETED]
        (dead,) = await box.rows.listing([State.DEAD])
        assert (dead.report, dead.answer) == (ACCEPTED, "400 no such ext")

    async def test_what_was_returned_is_due_at_once_as_if_untouched(self, box: Box) -> None:
        await box.put(ACCEPTED)
        (due,) = await box.claim()
        await box.settle(Returned(due.id))
        assert await box.claim() == [due]

    async def test_what_a_dead_daemon_took_is_due_after_its_lease_or_at_its_next_start(self, box: Box) -> None:
        other = Outbox(box.database, owner="other")
        await box.put(ACCEPTED)
        await box.claim()
        async with box.database.write() as connection:
            assert await other.claim(connection, NOW + LEASE - 1, 20, opened=True) == []
            await other.take_back(connection)
            assert await other.claim(connection, NOW + LEASE - 1, 20, opened=True) == []
            await box.outbox.take_back(connection)
            assert len(await other.claim(connection, NOW, 20, opened=True)) == 1
            assert await box.outbox.next_due(connection, 60) == NOW + LEASE
            assert len(await box.outbox.claim(connection, NOW + LEASE, 20, opened=True)) == 1
            assert await box.outbox.claim(connection, NOW + 10 * LEASE, 20, opened=True) == []

    async def test_popups_get_half_of_the_places_when_history_has_piled_up(self, box: Box) -> None:
        history = [report(Stage.COMPLETED, callid=f"{number}.1") for number in range(10)]
        popups = [report(Stage.RANG, callid=f"{number}.2") for number in range(10)]
        await box.put(*history, *popups)
        assert entries(await box.claim(limit=4)) == popups[:7:-1] + history[:2]
        assert entries(await box.claim(limit=1)) == history[2:3]

    async def test_an_unreadable_row_is_buried_and_holds_back_nothing(self, box: Box) -> None:
        await box.put(ACCEPTED, COMPLETED)
        async with box.database.write() as connection:
            await connection.execute(text("UPDATE outbox SET payload = '{}' WHERE id = 1"))
        assert await box.claim() == []
        assert entries(await box.claim()) == [COMPLETED]
        (dead,) = await box.rows.listing([State.DEAD])
        assert dead.report is None
        assert "another version" in dead.answer


class TestLeftOut:
    async def test_old_popups_are_left_out_and_history_never(self, box: Box) -> None:
        await box.put(RANG, ACCEPTED, COMPLETED)
        assert await box.leave_out(RANG.at) == []
        assert await box.leave_out(RANG.at + 1) == [RANG, ACCEPTED]
        assert [due.entry for due in await box.claim()] == [COMPLETED]

    async def test_an_accepted_goes_with_its_opener(self, box: Box) -> None:
        later = report(Stage.ACCEPTED, at=RANG.at + 100)
        other = report(Stage.ACCEPTED, "102", at=RANG.at + 100)
        await box.put(RANG, later, other)
        assert await box.leave_out(RANG.at + 1) == [RANG]
        assert await box.claim() == []
        assert await box.leave_out(RANG.at + 1) == [later]
        assert entries(await box.claim()) == [other]

    async def test_what_is_on_its_way_is_not_left_out(self, box: Box) -> None:
        await box.put(RANG)
        await box.claim()
        assert await box.leave_out(NOW) == []

    async def test_the_left_out_opener_comes_with_its_completed_if_wanted(self, box: Box) -> None:
        await box.put(RANG, report(Stage.RANG, "102"), COMPLETED)
        await box.leave_out(NOW)
        (due,) = await box.claim()
        await box.settle(Returned(due.id))
        assert due.entry == COMPLETED
        assert due.opener is not None
        assert due.opener.entry == RANG
        (alone,) = await box.claim(opened=False)
        assert alone.opener is None

    async def test_the_openers_of_several_calls_come_with_theirs(self, box: Box) -> None:
        calls = [report(callid=f"{number}.1") for number in range(3)]
        await box.put(*calls)
        await box.leave_out(NOW)
        await box.put(*(report(Stage.COMPLETED, callid=one.callid) for one in calls))
        assert [one.opener and one.opener.entry for one in await box.claim()] == calls

    async def test_an_opener_is_delivered_once(self, box: Box) -> None:
        await box.put(RANG, COMPLETED)
        await box.leave_out(NOW)
        (due,) = await box.claim()
        assert due.opener is not None
        await box.settle(Delivered(due.opener.id, "200"), Postponed(due.id, "500", NOW))
        (due,) = await box.claim()
        assert due.opener is None


class TestNextDue:
    async def test_nothing_waits(self, box: Box) -> None:
        assert await box.next_due() is None

    async def test_a_report_that_waits_behind_another_is_not_next(self, box: Box) -> None:
        await box.put(COMPLETED, report(Stage.COMPLETED, "102"))
        (due,) = await box.claim()
        await box.settle(Postponed(due.id, "500", NOW + 300))
        assert await box.next_due() == NOW + 300

    async def test_a_popup_becomes_too_old_before_it_is_due_again(self, box: Box) -> None:
        await box.put(RANG, COMPLETED)
        (due,) = await box.claim()
        assert await box.next_due() is None
        await box.settle(Postponed(due.id, "500", NOW + 300))
        assert await box.next_due() == RANG.at + 60

    async def test_planfix_is_back_and_all_is_due(self, box: Box) -> None:
        await box.put(COMPLETED)
        (due,) = await box.claim()
        await box.settle(Postponed(due.id, "500", NOW + 300))
        async with box.database.write() as connection:
            await box.outbox.hasten(connection, NOW + 1)
        assert await box.next_due() == NOW + 1


class TestDeliveries:
    async def bury(self, box: Box, *reports: Report) -> list[int]:
        await box.put(*reports)
        due = await box.claim()
        await box.settle(*(Buried(one.id, "400") for one in due))
        return [one.id for one in due]

    async def test_dead_letters_get_another_chance_all_or_some(self, box: Box) -> None:
        ids = await self.bury(box, *(report(Stage.COMPLETED, callid=f"{n}.1") for n in range(3)))
        assert await box.rows.retry(NOW, ids[:1]) == 1
        assert [one.id for one in await box.claim()] == ids[:1]
        assert await box.rows.retry(NOW) == 2

    async def test_only_dead_letters_get_one(self, box: Box) -> None:
        await box.put(COMPLETED)
        (due,) = await box.claim()
        await box.settle(Delivered(due.id, "200"))
        assert await box.rows.retry(NOW, [due.id]) == 0

    async def test_dropping_takes_the_dead_and_the_named(self, box: Box) -> None:
        await self.bury(box, COMPLETED)
        await box.put(report(Stage.COMPLETED, callid="2.2"))
        assert await box.rows.drop(NOW) == 1
        assert await box.rows.drop(NOW, [2]) == 1
        assert await box.claim() == []
        assert (await box.rows.counts()).by_state[State.DROPPED] == 2

    async def test_what_was_dropped_does_not_come_back_by_a_replay(self, box: Box) -> None:
        await self.bury(box, COMPLETED)
        await box.rows.drop(NOW)
        await box.put(COMPLETED)
        assert await box.claim() == []

    async def test_counts_tell_since_when_the_oldest_waits(self, box: Box) -> None:
        assert (await box.rows.counts()).oldest_waiting is None
        await box.put(RANG, now=NOW - 5)
        await box.put(COMPLETED)
        counts = await box.rows.counts()
        assert (counts.by_state[State.WAITING], counts.oldest_waiting) == (2, NOW - 5)

    async def test_a_listing_is_newest_first_and_can_be_paged(self, box: Box) -> None:
        reports = [report(Stage.COMPLETED, callid=f"{n}.1") for n in range(4)]
        await box.put(*reports)
        page = await box.rows.listing(limit=3)
        assert [line.report for line in page] == reports[:0:-1]
        assert [line.report for line in await box.rows.listing(before=page[-1].id)] == reports[:1]
        assert [line.report for line in await box.rows.listing(callid="2.1")] == [reports[2]]

    async def test_calls_are_found_by_the_clients_number(self, box: Box) -> None:
        await box.put(RANG, COMPLETED, report(callid="2.2", at=RANG.at - 100), report(callid="3.3", client="7"))
        assert await box.rows.calls_with("79101234567", RANG.at - 100) == ["2.2", "1700000000.1"]
        assert await box.rows.calls_with("79101234567", RANG.at) == ["1700000000.1"]


async def test_settled_rows_are_removed_in_small_steps_and_waiting_ones_never(box: Box) -> None:
    await box.put(*(report(Stage.COMPLETED, callid=f"{n}.1") for n in range(5)))
    for one in (await box.claim())[:4]:
        await box.settle(Delivered(one.id, "200"))
    removed = []
    for _ in range(3):
        async with box.database.write() as connection:
            removed.append(await box.outbox.remove_old(connection, NOW + 1, 3))
    assert removed == [3, 1, 0]
    assert len(await box.rows.listing()) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # PostgreSQL plans by what the tables hold
async def test_a_look_at_the_outbox_does_not_read_all_that_was_ever_delivered(box: Box) -> None:
    queries: list[str] = []
    async with box.database.write() as connection:
        raw = short_way(connection).driver_connection._conn
        raw.set_trace_callback(queries.append)
        await box.outbox.claim(connection, NOW, 20, opened=True)
        await box.outbox.next_due(connection, 60.0)
        await box.outbox.leave_out(connection, NOW, NOW)
        await box.outbox.waits_besides(connection, ())
        raw.set_trace_callback(None)
        queries.remove("BEGIN IMMEDIATE")
        assert len(queries) == 4
        for query in queries:
            plan = list(await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}"))
            assert "SEARCH outbox USING " in str(plan), query
            assert "SCAN" not in str(plan).replace("SCAN CONSTANT ROW", ""), query


@pytest.mark.postgresql
async def test_each_row_that_waits_is_looked_up_by_its_call_whatever_the_statistics_say(postgresql_url: str) -> None:
    """They are of a time in which nothing waited: in an outage of Planfix each look took up to 20 seconds."""
    async with await open_database(postgresql_url) as database:
        outbox = Outbox(database)
        statement = outbox._next_times.statement.compile(
            dialect=database._engine.dialect, compile_kwargs={"literal_binds": True}
        )
        async with database.write() as connection:
            await outbox.put(connection, [report(callid=f"1700.{number}") for number in range(2000)], NOW)
            await connection.execute(text("UPDATE outbox SET state = 'delivered', settled = 1"))
            await connection.execute(text("ANALYZE outbox"))
            plan = "\n".join((await connection.execute(text(f"EXPLAIN {statement}"))).scalars())
        assert "Join" not in plan
        assert "using outbox_identity_key on outbox earlier" in plan
