"""The command line as a whole: help, exit statuses, what goes to stdout and what to stderr."""

import subprocess
import sys
from pathlib import Path

import pytest

from ami_planfix import __version__
from ami_planfix.cli.main import COMMANDS
from tests.cli.running import CAPTURES, ami_planfix

RIGHT = """
ami: {secret: s3cret-of-asterisk}
server: {public_url: 'https://pbx.example.com', token: 0123456789abcdef, trusted_proxies: [127.0.0.1]}
"""


def test_help_names_every_command() -> None:
    result = ami_planfix("--help")
    assert result.status == 0
    for name in COMMANDS:
        assert f"\n  {name} " in result.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_of_its_own(name: str) -> None:
    result = ami_planfix(name, "--help")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith(f"Usage: ami-planfix {name} ")


def test_the_version_is_told() -> None:
    assert ami_planfix("--version").out == f"ami-planfix, version {__version__}\n"


@pytest.mark.parametrize("arguments", [["relay"], ["replay", "--tabel", "x"], ["check", "too", "many"]])
def test_bad_usage_is_status_2_and_said_on_stderr(arguments: list[str]) -> None:
    result = ami_planfix(*arguments)
    assert (result.status, result.out) == (2, "")
    assert "Error: " in result.err


def test_replay_does_not_wait_for_what_the_daemon_needs() -> None:
    heavy = ("aiohttp", "sqlalchemy", "panoramisk", "alembic", "prometheus_client")
    code = (
        "import sys; from ami_planfix.cli.main import run_cli;"
        f"run_cli(['replay', {str(next(CAPTURES.glob('*/*.ami')))!r}]);"
        f"print('loaded:', *(m for m in {heavy} if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines()[-1] == "loaded:", done.stderr


def test_to_a_reader_that_has_seen_enough_nothing_is_said() -> None:
    """As with `| head -1`: the pipe is closed while we still write."""
    files = [str(path) for path in sorted(CAPTURES.glob("*/*.ami"))] * 3
    with subprocess.Popen(
        [sys.executable, "-m", "ami_planfix", "replay", *files], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        process.wait(60)


class TestCheck:
    def test_a_right_file_is_status_0(self, tmp_path: Path) -> None:
        config = tmp_path / "config.yaml"
        config.write_text(RIGHT)
        result = ami_planfix("check", "-c", config)
        assert (result.status, result.out, result.err) == (0, "", f"{config}: no errors\n")

    def test_every_problem_is_told_with_its_line(self, tmp_path: Path) -> None:
        config = tmp_path / "config.yaml"
        config.write_text("ami:\n  secret: x\n  prot: 5038\ntrunks:\n  - {channel: PJSIP/a, kind: extern}\n")
        result = ami_planfix("check", "-c", config)
        assert (result.status, result.out) == (2, "")
        assert f"{config}:3: ami.prot" in result.err
        assert f"{config}:5: trunks[0].kind" in result.err

    def test_problems_as_json(self, tmp_path: Path) -> None:
        config = tmp_path / "config.yaml"
        config.write_text("ami:\n  secret: x\n  prot: 5038\n")
        (problem,) = ami_planfix("check", "--json", "-c", config).rows
        assert (problem["line"], problem["key"], problem["suggestion"]) == (3, "ami.prot", "port")

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        result = ami_planfix("check", "-c", tmp_path / "none.yaml")
        assert result.status == 2
        assert f"{tmp_path / 'none.yaml'}: cannot be read: No such file or directory" in result.err

    def test_what_a_file_leaves_out_is_said(self, tmp_path: Path) -> None:
        config = tmp_path / "config.yaml"
        config.write_text("ami: {secret: x}\n")
        assert "there is no section `server`" in ami_planfix("check", "-c", config).err
