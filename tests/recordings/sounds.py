"""Makes recordings whose voices are tones, and tells which tones are in what comes out."""

import asyncio
import math
import shutil
import wave
from pathlib import Path

from tests.lab.sip.codecs import loudness, samples_to_wav_data

RATE = 8000


def write_tone(path: Path, frequency: int, seconds: float = 1.0, rate: int = RATE) -> Path:
    """Write a plain wav file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = [int(8000 * math.sin(2 * math.pi * frequency * n / rate)) for n in range(int(rate * seconds))]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples_to_wav_data(samples))
    return path


def samples_of_wav(path: Path) -> list[int]:
    """Read a plain wav file of 8000 hertz, one channel."""
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        data = file.readframes(file.getnframes())
    return [int.from_bytes(data[at : at + 2], "little", signed=True) for at in range(0, len(data), 2)]


async def samples_of(data: bytes, kind: str, folder: Path) -> list[int]:
    """Decode what was downloaded, by ffmpeg; `kind` is its demuxer (`mp3`, `wav`)."""
    source, target = folder / "downloaded", folder / "decoded.wav"
    source.write_bytes(data)
    program = shutil.which("ffmpeg")
    assert program, "run `python -m tests.lab install` as root"
    arguments = ["-nostdin", "-loglevel", "error", "-y", "-f", kind, "-i", str(source), "-ar", str(RATE), "-ac", "1"]
    process = await asyncio.create_subprocess_exec(program, *arguments, str(target))
    assert await process.wait() == 0
    return samples_of_wav(target)


def share(samples: list[int], frequency: int) -> float:
    """Tell how much of the sound is this tone, 0 to 1."""
    return loudness(samples, frequency)


def most(samples: list[int], frequency: int) -> float:
    """Tell how much of it is this tone where it is loudest, looking at a quarter of a second at a time."""
    window = RATE // 4
    return max(share(samples[at : at + window], frequency) for at in range(0, len(samples) - window + 1, window))
