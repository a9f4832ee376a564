"""When a recording is whole, and that Planfix is told then: after the call's end, once, also after a restart."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ami_planfix.entries import Delivered, RecordLink
from ami_planfix.outbox import Outbox
from ami_planfix.recordings.files import Shelf
from ami_planfix.recordings.ledger import Progress
from ami_planfix.recordings.waiting import Places, Settings, Waiting
from ami_planfix.status import Board
from tests.ami.conftest import eventually
from tests.recordings.conftest import NOW, PUBLIC, Place, recorded

CALLID = "1700000000.1"
SOUND = b"RIFF" + (992).to_bytes(4, "little") + b"R" * 992
UNFINISHED = b"RIFF" + bytes(996)
QUICK = Settings(settle=0.05, patience=3600)


class Daemon:
    """One run of what waits, and what it has put into the outbox."""

    def __init__(self, place: Place, settings: Settings = QUICK, is_live: Callable[[str], bool] | None = None) -> None:
        self.place = place
        self.outbox = Outbox(place.database)
        self.board = Board()
        self._written = asyncio.Event()
        self._began = asyncio.get_running_loop().time()
        places = Places(place.disk, place.shelf, place.audio, place.links, place.ledger)
        self.waiting = Waiting(
            places,
            self.outbox,
            self._written.set,
            settings,
            is_live=is_live or (lambda callid: False),
            board=self.board,
            clock=self.clock,
        )

    def clock(self) -> float:
        """Seconds pass, and a test can let hours pass (`place.now`)."""
        return self.place.now + asyncio.get_running_loop().time() - self._began

    async def hear(self, *files: str, callid: str = CALLID) -> None:
        """A recorded call ends."""
        report = recorded(*files, callid=callid)
        async with self.place.database.write() as connection:
            await self.outbox.put(connection, [report], NOW)
            await self.waiting.note(connection, [report])
        self.waiting.wake()

    async def links(self, count: int = 1) -> list[RecordLink]:
        """Wait until so many links are in the outbox."""
        async with asyncio.timeout(10):
            while len(found := await self.waiting_links()) < count:
                await self._written.wait()
                self._written.clear()
        return found

    async def waiting_links(self) -> list[RecordLink]:
        async with self.place.database.write() as connection:
            due = await self.outbox.claim(connection, self.place.now + 1e6, 100, opened=False)
            await self.outbox.take_back(connection)
        return [one.entry for one in due if isinstance(one.entry, RecordLink)]

    async def progress(self, wanted: Progress, callid: str = CALLID, passing: float = 0.0) -> str:
        """Wait until a recording has come so far, letting time pass in steps; tell its detail."""
        async with asyncio.timeout(20):
            while True:
                entry = await self.place.ledger.find(callid)
                if entry is not None and entry.progress is wanted:
                    return entry.detail
                await asyncio.sleep(0.01)
                if passing:
                    self.place.now += passing
                    self.waiting.wake()


@asynccontextmanager
async def running(daemon: Daemon) -> AsyncIterator[Daemon]:
    task = asyncio.create_task(daemon.waiting.run())
    try:
        yield daemon
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def write(path: Path, content: bytes = SOUND) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


async def end_of_call(daemon: Daemon, callid: str = CALLID) -> None:
    """Planfix takes the call's end."""
    async with daemon.place.database.write() as connection:
        due = await daemon.outbox.claim(connection, daemon.place.now + 1e6, 100, opened=False)
        await daemon.outbox.settle(connection, [Delivered(one.id, "200") for one in due], NOW)


