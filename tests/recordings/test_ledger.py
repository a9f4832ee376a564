"""What is kept of recordings: once per call, in order, and not for longer than it is of use."""

from ami_planfix.calls.reports import Outcome, Stage
from ami_planfix.recordings.ledger import Ledger, Progress
from tests.making import report
from tests.recordings.conftest import NOW, Place, recorded


async def files(place: Place, callid: str = "1700000000.1") -> tuple[str, ...]:
    entry = await place.ledger.find(callid)
    assert entry is not None
    return entry.files


async def test_reports_without_a_recording_leave_nothing(place: Place) -> None:
    await place.note(report(), report(Stage.COMPLETED, outcome=Outcome.MISSED), recorded())
    assert await place.ledger.waiting() == []


async def test_the_same_file_counts_once_and_later_reports_add_theirs(place: Place) -> None:
    await place.note(recorded("a.wav", "b.wav", "a.wav"))
    await place.note(recorded("a.wav", "b.wav"))
    assert await files(place) == ("a.wav", "b.wav")
    await place.note(recorded("b.wav", "c.wav", at=NOW + 5))
    assert await files(place) == ("a.wav", "b.wav", "c.wav")


async def test_what_is_linked_stays_as_it_was(place: Place) -> None:
    await place.note(recorded("a.wav"))
    await place.settle("1700000000.1")
    await place.note(recorded("b.wav"))
    assert await files(place) == ("a.wav",)
    assert await place.ledger.waiting() == []


async def test_waiting_ends_once(place: Place) -> None:
    await place.note(recorded("a.wav"))
    async with place.database.write() as connection:
        assert await place.ledger.settle(connection, "1700000000.1", Progress.LINKED, NOW)
        assert not await place.ledger.settle(connection, "1700000000.1", Progress.MISSING, NOW)
    assert (await place.ledger.counts()) == {Progress.WAITING: 0, Progress.LINKED: 1, Progress.MISSING: 0}


async def test_two_pbxs_on_one_database_do_not_see_each_other(place: Place) -> None:
    await place.note(recorded("a.wav"))
    other = Ledger(place.database, "branch")
    assert await other.waiting() == []
    assert await other.find("1700000000.1") is None
    assert sum((await other.counts()).values()) == 0


async def test_what_has_expired_or_was_given_up_long_ago_is_forgotten_and_links_for_ever_are_not(place: Place) -> None:
    for nth in range(4):
        await place.note(recorded("a.wav", callid=f"1.{nth}"))
    await place.settle("1.0", expires=NOW + 10)
    await place.settle("1.1")
    await place.settle("1.2", Progress.MISSING)
    assert await place.ledger.remove_old(NOW + 11, before=NOW - 1) == 1
    assert await place.ledger.remove_old(NOW + 11, before=NOW + 1) == 1
    kept = [nth for nth in range(4) if await place.ledger.find(f"1.{nth}") is not None]
    assert kept == [1, 3]
