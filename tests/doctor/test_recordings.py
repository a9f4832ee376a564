"""What can be wrong with recordings: caused, found, mended as advised."""

import os
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from ami_planfix.calls.reports import Outcome, Stage
from ami_planfix.doctor import recordings
from ami_planfix.doctor.finding import Sign
from ami_planfix.recordings.files import Shelf
from ami_planfix.recordings.ledger import Ledger, Progress
from ami_planfix.storage.database import Database
from tests.doctor.bed import Bed, nobody, site
from tests.making import report

ALL = ("folder", "mp3", "links")


async def test_all_is_well(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "ffmpeg")
    async with bed.daemon():
        with capture_logs() as logs:
            await bed.is_well(*ALL)
    assert "wrong link" not in [line["event"] for line in logs]


async def test_without_a_server_they_are_not_used(bed: Bed) -> None:
    del bed.sections["server"]
    assert {finding.sign for finding in await bed.findings(*ALL)} == {Sign.UNTRIED}
    bed.sections["recordings"]["url"] = "https://records.example.com/{path}"
    assert {finding.sign for finding in await bed.findings(*ALL)} == {Sign.UNTRIED}


async def test_a_folder_that_is_not_there(bed: Bed) -> None:
    bed.sections["recordings"]["directory"] = str(bed.folder / "monitr")
    await bed.has(recordings.FOLDER, "folder")
    bed.sections["recordings"]["directory"] = str(bed.folder / "monitor")
    await bed.is_well("folder")


async def test_a_folder_that_hangs(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(recordings, "PATIENCE", 0.05)
    monkeypatch.setattr(Shelf, "trouble", lambda _: over.wait(10) and "")
    finding = await bed.has(recordings.FOLDER, "folder")
    assert "hangs" in finding.found
    over.set()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
async def test_a_folder_that_the_daemon_cannot_read(bed: Bed) -> None:
    """What is missing is the group of Asterisk, as docs/admin/recordings.md says."""
    bed.user = nobody()
    day = bed.folder / "monitor/2026/11/25"
    day.mkdir(parents=True)
    (day / "out-101.wav").touch()
    asterisk = 4711
    for path in (bed.folder / "monitor", *(bed.folder / "monitor").rglob("*")):
        os.chown(path, 0, asterisk)
        path.chmod(0o750 if path.is_dir() else 0o640)
    finding = await bed.has(recordings.CLOSED, "folder")
    assert f"SupplementaryGroups={asterisk}" in finding.remedy
    bed.user = bed.user._replace(groups=(*bed.user.groups, asterisk))
    await bed.is_well("folder")
    (day / "out-101.wav").chmod(0o600)
    await bed.has(recordings.CLOSED, "folder")


async def test_nothing_that_makes_mp3(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    await bed.has(recordings.NO_CONVERTER, "mp3")
    installed(monkeypatch, "sox")
    await bed.is_well("mp3")
    bed.sections["recordings"]["converter"] = "ffmpeg"
    await bed.has(recordings.NO_CONVERTER, "mp3")
    bed.sections["recordings"]["format"] = "original"
    await bed.is_well("mp3")


async def test_what_makes_mp3_is_installed_while_the_daemon_runs(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    async with bed.daemon():
        installed(monkeypatch, "sox")
        await bed.has(recordings.NEW_CONVERTER, "mp3")
    async with bed.daemon():
        await bed.is_well("mp3")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
async def test_a_cache_that_cannot_be_written(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "ffmpeg")
    bed.user = nobody()
    (bed.folder / "cache").mkdir()
    finding = await bed.has(recordings.CACHE, "mp3")
    assert f"-o nobody -g {bed.user.group} {bed.folder / 'cache'}" in finding.remedy
    os.chown(bed.folder / "cache", bed.user.uid, bed.user.gid)
    await bed.is_well("mp3")


class TestLinks:
    async def test_the_newest_link_is_heard(self, bed: Bed) -> None:
        bed.sections["recordings"] |= {"format": "original", "asterisk_directory": str(bed.folder / "monitor")}
        file = bed.folder / "monitor/talk.wav"
        shutil.copy(wav(bed.folder), file)
        async with bed.daemon():
            await note(bed, "1.1", "talk.wav", Progress.LINKED)
            (finding,) = await bed.findings("links")
            assert finding.found == "the newest recording can be heard from outside"
            file.rename(bed.folder / "moved.wav")
            await bed.has(recordings.LINK, "links")
            bed.folder.joinpath("moved.wav").rename(file)
            await bed.is_well("links")

    async def test_recordings_that_did_not_appear(self, bed: Bed) -> None:
        async with bed.daemon():
            await note(bed, "1.2", "gone.wav", Progress.MISSING)
            await bed.has(recordings.MISSING, "links")

    async def test_a_proxy_that_does_not_pass_recordings_on(self, bed: Bed) -> None:
        async with bed.daemon(), site(web.Response(status=404, text="<h1>404 Not Found</h1>")) as port:
            bed.sections["server"]["public_url"] = f"http://127.0.0.1:{port}"
            await bed.has(recordings.NOT_PASSED, "links")
            bed.sections["server"]["public_url"] = f"http://127.0.0.1:{bed.port}"
            await bed.is_well("links")

    async def test_a_machine_that_may_not_ask_itself(self, bed: Bed) -> None:
        bed.sections["server"]["allow_from"] = ["198.51.100.0/24"]
        async with bed.daemon():
            (finding,) = await bed.findings("links")
        assert finding.sign is Sign.UNTRIED


def installed(monkeypatch: pytest.MonkeyPatch, *programs: str) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name in programs else None)


def wav(folder: Path) -> Path:
    sound = b"\x00\x01" * 8000
    size = len(sound)
    head = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    form = b"\x01\x00\x01\x00" + (8000).to_bytes(4, "little") + (16000).to_bytes(4, "little") + b"\x02\x00\x10\x00"
    path = folder / "sound.wav"
    path.write_bytes(head + form + b"data" + size.to_bytes(4, "little") + sound)
    return path


async def note(bed: Bed, callid: str, name: str, progress: Progress) -> None:
    """Write into the daemon's own database that a call had a recording."""
    told = report(Stage.COMPLETED, callid=callid, outcome=Outcome.SUCCESS, at=time.time())
    async with Database(f"sqlite:///{bed.folder}/state.db") as database, database.write() as connection:
        ledger = Ledger(database)
        await ledger.put(connection, [replace(told, recorded=True, recordings=(str(bed.folder / "monitor" / name),))])
        await ledger.settle(connection, callid, progress, time.time())