class TestWhole:
    async def test_a_file_that_is_there_and_does_not_change_is_linked_once_planfix_knows_of_the_end(
        self, place: Place
    ) -> None:
        write(place.monitor / "in-1.wav")
        async with running(Daemon(place)) as daemon:
            await daemon.hear("in-1.wav")
            await daemon.progress(Progress.LINKED)
            assert await daemon.waiting_links() == []  # its COMPLETED goes first
            await end_of_call(daemon)
            (link,) = await daemon.links()
        assert link.callid == CALLID
        assert link.link == place.links.link(CALLID, "in-1.wav", ".wav")
        assert link.link.startswith(f"{PUBLIC}/recordings/")
        assert not link.temporary

    async def test_a_file_that_grows_is_waited_for(self, place: Place) -> None:
        async with running(Daemon(place, Settings(settle=0.4))) as daemon:
            with (place.monitor / "in-1.gsm").open("wb") as file:
                await daemon.hear("in-1.gsm")
                for _ in range(6):
                    file.write(UNFINISHED)
                    file.flush()
                    await asyncio.sleep(0.15)
                    entry = await place.ledger.find(CALLID)
                    assert entry is not None
                    assert entry.progress is Progress.WAITING
            await daemon.progress(Progress.LINKED)

    async def test_a_wav_whose_header_is_not_written_is_not_whole_though_it_rests(self, place: Place) -> None:
        write(place.monitor / "in-1.wav", UNFINISHED)
        async with running(Daemon(place)) as daemon:
            await daemon.hear("in-1.wav")
            await asyncio.sleep(0.5)
            await daemon.progress(Progress.WAITING)
            write(place.monitor / "in-1.wav")
            await daemon.progress(Progress.LINKED)

    async def test_a_wav_whose_header_is_never_written_is_taken_in_the_end(self, place: Place) -> None:
        write(place.monitor / "in-1.wav", UNFINISHED)
        async with running(Daemon(place)) as daemon:
            await daemon.hear("in-1.wav")
            await daemon.progress(Progress.LINKED, passing=5)

    async def test_that_it_was_closed_is_heard_and_shortens_the_wait(self, place: Place) -> None:
        async with running(Daemon(place, Settings(settle=3600))) as daemon:
            with (place.monitor / "in-1.wav").open("wb") as file:
                await daemon.hear("in-1.wav")
                await daemon.progress(Progress.WAITING)
                await asyncio.sleep(0.1)
                file.write(SOUND)
            await daemon.progress(Progress.LINKED)

    async def test_moved_there_from_elsewhere_when_it_is_whole(self, place: Place, tmp_path: Path) -> None:
        write(tmp_path / "in-1.wav")
        async with running(Daemon(place, Settings(settle=3600))) as daemon:
            await daemon.hear("in-1.wav")
            await asyncio.sleep(0.1)
            os.rename(tmp_path / "in-1.wav", place.monitor / "in-1.wav")
            await daemon.progress(Progress.LINKED)

    async def test_a_folder_that_is_made_later_is_looked_into(self, place: Place) -> None:
        async with running(Daemon(place)) as daemon:
            await daemon.hear("2026/03/07/in-1.wav")
            await asyncio.sleep(0.05)
            write(place.monitor / "2026/03/07/in-1.wav")
            await daemon.progress(Progress.LINKED)

    async def test_a_restart_goes_on_waiting(self, place: Place) -> None:
        async with running(Daemon(place)) as daemon:
            await daemon.hear("in-1.wav")
        write(place.monitor / "in-1.wav")
        async with running(Daemon(place)) as daemon:
            await daemon.progress(Progress.LINKED)
            await end_of_call(daemon)
            assert len(await daemon.links()) == 1
        async with running(Daemon(place)) as daemon:
            await daemon.hear("in-1.wav")  # the replay of the journal tells it once more
            await daemon.hear("other.wav", callid="2.2")
            write(place.monitor / "other.wav")
            await daemon.progress(Progress.LINKED, "2.2")
            assert len(await daemon.waiting_links()) == 1

    async def test_two_daemons_on_one_database_tell_it_once(self, place: Place) -> None:
        write(place.monitor / "in-1.wav")
        async with running(Daemon(place)) as one, running(Daemon(place)) as other:
            await asyncio.gather(one.hear("in-1.wav"), other.hear("in-1.wav"))
            await one.progress(Progress.LINKED)
            await end_of_call(one)
            assert len(await one.links()) == 1

    async def test_a_call_that_goes_on_is_waited_for_and_its_later_files_count(self, place: Place) -> None:
        live = {CALLID}
        write(place.monitor / "in-1.wav")
        write(place.monitor / "in-2.wav")
        async with running(Daemon(place, is_live=lambda callid: callid in live)) as daemon:
            await daemon.hear("in-1.wav")
            await asyncio.sleep(0.2)
            await daemon.progress(Progress.WAITING)
            live.clear()
            await daemon.hear("in-1.wav", "in-2.wav")
            await daemon.progress(Progress.LINKED)
        entry = await place.ledger.find(CALLID)
        assert entry is not None
        assert entry.files == ("in-1.wav", "in-2.wav")


