"""`support-bundle` beside a running daemon: what is in it, and that no secret is."""

import asyncio
import io
import json
import logging
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner

from ami_planfix.bundle.contents import PIECES
from ami_planfix.cli.support_bundle import support_bundle
from ami_planfix.demo.planfix import refuse
from ami_planfix.logs import Format, configure
from tests.cli.running import Result, ami_planfix
from tests.daemon_process import PBX_TOKEN
from tests.doctor.bed import Bed
from tests.doctor.conftest import bed as bed  # noqa: PLC0414 - the fixture

CLIENT = "79101234567"
AMI_SECRET = "hush-of-ami-0815"
CAPTURE = Path(__file__).parents[1] / "captures/outgoing/out_answered.ami"


async def bundled(bed: Bed, *arguments: str) -> tuple[Result, dict[str, str]]:
    """Make a bundle; give what the command said and what is in the file."""
    file = bed.folder / "bundle.tar.gz"
    words = ["-c", str(bed.file), "-o", str(file), *arguments]
    # A thread of its own: the daemon that it asks runs in this one.
    done = await asyncio.to_thread(CliRunner().invoke, support_bundle, words, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    with tarfile.open(file) as archive:
        members = {Path(one.name).name: archive.extractfile(one) for one in archive.getmembers()}
        pieces = {name: stream.read().decode() for name, stream in members.items() if stream is not None}
    return Result(0, done.stdout, done.stderr), pieces


@pytest.fixture
def logged() -> Iterator[None]:
    """Log as the daemon does, so that the last warnings are kept."""
    root = logging.getLogger()
    before, level, ours = root.handlers[:], root.level, logging.getLogger("ami_planfix").level
    configure("info", Format.JSON, io.StringIO())
    yield
    root.handlers[:] = before
    root.setLevel(level)
    logging.getLogger("ami_planfix").setLevel(ours)
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def journal(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a journalctl before all others, which has seen this service fail."""
    folder = tmp_path_factory.mktemp("systemd")
    told = f"2026-11-26T02:00:00+00:00 pbx ami-planfix[7]: it fails, and {AMI_SECRET} for {CLIENT}"
    program = folder / "journalctl"
    program.write_text(f"#!/bin/sh\ncase \"$*\" in *ami-planfix*) echo '{told}';; esac\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


async def test_the_log_of_a_service_that_does_not_start_is_in_it(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    bed.sections["ami"]["secret"] = AMI_SECRET
    bed.write()
    _, pieces = await bundled(bed)
    assert "it fails" in pieces["log.txt"]
    assert AMI_SECRET not in pieces["log.txt"]
    assert CLIENT not in pieces["log.txt"]
    monkeypatch.setenv("PATH", "")
    _, pieces = await bundled(bed)
    assert "log.txt" not in pieces


@pytest.mark.usefixtures("logged")
async def test_everything_that_helps_is_in_it_and_listed(bed: Bed) -> None:
    bed.planfix.fault_for = lambda fields: refuse("no such employee") if fields.get("cmd") == "event" else None
    async with bed.daemon():
        await bed.call()
        await bed.settled("dead")
        result, pieces = await bundled(bed, "--capture", str(CAPTURE))
    assert list(pieces) == [name for name in PIECES if name != "problems.txt"]
    before, _, after = result.err.partition("Written to")
    assert all(name in before for name in PIECES)
    assert all(name in after for name in pieces)
    assert result.out.strip().endswith("bundle.tar.gz")
    versions = json.loads(pieces["versions.json"])
    assert versions["asterisk"] == bed.asterisk.version
    assert {"aiohttp", "pydantic"} <= versions["libraries"].keys()
    deliveries = json.loads(pieces["deliveries.json"])
    assert deliveries["counts"]["dead"] == len(deliveries["deliveries"]) > 0
    assert "no such employee" in deliveries["deliveries"][0]["answer"]
    assert any("refused" in str(line["event"]) for line in json.loads(pieces["daemon.json"])["troubles"])
    assert [json.loads(line)["what"] for line in pieces["doctor.jsonl"].splitlines()]
    assert "Event: Newchannel" in pieces["capture.ami"]


async def test_numbers_are_hidden_unless_they_are_wanted(bed: Bed) -> None:
    async with bed.daemon():
        await bed.call()
        await bed.planfix.wait_for(lambda received: any(one.event.startswith("COMPLETED") for one in received))
        _, hidden = await bundled(bed, "--capture", str(CAPTURE))
        _, kept = await bundled(bed, "--capture", str(CAPTURE), "--numbers")
    assert CLIENT in kept["capture.ami"]
    assert "74951230000" in kept["config.yaml"]
    for text in hidden.values():
        assert CLIENT not in text
        assert "74951230000" not in text
    assert "Event: Newchannel" in hidden["capture.ami"]


@pytest.mark.parametrize("form", ["plain", "file", "variable", "setup"])
async def test_secrets_are_in_no_piece_whatever_their_form(
    bed: Bed, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    bed.asterisk.secret = AMI_SECRET
    bed.sections["ami"]["secret"] = AMI_SECRET
    bed.sections["storage"]["url"] = f"sqlite:///{bed.folder}/state.db"
    if form == "file":
        (bed.folder / "ami.secret").write_text(AMI_SECRET)
        (bed.folder / "ami.secret").chmod(0o640)
        bed.sections["ami"] = {"port": bed.asterisk.port, "secret_file": "ami.secret"}
    elif form == "variable":
        monkeypatch.setenv("PLANFIX_TOKEN", bed.planfix.token)
        bed.sections["planfix"]["token"] = "${PLANFIX_TOKEN}"
    elif form == "setup":
        bed.sections["planfix"] = {"allowed_hosts": ["127.0.0.1"]}
    async with bed.daemon() as daemon:
        await bed.planfix.make_call(f"http://127.0.0.1:{daemon.server_port}/planfix", "hush-guessed", "1", "2")
        if form == "setup":
            await bed.planfix.setup(f"http://127.0.0.1:{daemon.server_port}/planfix", PBX_TOKEN)
        result, pieces = await bundled(bed, "--numbers")
    for secret in (AMI_SECRET, PBX_TOKEN, bed.planfix.token, "hush"):
        for name, text in {**pieces, "stderr": result.err, "stdout": result.out}.items():
            assert secret not in text, (secret, name)


async def test_without_a_daemon_it_says_so_and_goes_on(bed: Bed) -> None:
    bed.write()
    _, pieces = await bundled(bed)
    assert "does not run" in json.loads(pieces["daemon.json"])["not_asked"]
    assert pieces["doctor.jsonl"]


async def test_a_configuration_with_mistakes_is_no_hindrance(bed: Bed) -> None:
    bed.file.write_text("ami: {secrett: hush}\n")
    _, pieces = await bundled(bed)
    assert set(pieces) == {"config.yaml", "problems.txt", "versions.json", "log.txt"}
    assert "unknown key" in pieces["problems.txt"]
    assert "hush" not in pieces["config.yaml"]


def test_a_capture_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("ami: {secret: x}\n")
    (tmp_path / "odd.ami").write_text("this is no capture")
    arguments = ("-c", tmp_path / "config.yaml", "--capture", tmp_path / "odd.ami", "-o", tmp_path / "x.tar.gz")
    result = ami_planfix("support-bundle", *arguments)
    assert result.status == 1
    assert "odd.ami" in result.err
    assert not (tmp_path / "x.tar.gz").exists()
