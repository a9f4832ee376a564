"""Which file is it: from the name that Asterisk told to an open file below the configured folders, or to none.

A name is never opened as it came. It is made relative to Asterisk's folder, looked for in ours and in the archives
(at the same place, or by the day of the call), and with other extensions: a script may have made an mp3 of it. What is
found is opened step by step from its folder down without following a link, so that nothing outside is ever read.

All functions block: a network folder may hang. They run in threads of their own (`disk`).
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from copy import copy
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Self

from ami_planfix.errors import RecordingError
from ami_planfix.recordings.formats import EMPTY, FORMATS, Format, candidates

_LONGEST_NAME = 1024
_SIDES = ("-in", "-out")
"""What `Monitor()` of old systems writes: each side of the conversation by itself."""


class Opened:
    """A file that is open for reading; `close` it, or use `with`."""

    def __init__(self, path: Path, descriptor: int, status: os.stat_result) -> None:
        self.path = path
        self.descriptor = descriptor
        self.size = status.st_size
        self.modified = status.st_mtime
        """Seconds since the epoch; 0 if that says nothing of the audio."""
        self.fingerprint = f"{path}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"
        """Another one as soon as the file has changed."""

    @property
    def format(self) -> Format:
        """Tell what kind of audio it is, by its name."""
        return FORMATS[self.path.suffix]

    def read(self, at: int, size: int) -> bytes:
        """Read up to `size` bytes from a place in the file."""
        return os.pread(self.descriptor, size, at)

    @property
    def finished(self) -> bool | None:
        """Tell whether a wav file's header says its true length, which is written last; None for other kinds."""
        if self.path.suffix.lower() != ".wav":
            return None
        told = int.from_bytes(self.read(4, 4), "little") + 8
        return told <= self.size <= told + 1  # an odd length is filled up

    def detached(self) -> "Opened":
        """Hand the open file over: closing this one does not close it any more."""
        other = copy(self)
        self.descriptor = -1
        return other

    def close(self) -> None:
        """Close it; closing twice is harmless."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Part(NamedTuple):
    """One recording of a call: one file, or both sides of the conversation by themselves."""

    name: str
    """As Asterisk told it."""
    sides: tuple[Opened, ...]

    def close(self) -> None:
        """Close its files."""
        for side in self.sides:
            side.close()

    @property
    def is_empty(self) -> bool:
        """Tell whether there is no sound in it."""
        return all(side.size <= EMPTY for side in self.sides)


class Shelf:
    """The folders in which recordings are."""

    def __init__(self, directory: Path, asterisk_directory: Path, archives: Sequence[Path] = ()) -> None:
        self.directory = directory
        self._asterisk_directory = PurePosixPath(asterisk_directory)
        self._roots = (directory, *archives)

    def relative(self, name: str) -> PurePosixPath:
        """Tell a recording's place below the folder; raise RecordingError if it is not below it, or no audio."""
        path = PurePosixPath(name)
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            raise RecordingError("a recording without a usable name; Asterisk's MixMonitor needs a file name")
        if path.is_absolute():
            if not path.is_relative_to(self._asterisk_directory):
                raise RecordingError(
                    f"recording {name} is not in recordings.asterisk_directory ({self._asterisk_directory})"
                )
            path = path.relative_to(self._asterisk_directory)
        if not path.name or ".." in path.parts:
            raise RecordingError(f"recording {name} is not in recordings.asterisk_directory")
        return path

    def trouble(self) -> str:
        """Tell why the folder cannot be read; `''` if it can (blocks)."""
        try:
            with os.scandir(self.directory):
                return ""
        except OSError as fault:
            words = os.strerror(fault.errno or errno.EIO)
            return (
                f"recordings.directory {self.directory}: {words}; it must be there, and the daemon's user may read it"
            )

    def folders(self, name: str) -> tuple[Path, ...]:
        """Tell where a recording is expected, to be watched; nowhere if its name is unusable."""
        try:
            return ((self.directory / self.relative(name)).parent,)
        except RecordingError:
            return ()

    def open(self, name: str, at: float) -> Part:
        """Open a recording of a call that ended at `at` (seconds since the epoch); raise RecordingError."""
        relative = self.relative(name)
        forbidden = ""
        for folder in self._places(relative, at):
            try:
                sides = self._open_in(folder, relative.name)
            except OSError as fault:
                forbidden = forbidden or f"{folder}: {os.strerror(fault.errno or errno.EIO)}"
                continue
            if sides:
                return Part(name, sides)
        if forbidden:
            raise RecordingError(f"recording {name} cannot be read: {forbidden}; give the daemon's user the right")
        raise RecordingError(f"recording {name} is not in {' or '.join(map(str, self._roots))}")

    def _places(self, relative: PurePosixPath, at: float) -> Iterator[Path]:
        """Tell the folders where it may be: its own place, then those that archives use, by the day of the call."""
        day = datetime.fromtimestamp(at).astimezone()
        by_day = [PurePosixPath(day.strftime(form)) for form in ("%Y/%m/%d", "%Y/%m", "%Y", "%Y-%m-%d", "%Y%m%d", ".")]
        for root in self._roots:
            seen: set[Path] = set()
            for folder in (relative.parent, *by_day):
                place = root / folder
                if place not in seen:
                    seen.add(place)
                    yield place

    def _open_in(self, folder: Path, name: str) -> tuple[Opened, ...]:
        """Open what is there of a recording: a file, or its two sides; raise OSError if it may not be read."""
        try:
            present = os.stat(folder)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        if not stat.S_ISDIR(present.st_mode):
            return ()
        stem, extension = os.path.splitext(name)
        if extension not in FORMATS and extension != ".wav49":
            stem, extension = name, ""  # a dot of its own: 1700000000.12
        for suffix in candidates(extension):
            whole = self._open_file(folder / f"{stem}{suffix}")
            if whole is not None:
                return (whole,)
            if suffix == candidates(extension)[0]:
                sides = [self._open_file(folder / f"{stem}{side}{suffix}") for side in _SIDES]
                found = tuple(side for side in sides if side is not None)
                if found:
                    return found
        return ()

    def _open_file(self, path: Path) -> Opened | None:
        """Open a file below one of the folders; None if it is not there, is none, or leads outside."""
        try:
            real = Path(os.path.realpath(path, strict=True))
        except (FileNotFoundError, NotADirectoryError):
            return None
        for root in self._roots:
            real_root = Path(os.path.realpath(root))
            if real.is_relative_to(real_root) and real != real_root:
                return _open_below(real_root, real)
        return None


def _open_below(root: Path, path: Path) -> Opened | None:
    steps = path.relative_to(root).parts
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for number, step in enumerate(steps, 1):
            kind = 0 if number == len(steps) else os.O_DIRECTORY
            inner = os.open(step, flags | kind, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        status = os.fstat(descriptor)
    except OSError as fault:
        os.close(descriptor)
        if fault.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
            return None  # taken away, or swapped for a link, just now
        raise
    if not stat.S_ISREG(status.st_mode) or path.suffix not in FORMATS:
        os.close(descriptor)
        return None
    return Opened(path, descriptor, status)
