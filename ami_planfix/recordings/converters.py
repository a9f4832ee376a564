"""What ffmpeg and sox are told, so that several recordings become one mp3 (pure).

Inputs are named by descriptors that the program inherits: it opens exactly the files that were checked, and no name of
Asterisk's ever reaches a command line. Their kind is told, never guessed.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from ami_planfix.recordings.formats import Format

QUALITY = 5
"""Of variable bit rate (LAME): about 20 kbit/s for a telephone's sound."""
_RATE_OF_MANY = 16000
"""sox joins only what has one rate, hertz; telephones have 8000 or 16000."""


class Program(StrEnum):
    """A program that converts."""

    FFMPEG = "ffmpeg"
    SOX = "sox"


class Source(NamedTuple):
    """An open file."""

    descriptor: int
    format: Format

    @property
    def name(self) -> str:
        """Tell how a program that has inherited the descriptor opens it."""
        return f"/proc/self/fd/{self.descriptor}"


Parts = Sequence[Sequence[Source]]
"""Recordings in order; each is one file, or both sides of a conversation that are to be mixed."""


def commands(program: Program, path: str, parts: Parts, output: str) -> list[list[str]]:
    """Tell what to run, one after another; `output` is the mp3, files beside it that begin alike are temporary."""
    match program:
        case Program.FFMPEG:
            return [_ffmpeg(path, parts, output)]
        case Program.SOX:
            return _sox(path, parts, output)


def _ffmpeg(path: str, parts: Parts, output: str) -> list[str]:
    command = [path, "-nostdin", "-hide_banner", "-loglevel", "error", "-y"]
    chains: list[str] = []
    joined = ""
    number = 0
    for nth, sides in enumerate(parts):
        inputs = ""
        for side in sides:
            command += [*side.format.ffmpeg, "-protocol_whitelist", "file", "-i", f"file:{side.name}"]
            inputs += f"[{number}:a:0]"
            number += 1
        mixed = f"amix=inputs={len(sides)}:duration=longest,volume={len(sides)}" if len(sides) > 1 else "anull"
        chains.append(f"{inputs}{mixed}[p{nth}]")
        joined += f"[p{nth}]"
    chains.append(f"{joined}concat=n={len(parts)}:v=0:a=1[out]")
    command += ["-filter_complex_threads", "1", "-filter_complex", ";".join(chains), "-map", "[out]"]
    command += ["-map_metadata", "-1", "-threads", "1", "-codec:a", "libmp3lame", "-q:a", str(QUALITY)]
    return [*command, "-f", "mp3", f"file:{output}"]


def _sox(path: str, parts: Parts, output: str) -> list[list[str]]:
    encoded = ["-C", f"-{QUALITY}.2", "-t", "mp3", output]
    if len(parts) == 1:
        return [[path, "-V1", *_sox_inputs(parts[0]), *encoded]]
    steps: list[list[str]] = []
    pieces: list[str] = []
    for nth, sides in enumerate(parts):
        piece = f"{output}.{nth}"
        wav = ["-r", str(_RATE_OF_MANY), "-c", "1", "-b", "16", "-t", "wav", piece]
        steps.append([path, "-V1", *_sox_inputs(sides), *wav])
        pieces += ["-t", "wav", piece]
    return [*steps, [path, "-V1", *pieces, *encoded]]


def _sox_inputs(sides: Sequence[Source]) -> list[str]:
    inputs = ["-m"] if len(sides) > 1 else []
    for side in sides:
        inputs += [*side.format.sox, side.name]
    return inputs
