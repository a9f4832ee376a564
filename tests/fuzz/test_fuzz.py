"""The fuzzer itself finds what does harm, and can show it again; and a handful of inputs to what needs no daemon."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
import structlog

from ami_planfix.ami import capture
from tests.fuzz.__main__ import TARGETS, again
from tests.fuzz.captures import HostileCapture
from tests.fuzz.configuration import HostileConfiguration
from tests.fuzz.planfix import HostilePlanfix
from tests.fuzz.reading import Calls, Stream, Wire
from tests.fuzz.records import HostileRecords
from tests.fuzz.running import Finding, Run
from tests.fuzz.target import Target


class Fragile(Target):
    """Breaks at the letter x; suffers from the letter y, which shows only afterwards."""

    name = "fragile"
    about = "breaks"
    at_once = 3

    def __init__(self) -> None:
        self.ill = False

    def make(self, random: Random) -> bytes:
        return bytes(random.choice(b"abc") for _ in range(3)) + random.choice((b"", b"x", b"y"))

    async def attempt(self, data: bytes) -> None:
        self.ill = self.ill or b"y" in data
        if b"x" in data:
            raise ValueError("there is an x")

    async def well(self) -> None:
        assert not self.ill, "it is ill"

    async def __aexit__(self, *_: object) -> None:
        self.ill = False


def _input(finding: Finding) -> bytes:
    return Path(finding.file).read_bytes()


async def test_each_kind_of_harm_is_found_once_with_an_input_that_does_it_alone(tmp_path: Path) -> None:
    told: list[str] = []
    tally = await Run(Fragile(), 1, tmp_path, told.append).spend(60, most=60)
    assert tally.inputs == 60
    found = {finding.words.splitlines()[0].rpartition(": ")[2]: _input(finding) for finding in tally.findings}
    assert found.keys() == {"there is an x", "it is ill"}
    assert b"x" in found["there is an x"]
    assert b"y" in found["it is ill"]
    assert any("again: python -m tests.fuzz fragile --input" in line for line in told)
    assert await again(Fragile(), found["it is ill"]) == 1
    assert await again(Fragile(), b"abc") == 0


@pytest.mark.parametrize("name", TARGETS)
def test_a_seed_repeats_a_run(name: str) -> None:
    target = TARGETS[name]()
    assert target.make(Random("1/2")) == target.make(Random("1/2"))


@pytest.mark.parametrize(
    "kind", [Wire, Stream, Calls, HostilePlanfix, HostileConfiguration, HostileCapture, HostileRecords]
)
async def test_a_few_inputs_do_no_harm(kind: type[Target], tmp_path: Path) -> None:
    tally = await Run(kind(), 7, tmp_path, lambda line: None).spend(60, most=24)
    structlog.reset_defaults()
    assert tally.inputs == 24
    assert not tally.findings


async def test_a_fault_of_the_product_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was once mended here would be found again: a secret without a colon before it stayed in a capture."""
    monkeypatch.setattr(capture, "_blank", lambda line: line + b" ***")
    run = Run(Wire(), 1, tmp_path, lambda line: None)
    assert await run.fault_of(b"Response: Follows\r\n  Secret  hush\r\n\r\n")


def test_it_tells_what_came_of_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "wire", "--seconds=0.2", "--seed=3", f"--out={tmp_path}", "--json"],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2], env=dict(os.environ),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert '"target": "wire"' in done.stdout
    assert not list(tmp_path.iterdir())
