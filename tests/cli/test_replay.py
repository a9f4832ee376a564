"""`replay`: what Planfix would have received for a capture."""

import gzip
import json
from pathlib import Path

import pytest

from tests.cli.running import CAPTURES, ami_planfix

GROUP = CAPTURES / "ring_group" / "ring_all_second_answers.ami"
BLIND = CAPTURES / "blind_transfer" / "blind_refer_answered.ami"

CONFIG = """
ami: {name: north}
planfix: {canceled_status: Cancelled, hidden_number: hidden}
numbering: {extensions: '10\\d'}
"""


def test_lines_have_the_names_of_the_api_and_a_time_and_no_token() -> None:
    result = ami_planfix("replay", GROUP)
    assert (result.status, result.err) == (0, "")
    assert result.rows[0] == {
        "time": "2026-11-23T13:35:58.675936+00:00",
        "cmd": "event",
        "type": "in",
        "event": "INCOMING",
        "phone": "79101234567",
        "diversion": "74951230002",
        "ext": "101",
        "callid": "1795440958.30",
    }
    assert result.rows[-1]["status"] == "Success"
    assert "planfix_token" not in result.out


def test_the_configuration_names_the_pbx_and_chooses_the_words(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    result = ami_planfix("replay", "-c", config, GROUP)
    assert result.status == 0, result.err
    assert {row["callid"] for row in result.rows} == {"north-1795440958.30"}
    assert "Cancelled" in {row.get("status") for row in result.rows}


def test_a_configuration_for_calls_needs_no_secret(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("ami: {secret_file: /nonexistent/secret}\nnumbering: {country: RU}\n")
    assert ami_planfix("replay", "-c", config, GROUP).status == 0


def test_each_file_begins_with_nothing_known(tmp_path: Path) -> None:
    cut = tmp_path / "cut.ami"
    cut.write_bytes(GROUP.read_bytes()[:20_000])
    result = ami_planfix("replay", cut, BLIND)
    assert {row["callid"] for row in result.rows} == {"1795440958.30", "1795441050.145"}
    assert result.rows[-1]["status"] == "Success"


def test_a_file_that_ends_in_a_call_says_so_and_invents_nothing(tmp_path: Path) -> None:
    cut = tmp_path / "cut.ami"
    whole = GROUP.read_bytes()
    cut.write_bytes(whole[: whole.index(b"Event: BridgeLeave")])
    result = ami_planfix("replay", cut)
    assert result.status == 0
    assert [row["event"] for row in result.rows][-1:] != ["COMPLETED Success"]
    assert "Success" not in result.out
    assert result.err == f"{cut}: ends while a call goes on: 1795440958.30 (79101234567, talking: 102)\n"


def test_a_table_is_for_people() -> None:
    lines = ami_planfix("replay", "--table", GROUP).out.splitlines()
    assert lines[0].split() == [
        "time", "callid", "client", "number", "ext", "event", "status", "s", "rec", "rule",
    ]  # fmt: skip
    assert len(lines) == 8
    assert "Success" in lines[-1]


def test_a_gzipped_capture_is_read_as_it_is(tmp_path: Path) -> None:
    packed = tmp_path / "capture.ami.gz"
    packed.write_bytes(gzip.compress(GROUP.read_bytes()))
    assert ami_planfix("replay", packed).out == ami_planfix("replay", GROUP).out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory"),
        (b"", "the file is empty"),
        (b"just some text\n", ":1: no AMI message begins here"),
    ],
)
def test_what_is_no_capture_fails_with_its_name_and_the_others_are_still_replayed(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    bad = tmp_path / "bad.ami"
    if content is not None:
        bad.write_bytes(content)
    result = ami_planfix("replay", bad, GROUP)
    assert result.status == 1
    assert result.err.startswith(str(bad))
    assert message in result.err
    assert len(result.rows) == 7


def test_a_wrong_configuration_is_status_2_and_nothing_on_stdout(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("numbering: {contry: RU}\n")
    result = ami_planfix("replay", "-c", config, GROUP)
    assert (result.status, result.out) == (2, "")
    assert f"{config}:1: numbering.contry" in result.err
    assert "country" in result.err


def test_no_file_is_bad_usage() -> None:
    assert ami_planfix("replay").status == 2


@pytest.mark.parametrize("capture", sorted(CAPTURES.glob("*/*.ami")), ids=lambda path: path.stem)
def test_every_capture_is_replayed_without_a_word_on_stderr(
    capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reports themselves are compared in tests/calls."""
    from ami_planfix.cli.main import run_cli

    expected = json.loads(capture.with_suffix("").with_suffix(".expected.json").read_text())
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps(expected["config"]))
    assert run_cli(["replay", "-c", str(config), str(capture)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    callids = {json.loads(line)["callid"] for line in out.splitlines()}
    assert callids == {call["callid"] for call in expected["calls"]}
