"""A machine to install on: an empty Debian that has booted, systemd and all, with the network of this one."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.daemon_process import LEASH
from tests.lab.install import empty

PATIENCE = 180.0
LINE = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}


class Ran(NamedTuple):
    """What became of a line of shell."""

    status: int
    told: str


class Booted:
    """That machine."""

    def __init__(self, folder: Path, leader: str) -> None:
        self.folder = folder
        self._inside = ["nsenter", "--target", leader, "--all", "--"]

    async def run(self, command: str) -> Ran:
        """Run a line of shell there, as root; who else is in this process goes on meanwhile."""
        words = (*self._inside, "/bin/sh", "-c", command)
        process = await asyncio.create_subprocess_exec(*words, stdout=PIPE, stderr=STDOUT, env=LINE)
        async with asyncio.timeout(PATIENCE):
            told, _ = await process.communicate()
        return Ran(process.returncode or 0, told.decode())

    async def does(self, command: str) -> str:
        """Run what must succeed; tell what it printed."""
        status, told = await self.run(command)
        assert status == 0, f"{command}: {told}"
        return told

    def at(self, path: str) -> Path:
        """Tell where a file of that machine is for us."""
        return self.folder / path.lstrip("/")

    def has(self, path: str) -> bool:
        """Tell whether a file or folder is there."""
        return os.path.lexists(self.at(path))


@contextmanager
def booted(folder: Path) -> Iterator[Booted]:
    """Boot it with a disk of its own in `folder`; nothing of it stays, so nothing is waited for to be on the disk."""
    disk = folder / "machine"
    lower, upper, work, root = empty(), disk / "upper", disk / "work", disk / "root"
    for made in (upper, work, root):
        made.mkdir(parents=True)
    layers = f"volatile,lowerdir={lower},upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, root], check=True)
    try:
        with _boot(root, disk) as leader:
            yield Booted(root, leader)
    finally:
        subprocess.run(["umount", root], check=True)
        shutil.rmtree(disk)


@contextmanager
def _boot(root: Path, disk: Path) -> Iterator[str]:
    """Start it and wait until it is up; tell its first process."""
    command = ["systemd-nspawn", "--register=no", "--keep-unit", "--console=pipe", "--notify-ready=yes", "--boot"]
    told, console = disk / "notify.sock", disk / "console.log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices, console.open("w") as written:
        notices.bind(str(told))
        notices.settimeout(PATIENCE)
        process = subprocess.Popen(
            [*LEASH, *command, "--directory", root], env={**os.environ, "NOTIFY_SOCKET": str(told)},
            stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            yield _leader(notices, console)
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _leader(notices: socket.socket, console: Path) -> str:
    said = ""
    while "READY=1" not in said:
        try:
            said += notices.recv(4096).decode() + "\n"
        except TimeoutError:
            raise AssertionError(f"it does not boot: {console.read_text()}") from None
    found = re.search(r"X_NSPAWN_LEADER_PID=(\d+)", said)
    assert found, said
    return found[1]
