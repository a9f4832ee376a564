"""The whole way, on a real Asterisk: a call is recorded, Planfix gets a link, and behind it is what was said."""

import asyncio
import os
import shutil
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession, TCPConnector
from asyncinotify import Inotify, Mask
from yarl import URL

from ami_planfix.demo.planfix import EmbeddedPlanfix, Received
from tests.cli.running import ami_planfix
from tests.daemon_process import LIMIT, PBX_TOKEN, Home, Process
from tests.lab import Lab, talk
from tests.lab.sip.call import Call
from tests.lab.stories import freepbx
from tests.lab.stories.recording import recorded_from_the_answer_on, recorded_on_client_channel
from tests.lab.stories.telling import converse, finish, moment, ring
from tests.recordings.sounds import most, samples_of

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

SILENT = 0.05
NOTHING = b'{"error": "Not found", "reason": "nothing is here"}'


class Office(Home):
    """A daemon between the lab and a Planfix of its own, which may read the recordings."""

    def __init__(self, lab: Lab, planfix: EmbeddedPlanfix, folder: Path) -> None:
        asterisk = lab.asterisk
        ami = {"port": asterisk.ami_port, "username": asterisk.ami_username, "secret": asterisk.ami_secret}
        super().__init__(planfix, folder, ami)
        self.lab = lab
        server = self.sections["server"]
        assert isinstance(server, dict)
        server["public_url"] = f"http://127.0.0.1:{self.server_port}"
        self.sections["trunks"] = [{"channel": f"{asterisk.technology}/provider", "number": "74951230000"}]
        self.recordings: dict[str, object] = {
            "directory": str(lab.recordings_directory),
            "asterisk_directory": str(asterisk.asterisk_recordings_directory),
            "cache": str(folder / "cache"),
            "settle": 0.5,
        }
        self.sections["recordings"] = self.recordings
        self.write_config()

    async def start(self) -> Process:
        """Start the daemon, and wait until it follows calls."""
        self.write_config()
        process = await Process.start(self, (), None)
        await process.ready()
        await process.logged("ami connected")
        return process

    async def record(self) -> Received:
        """Wait for the first `record`; the end of its call came before it."""
        await self.planfix.wait_for(lambda _: bool(self.records()), LIMIT)
        (found,) = self.records()
        before = self.planfix.taken[: self.planfix.taken.index(found)]
        ends = [one.fields for one in before if one.event.endswith("Success")]
        # Who is killed just after Planfix took a report tells it again.
        assert {(end["callid"], end["is_recorded"]) for end in ends} == {(found.fields["callid"], "1")}
        assert "record_link" not in ends[0]
        return found

    def records(self) -> list[Received]:
        return [one for one in self.planfix.taken if one.fields.get("cmd") == "record"]

    async def sound_of(self, link: str) -> list[int]:
        """Download what a link leads to, and decode it."""
        async with ClientSession() as session, session.get(link) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.headers["Content-Type"] == "audio/mpeg"
            return await samples_of(await answer.read(), "mp3", self.folder)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[22, 16])
