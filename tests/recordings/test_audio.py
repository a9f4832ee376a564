"""What is heard: converted once, limited, and never worse than the file as it is."""

import asyncio
import os
import stat
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ami_planfix.recordings import processes
from ami_planfix.recordings.audio import Audio, Converter
from ami_planfix.recordings.converters import Program
from ami_planfix.recordings.files import Opened, Part
from ami_planfix.recordings.processes import Processes
from tests.recordings.conftest import NOW, Place
from tests.recordings.sounds import samples_of_wav, share, write_tone

COUNTING = """
import os, sys, time
until = time.monotonic() + 10
while os.getpriority(os.PRIO_PROCESS, 0) != 19 and time.monotonic() < until:
    time.sleep(0.01)  # it is lowered just after the start
open({log!r}, "a").write(f"{{os.getpriority(os.PRIO_PROCESS, 0)}} {{' '.join(sys.argv[1:])}}\\n")
output = sys.argv[-1].removeprefix("file:")
open(output, "wb").write(b"M" * 1000)
"""
FAILING = 'import sys; sys.exit("this is no audio")'
HANGING = "import time; time.sleep(3600)"
GREEDY = """
import sys
with open(sys.argv[-1].removeprefix("file:"), "wb") as file:
    while True:
        file.write(b"x" * 10_000_000)
"""


def program(folder: Path, text: str) -> Converter:
    """Make a program that stands for ffmpeg."""
    path = folder / "ffmpeg"
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return Converter(Program.FFMPEG, str(path))


def audio(place: Place, converter: Converter | None, *, original: bool = False, limit: float = 30.0) -> Audio:
    return Audio(place.disk, place.cache, converter, original=original, processes=Processes(limit=limit))


def parts(place: Place, *names: str) -> list[Part]:
    return [place.shelf.open(name, NOW) for name in names]


async def read(opened: Opened) -> bytes:
    with opened:
        return opened.read(0, opened.size)


class TestWithoutAProgram:
    async def test_one_file_is_given_as_it_is(self, place: Place) -> None:
        there = write_tone(place.monitor / "a.wav", 440)
        opened = await audio(place, None).of(parts(place, "a.wav"))
        assert opened.path == there
        assert await read(opened) == there.read_bytes()

    async def test_plain_wav_files_are_joined_in_their_order(self, place: Place) -> None:
        write_tone(place.monitor / "a.wav", 440)
        write_tone(place.monitor / "b.wav", 1000)
        with await audio(place, None).of(parts(place, "a.wav", "b.wav")) as opened:
            samples = samples_of_wav(opened.path)
        assert len(samples) == 16000
        assert share(samples[:8000], 440) > 0.9
        assert share(samples[8000:], 1000) > 0.9

    async def test_what_cannot_be_joined_gives_its_longest_part_and_says_so(self, place: Place) -> None:
        (place.monitor / "a.gsm").write_bytes(b"G" * 100)
        (place.monitor / "b.gsm").write_bytes(b"H" * 200)
        with capture_logs() as said:
            opened = await audio(place, None).of(parts(place, "a.gsm", "b.gsm"))
        assert await read(opened) == b"H" * 200
        assert {"recordings not joined", "recording not converted"} == {line["event"] for line in said}


