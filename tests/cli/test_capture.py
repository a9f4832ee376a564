"""`capture`: what Asterisk says becomes a file that `replay` understands."""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ami_planfix.ami import capture
from ami_planfix.demo.asterisk import Asterisk
from tests.cli.running import CAPTURES, ami_planfix

STORY = CAPTURES / "ring_group" / "ring_all_second_answers.ami"


@pytest.fixture
async def asterisk() -> AsyncIterator[Asterisk]:
    async with Asterisk() as found:
        yield found


def config(folder: Path, port: int, secret: str = "secret") -> Path:
    file = folder / "config.yaml"
    file.write_text(f"ami: {{port: {port}, secret: {secret}}}\n")
    return file


async def begin(*arguments: str | Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ami_planfix", "capture", *map(str, arguments),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=os.environ,
    )  # fmt: skip


async def test_what_was_captured_is_replayed_as_it_was(asterisk: Asterisk, tmp_path: Path) -> None:
    process = await begin("-c", config(tmp_path, asterisk.port))
    assert process.stdout is not None
    async with asyncio.timeout(30):
        await asterisk.until(lambda: any(session.logged_in for session in asterisk.sessions))
    messages = list(capture.read(STORY))
    asterisk.emit(*messages, b"Event: UserEvent\r\nSecret: hunter2")
    async with asyncio.timeout(30):
        written = await process.stdout.readuntil(b"UserEvent")
        process.terminate()
        rest, err = await process.communicate()
    assert process.returncode == 0, err
    assert err.decode().splitlines() == ["capturing; Ctrl-C ends it", f"{len(messages) + 1} messages captured"]
    assert b"hunter2" not in written + rest
    out = tmp_path / "story.ami"
    out.write_bytes(written + rest)
    assert ami_planfix("replay", out).out == ami_planfix("replay", STORY).out


async def test_asterisk_that_goes_away_is_a_failure(asterisk: Asterisk, tmp_path: Path) -> None:
    out = tmp_path / "story.ami"
    process = await begin("-c", config(tmp_path, asterisk.port), "--output", out)
    async with asyncio.timeout(30):
        await asterisk.until(lambda: any(session.logged_in for session in asterisk.sessions))
        asterisk.cut()
        _, err = await process.communicate()
    assert process.returncode == 1
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert err.decode().splitlines()[0] == "capturing; Ctrl-C ends it"
    assert "closed" in err.decode()


async def test_a_wrong_secret_is_one_message(asterisk: Asterisk, tmp_path: Path) -> None:
    process = await begin("-c", config(tmp_path, asterisk.port, "wrong-word"))
    async with asyncio.timeout(30):
        _, err = await process.communicate()
    assert process.returncode == 1
    last = err.decode().splitlines()[-1]
    assert "refused" in last
    assert "wrong-word" not in err.decode()


def test_no_asterisk_is_one_message(tmp_path: Path) -> None:
    result = ami_planfix("capture", "-c", config(tmp_path, 1))
    assert result.status == 1
    assert "Asterisk at 127.0.0.1:1 cannot be reached" in result.err


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    result = ami_planfix("capture", "-c", config(tmp_path, 1), "-o", tmp_path / "no" / "folder")
    assert result.status == 1
    assert "cannot be written: No such file or directory" in result.err
