"""Converted recordings on the disk: made once, found again by what they were made of, and thrown away in time.

All functions block; see `disk`.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ami_planfix.errors import RecordingError
from ami_planfix.recordings.files import Opened
from ami_planfix.recordings.formats import EMPTY, FORMATS

_UNFINISHED = ".part"
_FORGOTTEN = 3600.0
"""Seconds after which an unfinished file is nobody's any more."""


class _Kept(NamedTuple):
    used: float
    size: int
    path: Path


class Cache:
    """A folder of our own."""

    def __init__(self, folder: Path, days: float, megabytes: float, clock: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self._seconds = days * 86400
        self._bytes = megabytes * 1_000_000
        self._clock = clock

    def open(self, key: str) -> Opened | None:
        """Open what was made for this key, if it is still there."""
        for suffix in (".mp3", ".wav"):
            path = self.folder / f"{key}{suffix}"
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError:
                continue
            opened = Opened(path, descriptor, os.fstat(descriptor))
            now = self._clock()
            with suppress(OSError):
                os.utime(descriptor, (now, now))  # what is used stays longer
            opened.fingerprint = key
            opened.modified = 0.0  # the file's time says when it was used last
            return opened
        return None

    def begin(self, key: str) -> Path:
        """Tell where to write what is made for a key; raise RecordingError if there is no place for it."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as fault:
            raise RecordingError(f"recordings.cache {self.folder} cannot be made: {fault.strerror}") from fault
        return self.folder / f"{key}.{os.urandom(4).hex()}{_UNFINISHED}"

    def finish(self, unfinished: Path, key: str, suffix: str) -> None:
        """Keep what was made; raise RecordingError if nothing was."""
        try:
            if unfinished.stat().st_size <= EMPTY:
                raise RecordingError("the converted recording is empty")
            os.replace(unfinished, self.folder / f"{key}{suffix}")
        except OSError as fault:
            raise RecordingError(f"recordings.cache {self.folder}: {fault.strerror}") from fault

    def abandon(self, unfinished: Path) -> None:
        """Remove what was begun, with the pieces beside it."""
        with suppress(OSError):
            for path in self.folder.glob(f"{unfinished.name}*"):
                path.unlink(missing_ok=True)

    def clean(self) -> int:
        """Throw away what nobody used for long, and the longest unused if there is too much; tell how many."""
        now = self._clock()
        kept: list[_Kept] = []
        with suppress(OSError), os.scandir(self.folder) as found:
            for file in found:
                with suppress(OSError):
                    status = file.stat(follow_symlinks=False)
                    if file.is_file(follow_symlinks=False) and _is_ours(file.name):
                        kept.append(_Kept(status.st_mtime, status.st_size, Path(file.path)))
        kept.sort(reverse=True)
        total = removed = 0
        for one in kept:
            unfinished = _UNFINISHED in one.path.name
            total += one.size
            if now - one.used > (_FORGOTTEN if unfinished else self._seconds) or total > self._bytes:
                total -= one.size
                with suppress(OSError):
                    one.path.unlink()
                    removed += 1
        return removed


def _is_ours(name: str) -> bool:
    key, _, rest = name.partition(".")
    return len(key) == 64 and (_UNFINISHED in f".{rest}" or f".{rest}" in FORMATS)
