"""Which configuration is meant by what is typed."""

from pathlib import Path

import click
import pytest

from ami_planfix.cli.options import config_option
from tests.cli.running import ami_planfix


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("office", "/etc/ami-planfix/office.yaml"),
        ("branch-2", "/etc/ami-planfix/branch-2.yaml"),
        ("office.yaml", "office.yaml"),
        ("./office", "office"),
        ("/srv/office", "/srv/office"),
    ],
)
def test_a_name_is_one_of_several_daemons(typed: str, meant: str) -> None:
    assert what_is_meant_by(typed) == Path(meant)


def test_a_file_that_lies_here_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "office").touch()
    monkeypatch.chdir(tmp_path)
    assert what_is_meant_by("office") == Path("office")


def test_commands_take_it() -> None:
    result = ami_planfix("check", "-c", "no-such-office")
    assert result.status == 2
    assert "/etc/ami-planfix/no-such-office.yaml" in result.err


def what_is_meant_by(typed: str) -> Path:
    @click.command()
    @config_option
    def command(config: Path) -> Path:
        return config

    meant = command.main(["-c", typed], standalone_mode=False)
    assert isinstance(meant, Path)
    return meant
