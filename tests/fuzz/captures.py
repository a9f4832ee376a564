"""Captures that strangers send, given to `replay`."""

import contextlib
import gzip
import io
import json
import tempfile
from pathlib import Path
from random import Random
from typing import Self
from zlib import crc32

from ami_planfix.cli.main import FAILED, WELL, run_cli
from tests.fuzz.corpus import a_story, damaged_history, joined
from tests.fuzz.mutation import damaged
from tests.fuzz.target import Target

WAYS: tuple[list[str], ...] = ([], ["--table"], ["--explain"])


class HostileCapture(Target):
    """Whatever the file is: it is played, or refused in a line of words; the terminal is not steered."""

    name = "replay"
    about = "files given to `replay`: damaged captures, gzipped ones, bombs, what is no capture"

    async def __aenter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-")
        self._file = Path(self._folder.name) / "a.ami"
        self._config = Path(self._folder.name) / "config.yaml"
        self._config.write_text("numbering: {extensions: '1\\d\\d', default_extension: '100'}\n")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._folder.cleanup()

    def make(self, random: Random) -> bytes:
        """Make a file."""
        data = joined(damaged_history(random, a_story(random).name))
        match random.randrange(10):
            case 0:
                return gzip.compress(data, 1, mtime=0)
            case 1:
                return damaged(random, gzip.compress(data, 1, mtime=0))
            case 2 if random.random() < 0.3:
                return gzip.compress(random.choice((b"A", b"A: b\n", b"\n")) * 24_000_000, 1, mtime=0)
            case 3:
                return random.randbytes(random.choice((0, 1, 100, 5000)))
            case 4:
                return data.replace(b"\r\n", b"\n")
            case _:
                return damaged(random, data) if random.random() < 0.5 else data

    async def attempt(self, data: bytes) -> None:
        """Replay it in one of the ways."""
        self._file.write_bytes(data)
        way = WAYS[crc32(data) % len(WAYS)]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = run_cli(["replay", *way, "-c", str(self._config), str(self._file)])
        assert status in (WELL, FAILED), f"status {status}"
        assert status == WELL or str(self._file) in err.getvalue(), "it failed without a word"
        for line in (out.getvalue() + err.getvalue()).split("\n"):
            assert line.isprintable(), f"it could steer a terminal: {line!r}"
        if not way:
            for line in out.getvalue().splitlines():
                assert "time" in json.loads(line)