class TestConversion:
    async def test_is_done_once_and_kept_at_the_lowest_priority(self, place: Place, tmp_path: Path) -> None:
        write_tone(place.monitor / "a.wav", 440)
        log = tmp_path / "runs"
        made = audio(place, program(tmp_path, COUNTING.format(log=str(log))))
        results = await asyncio.gather(*(made.of(parts(place, "a.wav")) for _ in range(5)))
        for opened in results:
            assert opened.path.suffix == ".mp3"
            assert await read(opened) == b"M" * 1000
        (run,) = log.read_text().splitlines()
        assert run.startswith("19 ")
        assert "a.wav" not in run
        again = audio(place, program(tmp_path, FAILING))  # after a restart: from the cache
        assert await read(await again.of(parts(place, "a.wav"))) == b"M" * 1000

    async def test_a_file_that_has_changed_is_converted_anew(self, place: Place, tmp_path: Path) -> None:
        log = tmp_path / "runs"
        made = audio(place, program(tmp_path, COUNTING.format(log=str(log))))
        fingerprints = set()
        for frequency in (440, 1000):
            write_tone(place.monitor / "a.wav", frequency, seconds=frequency / 1000)
            with await made.of(parts(place, "a.wav")) as opened:
                fingerprints.add(opened.fingerprint)
        assert len(log.read_text().splitlines()) == 2
        assert len(fingerprints) == 2

    async def test_an_mp3_is_left_alone(self, place: Place, tmp_path: Path) -> None:
        (place.monitor / "a.mp3").write_bytes(b"3" * 100)
        opened = await audio(place, program(tmp_path, FAILING)).of(parts(place, "a.wav"))
        assert await read(opened) == b"3" * 100

    async def test_the_original_is_given_where_the_administrator_wants_it(self, place: Place, tmp_path: Path) -> None:
        there = write_tone(place.monitor / "a.wav", 440)
        opened = await audio(place, program(tmp_path, FAILING), original=True).of(parts(place, "a.wav"))
        assert await read(opened) == there.read_bytes()

    async def test_a_failure_gives_the_file_as_it_is_and_is_not_tried_again_at_once(
        self, place: Place, tmp_path: Path
    ) -> None:
        there = write_tone(place.monitor / "a.wav", 440)
        made = audio(place, program(tmp_path, FAILING))
        with capture_logs() as said:
            for _ in range(2):
                assert await read(await made.of(parts(place, "a.wav"))) == there.read_bytes()
        (line,) = said
        assert line["event"] == "recording not converted"
        assert "this is no audio" in line["error"]

    async def test_a_program_that_hangs_is_killed(self, place: Place, tmp_path: Path) -> None:
        there = write_tone(place.monitor / "a.wav", 440)
        made = audio(place, program(tmp_path, HANGING), limit=0.3)
        with capture_logs() as said:
            assert await read(await made.of(parts(place, "a.wav"))) == there.read_bytes()
        assert "was stopped after 0.3 s" in said[0]["error"]

    async def test_a_program_that_writes_without_end_is_stopped(
        self, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(processes, "MOST_BYTES", 100_000_000)
        there = write_tone(place.monitor / "a.wav", 440)
        made = audio(place, program(tmp_path, GREEDY))
        with capture_logs() as said:
            assert await read(await made.of(parts(place, "a.wav"))) == there.read_bytes()
        assert "File too large" in said[0]["error"]
        assert list(place.cache_folder.iterdir()) == []

    async def test_a_program_that_is_not_there_any_more_is_said(self, place: Place) -> None:
        there = write_tone(place.monitor / "a.wav", 440)
        made = audio(place, Converter(Program.FFMPEG, "/nowhere/ffmpeg"))
        with capture_logs() as said:
            assert await read(await made.of(parts(place, "a.wav"))) == there.read_bytes()
        assert "/nowhere/ffmpeg cannot be run" in said[0]["error"]

    async def test_nothing_unfinished_stays_and_no_descriptor_is_left_open(self, place: Place, tmp_path: Path) -> None:
        write_tone(place.monitor / "a.wav", 440)
        before = len(os.listdir("/proc/self/fd"))
        for text, limit in ((FAILING, 30.0), (HANGING, 1.0), (COUNTING.format(log=str(tmp_path / "runs")), 30.0)):
            (await audio(place, program(tmp_path, text), limit=limit).of(parts(place, "a.wav"))).close()
        assert len(os.listdir("/proc/self/fd")) == before
        assert [path.suffix for path in place.cache_folder.iterdir()] == [".mp3"]


class TestCleaning:
    async def test_what_nobody_used_for_long_goes_and_what_is_used_stays(self, place: Place, tmp_path: Path) -> None:
        made = audio(place, program(tmp_path, COUNTING.format(log=str(tmp_path / "runs"))))
        for name in ("a.wav", "b.wav"):
            write_tone(place.monitor / name, 440)
            (await made.of(parts(place, name))).close()
        place.now += 20 * 86400
        (await made.of(parts(place, "a.wav"))).close()
        place.now += 15 * 86400
        await made.clean()
        assert len(list(place.cache_folder.iterdir())) == 1
        (await made.of(parts(place, "b.wav"))).close()
        assert len((tmp_path / "runs").read_text().splitlines()) == 3

    async def test_there_is_never_more_than_was_allowed(self, place: Place) -> None:
        place.cache_folder.mkdir()
        for nth in range(5):
            path = place.cache_folder / f"{nth:064x}.mp3"
            path.touch()
            os.truncate(path, 300_000_000)
            os.utime(path, (NOW + nth, NOW + nth))
        place.now = NOW + 10
        await audio(place, None).clean()
        kept = sorted(path.name for path in place.cache_folder.iterdir())
        assert kept == [f"{nth:064x}.mp3" for nth in (2, 3, 4)]

    async def test_what_is_not_ours_is_left_alone_and_what_was_never_finished_goes(self, place: Place) -> None:
        place.cache_folder.mkdir()
        unfinished = place.cache_folder / f"{'a' * 64}.12345678.part"
        for path in (place.cache_folder / "notes.txt", unfinished):
            path.write_bytes(b"x")
            os.utime(path, (NOW, NOW))
        place.now = NOW + 10 * 86400 * 30
        await audio(place, None).clean()
        assert [path.name for path in place.cache_folder.iterdir()] == ["notes.txt"]