class TestMissing:
    async def test_a_file_that_does_not_appear_is_given_up_said_and_counted(self, place: Place) -> None:
        with capture_logs() as said:
            async with running(Daemon(place)) as daemon:
                await daemon.hear("in-1.wav")
                detail = await daemon.progress(Progress.MISSING, passing=100)
        assert "in-1.wav is not in" in detail
        events = [line["event"] for line in said]
        assert events.count("recording missing") == 1
        assert (await place.ledger.counts())[Progress.MISSING] == 1
        assert [entry.detail for entry in await place.ledger.troubles(10)] == [detail]

    async def test_a_file_with_a_header_and_nothing_else_is_no_recording(self, place: Place) -> None:
        write(place.monitor / "in-1.wav", b"R" * 44)
        async with running(Daemon(place)) as daemon:
            await daemon.hear("in-1.wav")
            assert "empty" in await daemon.progress(Progress.MISSING, passing=100)

    @pytest.mark.parametrize("name", ["", "/etc/passwd", "../x.wav"])
    async def test_a_name_that_is_nowhere_is_given_up_at_once(self, place: Place, name: str) -> None:
        async with running(Daemon(place)) as daemon:
            await daemon.hear(name)
            assert "no usable name" in await daemon.progress(Progress.MISSING)

    async def test_a_part_without_sound_does_not_keep_the_others_back_for_ever(self, place: Place) -> None:
        write(place.monitor / "in-1.wav")
        with capture_logs() as said:
            async with running(Daemon(place)) as daemon:
                await daemon.hear("in-1.wav", "in-2.wav")
                detail = await daemon.progress(Progress.LINKED, passing=5)
        assert detail == "some of its files did not appear"
        assert "recording incomplete" in [line["event"] for line in said]


class TestWhatIsSaid:
    async def test_a_folder_that_cannot_be_read_is_on_the_board(self, place: Place) -> None:
        daemon = Daemon(place)
        await daemon.waiting.say_how_it_is()
        assert daemon.board.summary() == "all is well"
        place.monitor.rmdir()
        await daemon.waiting.say_how_it_is()
        assert daemon.board.summary().startswith(f"recordings: recordings.directory {place.monitor}: No such file")

    async def test_a_fault_of_ours_stops_nothing_else(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(name: str, at: float) -> None:
            raise ZeroDivisionError

        write(place.monitor / "in-1.wav")
        monkeypatch.setattr(place.shelf, "open", broken)
        with capture_logs() as said:
            async with running(Daemon(place)) as daemon:
                await daemon.hear("in-1.wav")
                await eventually(lambda: any(line["event"] == "recordings not looked at" for line in said))
                monkeypatch.undo()
                daemon.waiting.wake()
                await daemon.progress(Progress.LINKED)


class TestChoices:
    async def test_a_link_that_expires_says_so(self, place: Place) -> None:
        write(place.monitor / "in-1.wav")
        async with running(Daemon(place, QUICK._replace(expires_after=3600))) as daemon:
            await daemon.hear("in-1.wav")
            await daemon.progress(Progress.LINKED)
            await end_of_call(daemon)
            (link,) = await daemon.links()
        assert link.temporary
        entry = await place.ledger.find(CALLID)
        assert entry is not None
        assert entry.expires is not None
        assert 3600 <= entry.expires - NOW < 3700

    async def test_a_link_that_went_with_the_report_is_not_told_again(self, place: Place) -> None:
        write(place.monitor / "in-1.wav")
        async with running(Daemon(place, QUICK._replace(in_report=True))) as daemon:
            await daemon.hear("in-1.wav")
            await daemon.progress(Progress.LINKED)
            await end_of_call(daemon)
            assert await daemon.waiting_links() == []

    async def test_an_address_elsewhere_is_told_without_looking_for_the_file(self, place: Place) -> None:
        place.shelf = Shelf(Path("/nowhere"), Path("/var/spool/asterisk/monitor"))
        settings = QUICK._replace(url="https://records.example.com/{path}", url_after=0)
        async with running(Daemon(place, settings)) as daemon:
            await daemon.hear("/var/spool/asterisk/monitor/2026/in-1.wav")
            await daemon.progress(Progress.LINKED)
            await end_of_call(daemon)
            (link,) = await daemon.links()
        assert link.link == "https://records.example.com/2026/in-1.wav"
