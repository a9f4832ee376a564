"""`trial`: each documented sequence reaches the account, and what was seen is written down."""

import asyncio
import json
import os
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ami_planfix.demo.planfix import EmbeddedPlanfix, refuse
from ami_planfix.trial import SEQUENCES


@pytest.fixture
async def planfix() -> AsyncIterator[EmbeddedPlanfix]:
    async with EmbeddedPlanfix() as found:
        yield found


def config(folder: Path, url: str, token: str) -> Path:
    file = folder / "config.yaml"
    file.write_text(f"planfix: {{url: '{url}', token: '{token}'}}\nstorage: {{url: 'sqlite:///{folder}/state.db'}}\n")
    return file


async def trial(config: Path, *arguments: str, typed: str = "") -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ami_planfix", "trial", "-c", str(config), "--ext", "101", "102", "--pause", "0",
        *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=os.environ,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate(typed.encode())
    return process.returncode, out.decode(), err.decode()


async def test_all_sequences_are_sent_as_calls_of_their_own(planfix: EmbeddedPlanfix, tmp_path: Path) -> None:
    status, out, err = await trial(config(tmp_path, planfix.url, planfix.token), "--yes", "--json")
    assert status == 0, err
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["sequence"] for row in rows] == [sequence.name for sequence in SEQUENCES]
    assert {row["answer"] for row in rows} == {"200"}
    by_call: dict[str, list[str]] = defaultdict(list)
    for one in planfix.taken:
        if one.fields["cmd"] == "event":
            by_call[one.fields["callid"]].append(one.event)
    stories = list(by_call.values())
    assert stories[0] == [
        "INCOMING 101", "INCOMING 102", "ACCEPTED 101", "COMPLETED 102 Canceled", "COMPLETED 101 Success",
    ]  # fmt: skip
    assert stories[1] == [
        "INCOMING 101", "COMPLETED 101 Canceled", "INCOMING 102", "ACCEPTED 102", "COMPLETED 102 Success",
    ]  # fmt: skip
    assert len(stories) == len(SEQUENCES)


async def test_it_asks_before_and_what_is_seen(planfix: EmbeddedPlanfix, tmp_path: Path) -> None:
    typed = "y\n" + "as expected\n" * len(SEQUENCES)
    status, out, err = await trial(config(tmp_path, planfix.url, planfix.token), typed=typed)
    assert status == 0, err
    assert out.count("as expected") == len(SEQUENCES)


async def test_without_a_yes_nothing_is_sent(planfix: EmbeddedPlanfix, tmp_path: Path) -> None:
    status, _, _ = await trial(config(tmp_path, planfix.url, planfix.token), typed="n\n")
    assert status == 1
    assert not planfix.received


async def test_a_refused_report_is_told_in_planfix_words(planfix: EmbeddedPlanfix, tmp_path: Path) -> None:
    planfix.fault_for = lambda fields: refuse("no such ext") if fields.get("ext") == "102" else None
    status, out, _ = await trial(config(tmp_path, planfix.url, planfix.token), "--yes")
    assert status == 1
    assert "no such ext" in out


async def test_a_wrong_token_is_one_message(planfix: EmbeddedPlanfix, tmp_path: Path) -> None:
    status, out, err = await trial(config(tmp_path, planfix.url, "wrong-token"), "--yes")
    assert (status, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert "does not know our token" in err


async def test_no_account_is_a_matter_of_configuration(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"storage: {{url: 'sqlite:///{tmp_path}/state.db'}}\n")
    status, _, err = await trial(file, "--yes")
    assert status == 2
    assert "planfix.url and planfix.token are missing" in err


async def test_the_daemons_database_is_not_made_for_it(planfix: EmbeddedPlanfix, tmp_path: Path) -> None:
    status, _, err = await trial(config(tmp_path, planfix.url, planfix.token), "--yes")
    assert status == 0, err
    file = tmp_path / "nothing.yaml"
    file.write_text(f"storage: {{url: 'sqlite:///{tmp_path}/state.db'}}\n")
    status, _, err = await trial(file, "--yes")
    assert status == 2
    assert "planfix.url and planfix.token are missing" in err
    assert not (tmp_path / "state.db").exists()
