"""What the daemons stand on: a disk that can be filled, a database that can be locked, clocks that can be moved."""

import asyncio
import os
import shutil
import sqlite3
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import asyncpg

from tests.postgresql import PostgreSql

DISK_MB = 64
"""And 60 kB for each call."""


class Storage(Protocol):
    """Where the daemons keep their state."""

    @property
    def url(self) -> str:
        """Tell `storage.url`."""

    async def lock(self, seconds: float) -> None:
        """Keep everybody else from writing."""

    async def fail(self, seconds: float) -> None:
        """Be of no use for a while."""

    async def keep(self, folder: Path) -> None:
        """Leave what it has in a folder, for who looks into a run."""


class Sqlite:
    """A file, on a disk of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "state.db"

    @property
    def url(self) -> str:
        """Tell `storage.url`."""
        return f"sqlite:///{self._file}"

    async def lock(self, seconds: float) -> None:
        """Hold the lock of who writes."""
        connection = sqlite3.connect(self._file, timeout=5.0, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(seconds)
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            pass  # the daemon wrote all the time, or the disk is full just now
        finally:
            connection.close()

    async def fail(self, seconds: float) -> None:
        """Fill the disk to its last block."""
        ballast = self._folder / "ballast"
        await asyncio.to_thread(_fill, ballast)
        await asyncio.sleep(seconds)
        ballast.unlink()

    async def keep(self, folder: Path) -> None:
        """It is a file in there."""


class Server:
    """A PostgreSQL of our own."""

    def __init__(self, server: PostgreSql) -> None:
        self._server = server
        self._url = server.database()

    @property
    def url(self) -> str:
        """Tell `storage.url`."""
        return self._url

    async def lock(self, seconds: float) -> None:
        """Hold the tables that every daemon writes."""
        connection = await asyncpg.connect(self._url)
        try:
            async with connection.transaction():
                await connection.execute("LOCK TABLE journal, outbox IN ACCESS EXCLUSIVE MODE")
                await asyncio.sleep(seconds)
        finally:
            await connection.close()

    async def fail(self, seconds: float) -> None:
        """Crash, and come back."""
        await asyncio.to_thread(self._server.stop, "immediate")
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self._server.start)

    async def keep(self, folder: Path) -> None:
        """Write `database.sql`, which psql reads."""
        await asyncio.to_thread(self._server.dump, self._url, folder / "database.sql")


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))


@contextmanager
def disk(folder: Path, calls: int) -> Iterator[bool]:
    """Put a small disk of its own at a folder; tell whether that is possible here. What is on it is kept."""
    size = f"size={DISK_MB + calls * 60 // 1024}m"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
    possible = os.geteuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield possible
    finally:
        if possible:
            kept = folder.with_name(f"{folder.name}-kept")
            shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("*.sock"))
            subprocess.run(["umount", str(folder)], check=True)
            shutil.rmtree(folder)
            kept.rename(folder)


class Clock:
    """One daemon's clock (`time.time`), which can be moved; the monotonic one goes on, as it does in life.

    libfaketime would move it for C code too, but delays every timed wait of a thread by seconds.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        file = folder / "off"
        file.write_bytes(struct.pack("d", 0.0))
        (folder / "sitecustomize.py").write_text(_MOVED)
        self.environment = {"PYTHONPATH": str(folder), "CLOCK_IS_OFF_BY": str(file)}
        self._file = file

    def move(self, by: float) -> None:
        """Let it be off by so many seconds from now on."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("d", by))


_MOVED = """\
import mmap, os, struct, time

with open(os.environ["CLOCK_IS_OFF_BY"], "rb") as file:
    off = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
true = time.time
time.time = lambda: true() + struct.unpack("d", off)[0]
"""
