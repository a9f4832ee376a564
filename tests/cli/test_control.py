"""Where commands find the daemon, and the configuration of those who may not read it."""

from pathlib import Path

import pytest

from ami_planfix.cli import control, options
from ami_planfix.errors import ConfigurationError


@pytest.fixture
def unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the usual configuration where nobody can get at it, root neither; tell where the usual socket is."""
    (tmp_path / "file").touch()
    for module in (control, options):
        monkeypatch.setattr(module, "DEFAULT", tmp_path / "file" / "config.yaml")
    monkeypatch.setattr(control, "usual_socket", lambda _: tmp_path / "control.sock")
    return tmp_path / "control.sock"


def test_whoever_cannot_read_the_configuration_finds_the_usual_socket(unreadable: Path) -> None:
    unreadable.touch()
    assert control.socket_of(None) == unreadable


def test_without_that_socket_the_configuration_is_asked_for(unreadable: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        control.socket_of(None)


def test_a_configuration_that_is_named_counts(unreadable: Path, tmp_path: Path) -> None:
    unreadable.touch()
    file = tmp_path / "config.yaml"
    file.write_text("admin: {socket: /tmp/other.sock}\n")
    assert control.socket_of(file) == Path("/tmp/other.sock")


def test_one_of_several_daemons_is_found_likewise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(control, "usual_socket", lambda name: (tmp_path / name).with_suffix(".sock"))
    (tmp_path / "office.sock").touch()
    assert control.socket_of(Path("/etc/ami-planfix/office.yaml")) == tmp_path / "office.sock"
    with pytest.raises(ConfigurationError, match="cannot be read"):
        control.socket_of(Path("/etc/ami-planfix/branch.yaml"))


@pytest.mark.usefixtures("unreadable")
def test_a_configuration_that_cannot_be_read_is_not_taken_for_none() -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        options.config_for_calls(None)


def test_none_in_the_usual_place_is_as_if_nothing_were_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "DEFAULT", tmp_path / "none" / "config.yaml")
    config, name, _ = options.config_for_calls(None)
    assert (config.trunks, name) == ((), "")
