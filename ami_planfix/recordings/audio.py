"""What is heard: a call's recordings as one file, converted once; as they are where nothing can convert.

    one file, mp3 already or `format: original`       that file
    anything else, with ffmpeg or sox                 one mp3, kept in the cache
    several plain wav files, without a program        one wav, kept in the cache
    several others, without a program                 the longest of them, and an error in the log

What was made is found again by what its files are now: one that has changed is converted anew.
"""

import asyncio
import hashlib
import shutil
import time
import wave
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import structlog

from ami_planfix.errors import RecordingError
from ami_planfix.recordings.cache import Cache
from ami_planfix.recordings.converters import Program, Source, commands
from ami_planfix.recordings.disk import Disk
from ami_planfix.recordings.files import Opened, Part
from ami_planfix.recordings.processes import Processes

log = structlog.get_logger("ami_planfix.recordings")

NO_CONVERTER = "given as they are: neither ffmpeg nor sox is installed"
FORGIVEN_AFTER = 600.0
"""Seconds until a conversion that failed is tried again."""
_MOST_FAILURES = 1000
_FRAMES = 65536


class Converter(NamedTuple):
    """A program that is installed here."""

    program: Program
    path: str


def find_converter(wanted: str) -> Converter | None:
    """Find the program of `recordings.converter`; None if it is not installed."""
    for program in Program:
        if wanted in ("auto", program):
            path = shutil.which(program)
            if path is not None:
                return Converter(program, path)
    return None


class Audio:
    """Makes one file to be heard out of a call's recordings."""

    def __init__(
        self,
        disk: Disk,
        cache: Cache,
        converter: Converter | None,
        *,
        original: bool = False,
        processes: Processes | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`original`: do not convert what need not be (`recordings.format`)."""
        self._disk = disk
        self._cache = cache
        self._converter = converter
        self._original = original
        self._processes = processes or Processes()
        self._clock = clock
        self._busy: dict[str, asyncio.Lock] = {}
        self._failed: OrderedDict[str, float] = OrderedDict()

    @property
    def makes_mp3(self) -> bool:
        """Tell whether links lead to an mp3 as a rule."""
        return not self._original and self._converter is not None

    @property
    def described(self) -> str:
        """Tell in a line what links lead to."""
        if self._original:
            return "given as they are"
        if self._converter is None:
            return NO_CONVERTER
        return f"given as mp3, made by {self._converter.program}"

    async def of(self, parts: Sequence[Part]) -> Opened:
        """Give what is to be heard, open; takes the parts over and closes what it does not give."""
        with ExitStack() as stack:
            for part in parts:
                stack.callback(part.close)
            if not self._must_be_made(parts):
                stack.pop_all()
                return parts[0].sides[0]
            key = _key(parts)
            made = await self._disk.run(lambda: self._cache.open(key)) or await self._make_once(key, parts)
            if made is not None:
                return made
            best = max((side for part in parts for side in part.sides), key=lambda side: side.size)
            if len(parts) > 1 or len(parts[0].sides) > 1:
                log.error("recordings not joined", heard=str(best.path), of=len(parts), remedy="install ffmpeg or sox")
            return best.detached()

    async def clean(self) -> None:
        """Throw away what the cache need not keep."""
        removed = await self._disk.run(self._cache.clean)
        if removed:
            log.info("recordings cleaned", removed=removed)

    def _must_be_made(self, parts: Sequence[Part]) -> bool:
        if len(parts) > 1 or len(parts[0].sides) > 1:
            return True
        return self.makes_mp3 and parts[0].sides[0].path.suffix != ".mp3"

    async def _make_once(self, key: str, parts: Sequence[Part]) -> Opened | None:
        """Make it, or wait for whoever is making it; None if it cannot be made."""
        lock = self._busy.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                made = await self._disk.run(lambda: self._cache.open(key))
                if made is not None or self._has_failed(key):
                    return made
                try:
                    await self._make(key, parts)
                except RecordingError as fault:
                    self._failed[key] = self._clock()
                    while len(self._failed) > _MOST_FAILURES:
                        self._failed.popitem(last=False)
                    log.warning("recording not converted", files=[part.name for part in parts], error=str(fault))
                return await self._disk.run(lambda: self._cache.open(key))
        finally:
            if not lock.locked():
                self._busy.pop(key, None)

    def _has_failed(self, key: str) -> bool:
        return self._clock() - self._failed.get(key, -FORGIVEN_AFTER) < FORGIVEN_AFTER

    async def _make(self, key: str, parts: Sequence[Part]) -> None:
        unfinished = await self._disk.run(lambda: self._cache.begin(key))
        try:
            if self._original and await self._disk.run(lambda: _join_wav(parts, unfinished)):
                suffix = ".wav"
            elif self._converter is not None:
                await self._convert(self._converter, parts, unfinished)
                suffix = ".mp3"
            elif await self._disk.run(lambda: _join_wav(parts, unfinished)):
                suffix = ".wav"
            else:
                raise RecordingError("several recordings cannot be joined without ffmpeg or sox; install one of them")
            await self._disk.run(lambda: self._cache.finish(unfinished, key, suffix))
        finally:
            await asyncio.shield(self._disk.run(lambda: self._cache.abandon(unfinished)))

    async def _convert(self, converter: Converter, parts: Sequence[Part], output: Path) -> None:
        sources = [[Source(side.descriptor, side.format) for side in part.sides] for part in parts]
        descriptors = [source.descriptor for sides in sources for source in sides]
        for command in commands(converter.program, converter.path, sources, str(output)):
            await self._processes.run(command, descriptors, output.parent)


def _key(parts: Sequence[Part]) -> str:
    """Name what the files are now: another name as soon as one of them has changed."""
    said = "\n".join("|".join(side.fingerprint for side in part.sides) for part in parts)
    return hashlib.sha256(said.encode(errors="surrogateescape")).hexdigest()


def _join_wav(parts: Sequence[Part], output: Path) -> bool:
    """Join plain wav files of one rate; False if they are not that (blocks)."""
    if any(len(part.sides) > 1 for part in parts):
        return False
    try:
        with wave.open(str(output), "wb") as joined:
            for part in parts:
                with (
                    open(f"/proc/self/fd/{part.sides[0].descriptor}", "rb") as file,
                    wave.open(file, "rb") as piece,
                ):
                    shape = (piece.getnchannels(), piece.getsampwidth(), piece.getframerate())
                    if part is parts[0]:
                        first = shape
                        joined.setnchannels(shape[0])
                        joined.setsampwidth(shape[1])
                        joined.setframerate(shape[2])
                    elif shape != first:
                        return False
                    while frames := piece.readframes(_FRAMES):
                        joined.writeframesraw(frames)
    except (wave.Error, EOFError, OSError):
        return False
    return True
