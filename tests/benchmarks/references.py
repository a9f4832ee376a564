"""What ours is measured beside: reading and splitting alone, panoramisk as it comes, cacofonisk from PyPI."""

import asyncio
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager

from tests.benchmarks.measuring import processor_time, say

CACOFONISK = "cacofonisk==0.7.10"
CHILD = Path(__file__).with_name("cacofonisk_child.py")
PATTERNS = (
    "Newchannel", "Newstate", "NewCallerid", "Rename", "Dial*", "Hangup", "HangupRequest", "Bridge*", "Local*",
    "BlindTransfer", "AttendedTransfer", "Pickup", "*ParkedCall*", "MixMonitor*", "VarSet",
)  # fmt: skip
"""What somebody would write who makes our daemon on panoramisk: fifteen patterns."""

Round = Callable[[], float]
"""Does the work once; seconds of processor time."""


def read_and_split(reads: list[bytes]) -> Round:
    """Make the least that anybody could do: cut the stream into lines of messages, and look at nothing."""

    def work() -> None:
        rest = b""
        for data in reads:
            *messages, rest = (rest + data).split(b"\r\n\r\n")
            for message in messages:
                message.split(b"\r\n")

    return lambda: processor_time(work)


def panoramisk(reads: list[bytes]) -> Round:
    """Make panoramisk's own protocol and dispatch, with fifteen patterns and callbacks that do nothing."""

    def work() -> None:
        manager = Manager(loop=loop)
        for pattern in PATTERNS:
            manager.register_event(pattern, lambda manager, event: None)
        protocol = AMIProtocol()
        protocol.connection_made(_Nowhere())
        protocol.factory, protocol.encoding = manager, "utf8"
        for data in reads:
            protocol.data_received(data)

    logging.getLogger("panoramisk").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    return lambda: processor_time(work)


@contextmanager
def cacofonisk(reads: list[bytes]) -> Iterator[Round]:
    """Make cacofonisk from bytes to what its reporter is told, in a process and an environment of its own."""
    with tempfile.NamedTemporaryFile(suffix=".ami") as file:
        file.write(b"".join(reads))
        file.flush()
        command = [str(_environment() / "bin" / "python"), str(CHILD), file.name]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            yield lambda: _turn(child)
            assert child.stdin is not None
            child.stdin.close()


def _turn(child: "subprocess.Popen[str]") -> float:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write("go\n")
    child.stdin.flush()
    seconds, told = child.stdout.readline().split()
    assert int(told) > 0, "cacofonisk has told nothing"
    return float(seconds)


def _environment() -> Path:
    """Make cacofonisk's environment in the cache, once."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "ami-planfix" / "benchmarks" / CACOFONISK.replace("==", "-")
    if not (folder / "ready").exists():
        say(f"making an environment with {CACOFONISK} in {folder}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, CACOFONISK], check=True, stdout=sys.stderr)
        (folder / "ready").touch()
    return folder


class _Nowhere:
    def write(self, data: bytes) -> None:
        pass

    def close(self) -> None:
        pass
