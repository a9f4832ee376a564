"""The real ffmpeg and sox: what they are told makes one mp3 in which every voice is heard."""

import shutil
import subprocess
from pathlib import Path

import pytest

from ami_planfix.recordings.audio import Audio, Converter
from ami_planfix.recordings.converters import Program
from tests.recordings.conftest import NOW, Place
from tests.recordings.sounds import RATE, samples_of, share, write_tone

pytestmark = pytest.mark.asterisk
each = pytest.mark.parametrize("program", list(Program))


async def heard(place: Place, program: Program, folder: Path, *names: str) -> list[int]:
    """Convert some recordings, and decode what came out."""
    path = shutil.which(program)
    assert path, "run `python -m tests.lab install` as root"
    made = Audio(place.disk, place.cache, Converter(program, path))
    with await made.of([place.shelf.open(name, NOW) for name in names]) as opened:
        assert opened.path.suffix == ".mp3"
        return await samples_of(opened.read(0, opened.size), "mp3", folder)


def as_other_kind(source: Path, target: Path, *arguments: str) -> None:
    """Write a recording as another kind, by sox."""
    subprocess.run(["sox", str(source), *arguments, str(target)], check=True)


@each
async def test_a_recording_keeps_its_sound_and_its_length(place: Place, program: Program, tmp_path: Path) -> None:
    write_tone(place.monitor / "a.wav", 440, seconds=2)
    samples = await heard(place, program, tmp_path, "a.wav")
    assert share(samples[4000:12000], 440) > 0.9
    assert abs(len(samples) - 2 * RATE) < RATE / 4


@each
async def test_parts_follow_each_other_whatever_their_rates(place: Place, program: Program, tmp_path: Path) -> None:
    write_tone(place.monitor / "a.wav", 440)
    write_tone(place.monitor / "b.wav", 1000, rate=16000)
    write_tone(place.monitor / "c.wav", 700)
    samples = await heard(place, program, tmp_path, "a.wav", "b.wav", "c.wav")
    for second, frequency in enumerate((440, 1000, 700)):
        at = second * RATE + RATE // 4
        assert share(samples[at : at + RATE // 2], frequency) > 0.8


@each
async def test_both_sides_of_an_old_monitor_are_mixed(place: Place, program: Program, tmp_path: Path) -> None:
    write_tone(place.monitor / "a-in.wav", 440)
    write_tone(place.monitor / "a-out.wav", 1000)
    samples = await heard(place, program, tmp_path, "a.wav")
    middle = samples[2000:6000]
    assert share(middle, 440) > 0.3
    assert share(middle, 1000) > 0.3
    assert abs(len(samples) - RATE) < RATE / 4


@each
async def test_two_sides_and_a_whole_one_follow_each_other(place: Place, program: Program, tmp_path: Path) -> None:
    write_tone(place.monitor / "a-in.wav", 440)
    write_tone(place.monitor / "a-out.wav", 1000)
    write_tone(place.monitor / "b.wav", 700)
    samples = await heard(place, program, tmp_path, "a.wav", "b.wav")
    assert share(samples[2000:6000], 440) > 0.3
    assert share(samples[RATE + 2000 : RATE + 6000], 700) > 0.8


@each
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("a.WAV", ["-t", "wav", "-e", "gsm-full-rate"]),
        ("a.gsm", ["-t", "gsm"]),
        ("a.ogg", ["-t", "ogg"]),
        ("a.flac", []),
        ("a.sln", ["-t", "raw", "-e", "signed-integer", "-b", "16"]),
        ("a.ulaw", ["-t", "raw", "-e", "mu-law", "-b", "8"]),
        ("a.alaw", ["-t", "raw", "-e", "a-law", "-b", "8"]),
    ],
)
async def test_every_kind_that_asterisk_writes(
    place: Place, program: Program, tmp_path: Path, name: str, arguments: list[str]
) -> None:
    as_other_kind(write_tone(tmp_path / "source.wav", 440), place.monitor / name, *arguments)
    samples = await heard(place, program, tmp_path, name)
    assert share(samples[2000:6000], 440) > 0.8


@each
async def test_a_playlist_in_place_of_a_sound_reads_no_other_file(
    place: Place, program: Program, tmp_path: Path
) -> None:
    secret = write_tone(tmp_path / "secret.wav", 440)
    playlist = f"#EXTM3U\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n" + "#" * 100
    (place.monitor / "a.wav").write_text(playlist)
    path = shutil.which(program)
    assert path
    made = Audio(place.disk, place.cache, Converter(program, path))
    with await made.of([place.shelf.open("a.wav", NOW)]) as opened:
        assert opened.read(0, opened.size) == playlist.encode()  # as it is: it could not be converted
