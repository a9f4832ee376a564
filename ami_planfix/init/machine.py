"""The machine that is set up: its files, its programs, its ports."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

PATIENCE = 30.0
"""Seconds for one program."""


class Ran(NamedTuple):
    """What a program left behind."""

    status: int
    output: str


def run(*command: str) -> Ran:
    """Run a program; a status of 127 says that it is not there."""
    try:
        done = subprocess.run(  # noqa: S603 - our own words, no shell
            command, capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=False
        )
    except FileNotFoundError:
        return Ran(127, f"{command[0]}: not found")
    except (OSError, subprocess.TimeoutExpired) as fault:
        return Ran(126, str(fault))
    return Ran(done.returncode, (done.stdout + done.stderr).strip())


class Machine:
    """This machine, or in tests a folder that looks like one."""

    def __init__(
        self,
        root: Path = Path("/"),
        programs: Callable[..., Ran] = run,
        is_root: bool | None = None,
        program: Path | None = None,
    ) -> None:
        self.root = root
        self.run = programs
        self.is_root = os.geteuid() == 0 if is_root is None else is_root
        self.program = program or _program()
        """Where `ami-planfix` is."""

    def at(self, path: Path | str) -> Path:
        """Tell where a path of the machine is for us."""
        return self.root / Path(path).relative_to("/")

    def exists(self, path: Path | str) -> bool:
        """Tell whether something is there."""
        return os.path.lexists(self.at(path))

    def read(self, path: Path | str) -> str:
        """Read a text; `''` if it is not there, or not for us."""
        try:
            return self.at(path).read_text("utf-8", "replace")
        except OSError:
            return ""

    def free_port(self, wanted: int, taken: frozenset[int] = frozenset()) -> int:
        """Find a port that nobody listens on, from `wanted` on."""
        return next(port for port in range(wanted, wanted + 1000) if port not in taken and _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - let go at once
            probe.listen(1)
        except OSError:
            return False
    return True


def _program() -> Path:
    found = shutil.which("ami-planfix")
    return Path(found) if found else Path("/usr/local/bin/ami-planfix")