async def running_lab(request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
    async with Lab(version=request.param) as lab:
        yield lab


@pytest_asyncio.fixture(loop_scope="module")
async def office(running_lab: Lab, tmp_path: Path) -> AsyncIterator[Office]:
    running_lab.forget()
    async with AsyncExitStack() as stack:
        planfix = await stack.enter_async_context(EmbeddedPlanfix(pbx_token=PBX_TOKEN))
        yield Office(running_lab, planfix, tmp_path)


@pytest_asyncio.fixture(loop_scope="module")
async def at_work(office: Office) -> AsyncIterator[Office]:
    process = await office.start()
    yield office
    assert await process.end() == 0, process.raw.decode()


def tone_of(lab: Lab, extension: str) -> int:
    return lab.phones[extension].frequency


class TestWhatIsHeard:
    async def test_both_voices_of_a_recorded_call(self, at_work: Office) -> None:
        lab = at_work.lab
        await recorded_on_client_channel(lab)
        record = await at_work.record()
        assert "is_temp" not in record.fields
        samples = await at_work.sound_of(record.fields["record_link"])
        assert most(samples, lab.client.frequency) > 0.2
        assert most(samples, tone_of(lab, "101")) > 0.2
        assert most(samples, tone_of(lab, "103")) < SILENT

    async def test_recorded_on_the_employees_channel_from_the_answer_on(self, at_work: Office) -> None:
        lab = at_work.lab
        await recorded_from_the_answer_on(lab)
        samples = await at_work.sound_of((await at_work.record()).fields["record_link"])
        assert most(samples, lab.client.frequency) > 0.2
        assert most(samples, tone_of(lab, "101")) > 0.2

    async def test_recorded_as_freepbx_does(self, at_work: Office) -> None:
        await freepbx.freepbx_ring_group(at_work.lab)
        samples = await at_work.sound_of((await at_work.record()).fields["record_link"])
        assert most(samples, tone_of(at_work.lab, "102")) > 0.2

    async def test_a_relative_name_in_a_folder_of_the_day(self, at_work: Office) -> None:
        conversation = await converse(at_work.lab, "74951230036")
        await conversation.client_hangs_up(at_work.lab)
        samples = await at_work.sound_of((await at_work.record()).fields["record_link"])
        assert most(samples, tone_of(at_work.lab, "101")) > 0.2

    async def test_a_transferred_call_has_everybody_who_talked(self, at_work: Office) -> None:
        lab = at_work.lab
        client = await lab.client.dial("74951230009")
        first, other = await ring(lab, "101", "102")
        await moment()
        await first.answer()
        await other.ended()
        await talk(client, first)
        await first.transfer("103")
        second = await lab.phones["103"].rings()
        await moment()
        await second.answer()
        await talk(client, second)
        await finish(lab, client, second)
        samples = await at_work.sound_of((await at_work.record()).fields["record_link"])
        assert most(samples[: len(samples) // 2], tone_of(lab, "101")) > 0.2
        assert most(samples[-len(samples) // 4 :], lab.client.frequency) > 0.2
        if lab.asterisk.version == 16:  # in about every second call 22 does not record whom the client was sent to
            assert most(samples, tone_of(lab, "103")) > 0.2
        assert most(samples[: len(samples) // 4], tone_of(lab, "103")) < SILENT

    async def test_a_call_that_was_handed_over_after_a_consultation(self, at_work: Office) -> None:
        """What 101 and 103 say between themselves is not heard: the client's channel is recorded."""
        lab = at_work.lab
        client = await lab.client.dial("74951230009")
        first, other = await ring(lab, "101", "102")
        await moment()
        await first.answer()
        await other.ended()
        await talk(client, first)
        await first.hold()
        second_line = await lab.phones["101"].dial("103")
        colleague = await lab.phones["103"].rings()
        await colleague.answer()
        await talk(second_line, colleague, 1.0)
        await first.transfer_to(second_line)
        await talk(client, colleague, 3.0)
        await finish(lab, client, colleague)
        samples = await at_work.sound_of((await at_work.record()).fields["record_link"])
        assert most(samples[: len(samples) // 2], tone_of(lab, "101")) > 0.2
        assert most(samples[: len(samples) // 4], tone_of(lab, "103")) < SILENT
        end = samples[-len(samples) // 4 :]
        assert most(end, lab.client.frequency) > 0.2
        if lab.asterisk.version == 16:  # 22 does not always record whom the client was handed to
            assert most(end, tone_of(lab, "103")) > 0.2

    async def test_two_parts_one_after_the_other(self, at_work: Office) -> None:
        """101 records by pressing *1, transfers to 103, who records as well."""
        lab = at_work.lab
        conversation = await converse(lab)
        client = conversation.client
        await self.press_record(lab, conversation.employee)
        await talk(client, conversation.employee)
        await self.press_stop(lab, conversation.employee)
        await conversation.employee.transfer("103")
        second = await lab.phones["103"].rings()
        await moment()
        await second.answer()
        await talk(client, second, 0.5)
        await self.press_record(lab, second)
        await talk(client, second)
        await finish(lab, client, second)
        samples = await at_work.sound_of((await at_work.record()).fields["record_link"])
        half = len(samples) // 2
        assert most(samples[:half], tone_of(lab, "101")) > 0.2
        assert most(samples[half:], tone_of(lab, "103")) > 0.2
        assert most(samples[: half // 2], tone_of(lab, "103")) < SILENT
        assert most(samples[half + half // 2 :], tone_of(lab, "101")) < SILENT

    async def press_record(self, lab: Lab, employee: Call) -> None:
        since = len(lab.ami.events)
        await employee.press("*1")
        await lab.ami.event("MixMonitorStart", since=since)

    async def press_stop(self, lab: Lab, employee: Call) -> None:
        since = len(lab.ami.events)
        await employee.press("*1")
        await lab.ami.event("MixMonitorStop", since=since)

    async def test_a_pause_is_silent(self, at_work: Office) -> None:
        lab = at_work.lab
        client = await lab.client.dial("74951230009")
        employee, other = await ring(lab, "101", "102")
        await employee.answer()
        await other.ended()
        await talk(client, employee, 1.0)
        channel = await lab.ami.channel(lab.device("provider"))
        await lab.ami.action("MixMonitorMute", Channel=channel, Direction="both", State="1")
        await talk(client, employee, 2.0)
        await lab.ami.action("MixMonitorMute", Channel=channel, Direction="both", State="0")
        await talk(client, employee, 1.0)
        await finish(lab, client, employee)
        samples = await at_work.sound_of((await at_work.record()).fields["record_link"])
        quarter = len(samples) // 4
        assert most(samples[:quarter], lab.client.frequency) > 0.2
        assert most(samples[-quarter:], lab.client.frequency) > 0.2
        middle = samples[len(samples) // 2 - 2000 : len(samples) // 2 + 2000]
        assert max(map(abs, middle)) < 500


class TestRestart:
    async def test_killed_between_the_calls_end_and_the_recordings(self, office: Office) -> None:
        there = office.recordings["directory"]
        office.recordings["directory"] = str(office.folder / "not mounted yet")
        process = await office.start()
        await recorded_on_client_channel(office.lab)
        await office.planfix.wait_for(lambda taken: any(one.event.endswith("Success") for one in taken), LIMIT)
        process.signal(signal.SIGKILL)
        await process.end()
        assert not office.records()
        office.recordings["directory"] = there
        process = await office.start()
        record = await office.record()
        assert most(await office.sound_of(record.fields["record_link"]), office.lab.client.frequency) > 0.2
        assert await process.end() == 0
        process = await office.start()
        assert await process.end() == 0
        assert len(office.records()) == 1

    async def test_killed_in_the_middle_of_the_conversion(
        self, office: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        slow = tmp_path / "bin" / "ffmpeg"
        slow.parent.mkdir()
        began = tmp_path / "began"
        slow.write_text(f"#!{sys.executable}\nimport time\nopen({str(began)!r}, 'w').close()\ntime.sleep(60)\n")
        slow.chmod(slow.stat().st_mode | stat.S_IXUSR)
        path = os.environ["PATH"]
        monkeypatch.setenv("PATH", f"{slow.parent}:{path}")
        process = await office.start()
        await recorded_on_client_channel(office.lab)
        async with asyncio.timeout(LIMIT):
            while not began.exists():  # noqa: ASYNC110 (a program that is about to be killed tells nobody)
                await asyncio.sleep(0.05)
        process.signal(signal.SIGKILL)
        await process.end()
        assert not office.records()
        monkeypatch.setenv("PATH", path)
        process = await office.start()
        record = await office.record()
        assert most(await office.sound_of(record.fields["record_link"]), office.lab.client.frequency) > 0.2
        assert await process.end() == 0


async def make_mp3_instead(wav: Path) -> None:
    """Do what scripts after a recording do."""
    program = shutil.which("sox")
    assert program
    script = await asyncio.create_subprocess_exec(program, str(wav), str(wav.with_suffix(".mp3")))
    assert await script.wait() == 0
    await asyncio.to_thread(wav.unlink)


class TestLater:
    async def test_the_link_survives_a_script_a_move_into_the_archive_and_a_restart(
        self, office: Office, tmp_path: Path
    ) -> None:
        archive = tmp_path / "archive"
        archive.mkdir()
        office.recordings["archives"] = [str(archive)]
        process = await office.start()
        await recorded_on_client_channel(office.lab)
        link = (await office.record()).fields["record_link"]
        (there,) = sorted(office.lab.recordings_directory.glob("in-*.wav"), key=lambda path: path.stat().st_mtime)[-1:]
        await make_mp3_instead(there)
        assert most(await office.sound_of(link), office.lab.client.frequency) > 0.2
        there.with_suffix(".mp3").rename(archive / there.with_suffix(".mp3").name)
        assert most(await office.sound_of(link), office.lab.client.frequency) > 0.2
        assert await process.end() == 0
        process = await office.start()
        assert most(await office.sound_of(link), office.lab.client.frequency) > 0.2
        assert await process.end() == 0

    async def test_a_script_that_is_quicker_than_we(self, at_work: Office) -> None:
        with Inotify() as inotify:
            inotify.add_watch(at_work.lab.recordings_directory, Mask.CLOSE_WRITE)
            call = asyncio.create_task(recorded_on_client_channel(at_work.lab))
            closed = await anext(aiter(inotify))
        assert closed.path is not None
        await make_mp3_instead(closed.path)
        await call
        samples = await at_work.sound_of((await at_work.record()).fields["record_link"])
        assert most(samples, at_work.lab.client.frequency) > 0.2
        assert not closed.path.exists()

    async def test_a_link_in_the_report_of_the_end_is_good_though_the_file_is_not_whole_yet(
        self, office: Office
    ) -> None:
        office.recordings["link"] = "completed"
        process = await office.start()
        await recorded_on_client_channel(office.lab)
        await office.planfix.wait_for(lambda taken: any(one.event.endswith("Success") for one in taken), LIMIT)
        (end,) = [one.fields for one in office.planfix.taken if one.event.endswith("Success")]
        assert most(await office.sound_of(end["record_link"]), office.lab.client.frequency) > 0.2
        assert await process.end() == 0
        assert not office.records()


class TestCommandLine:
    async def test_shows_the_recording_and_revokes_its_link(self, at_work: Office) -> None:
        await recorded_on_client_channel(at_work.lab)
        record = await at_work.record()
        callid, link = record.fields["callid"], record.fields["record_link"]
        for command in (["explain", callid], ["recordings", "--call", callid], ["deliveries", "--call", callid]):
            done = ami_planfix(command[0], "-c", at_work.config_file, *command[1:])
            assert done.status == 0, done.err
            assert "linked" in done.out
            assert "/in-" in done.out
        done = ami_planfix("recordings", "-c", at_work.config_file, "revoke", "--yes")
        assert done.status == 0, done.err
        async with ClientSession() as session, session.get(link) as answer:
            assert answer.status == 404


READERS = 200
LARGE = 64_000_000
"""Bytes: no buffer on the way holds as much."""


class TestAttacks:
    async def test_two_hundred_slow_readers_do_not_delay_a_call(self, office: Office) -> None:
        office.recordings["format"] = "original"
        process = await office.start()
        link, file = await self.recorded(office)
        os.truncate(file, LARGE)
        before = [await self.popup(office) for _ in range(5)]
        readers = [await self.begin_to_read(office, link, number) for number in range(READERS)]
        answers = [await reader.readline() for reader, _ in readers]
        assert answers.count(b"HTTP/1.1 200 OK\r\n") == 4, answers  # of one link; the others may come again
        assert set(answers) == {b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 503 Service Unavailable\r\n"}
        meanwhile = [await self.popup(office) for _ in range(5)]
        for _, writer in readers:
            writer.transport.abort()
        async with ClientSession(connector=TCPConnector(local_addr=("127.0.2.1", 0))) as session:
            async with asyncio.timeout(LIMIT):
                status = 503
                while status == 503:
                    async with session.get(link, headers={"Range": "bytes=0-99"}) as answer:
                        status = answer.status
        assert status == 206
        assert await process.end() == 0
        for what, seconds in ("alone", before), (f"with {READERS} slow readers", meanwhile):
            print(f"ms from ringing to the popup, {what}:", *(f"{1000 * one:.0f}" for one in sorted(seconds)))

    async def test_nothing_but_the_recording_is_given(self, office: Office, tmp_path: Path) -> None:
        office.recordings["format"] = "original"
        process = await office.start()
        link, file = await self.recorded(office)
        base, signature, name = link.rsplit("/", 2)
        secret = tmp_path / "secret.wav"
        secret.write_bytes(b"S" * 5000)
        tricks = (
            f"{base}/{'0' * 32}/{name}",
            f"{base}/{signature}/1.1.wav",
            f"{base}/{signature}/..%2f..%2f{secret.name}",
            f"{base}/{signature}/%2e%2e/%2e%2e/etc/passwd",
            f"{base}/",
        )
        assert [await self.asked(URL(trick, encoded=True)) for trick in tricks] == [(404, NOTHING)] * len(tricks)
        assert (await self.asked(URL(link, encoded=True)))[0] == 200
        file.unlink()
        file.symlink_to(secret)
        assert await self.asked(URL(link, encoded=True)) == (404, NOTHING)
        file.unlink()
        assert await process.end() == 0

    async def recorded(self, office: Office) -> tuple[str, Path]:
        """Let a call be recorded: its link and its file."""
        await recorded_on_client_channel(office.lab)
        record = await office.record()
        callid = record.fields["callid"]
        return record.fields["record_link"], office.lab.recordings_directory / f"in-{callid}.wav"

    async def popup(self, office: Office) -> float:
        """Let a call ring and be given up: the seconds from the ringing until Planfix knows."""
        lab, taken = office.lab, len(office.planfix.taken)
        client = await lab.client.dial("74951230001")
        part = await lab.phones["101"].rings()
        rang = asyncio.get_running_loop().time()
        await office.planfix.wait_for(lambda _: len(office.planfix.taken) > taken, LIMIT)
        delay = asyncio.get_running_loop().time() - rang
        await client.hang_up()
        await part.ended()
        await lab.quiet()
        await office.planfix.wait_for(lambda _: len(office.planfix.taken) > taken + 1, LIMIT)
        return delay

    async def begin_to_read(
        self, office: Office, link: str, number: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Ask for a link from an address of one's own, and take next to nothing."""
        taking = socket.socket()
        taking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        taking.setblocking(False)
        taking.bind((f"127.0.1.{number // 50 + 1}", 0))
        await asyncio.get_running_loop().sock_connect(taking, ("127.0.0.1", office.server_port))
        reader, writer = await asyncio.open_connection(sock=taking, limit=1024)
        writer.write(f"GET {URL(link).raw_path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return reader, writer

    async def asked(self, url: URL) -> tuple[int, bytes]:
        async with ClientSession() as session, session.get(url) as answer:
            return answer.status, await answer.read()
