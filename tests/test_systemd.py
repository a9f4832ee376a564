"""The unit file says what the daemon relies on, and shuts it in."""

import subprocess
from collections import defaultdict
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from ami_planfix.config.instance import at_home
from ami_planfix.config.model import Config, Tls

SYSTEMD = Path(__file__).parent.parent / "systemd"
UNIT = SYSTEMD / "ami-planfix.service"
TEMPLATE = SYSTEMD / "ami-planfix@.service"
MOST_EXPOSED = 2.0
"""Of 10, by `systemd-analyze security`."""


def settings() -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for line in UNIT.read_text().splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            found[name].append(value)
    return found


def test_it_waits_for_ready_and_is_watched() -> None:
    unit = settings()
    assert unit["Type"] == ["notify"]
    assert int(unit["WatchdogSec"][0]) >= 30
    assert unit["ExecStart"][0].split()[1:] == ["run", "-c", "/etc/ami-planfix/config.yaml"]


def test_a_reload_checks_before_it_restarts() -> None:
    check, restart = settings()["ExecReload"]
    assert check.split()[1:] == ["check", "-c", "/etc/ami-planfix/config.yaml"]
    assert restart == "/bin/kill -HUP $MAINPID"


def test_it_is_started_again_unless_its_configuration_is_wrong() -> None:
    unit = settings()
    assert unit["Restart"] == ["always"]
    assert unit["RestartPreventExitStatus"] == ["2"]
    assert unit["StartLimitIntervalSec"] == ["0"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
        ("StateDirectoryMode", "0700"),
        ("CacheDirectoryMode", "0750"),
        ("User", "ami-planfix"),
    ],
)
def test_it_can_do_only_what_it_must(name: str, value: str) -> None:
    assert settings()[name] == [value]


def test_what_it_writes_by_default_is_in_folders_that_systemd_makes() -> None:
    unit, config = settings(), Config()
    state = unquote(urlsplit(config.storage.url.get_secret_value()).path).removeprefix("/")
    for path, folder in (
        (Path(state), f"/var/lib/{unit['StateDirectory'][0]}"),
        (config.recordings.cache, f"/var/cache/{unit['CacheDirectory'][0]}"),
        (config.admin.socket, f"/run/{unit['RuntimeDirectory'][0]}"),
    ):
        assert path.is_relative_to(folder)


def test_the_certificate_of_the_example_is_where_it_can_be_read() -> None:
    for name in ("certificate", "private_key"):
        examples = Tls.model_fields[name].examples or []
        assert [Path(one).parent for one in examples] == [Path("/etc", *settings()["ConfigurationDirectory"])]


def test_whoever_is_in_the_group_of_the_socket_gets_to_it() -> None:
    """`admin.group` may be any group: the folder lets everybody through, the socket has the mode 0660."""
    assert settings()["RuntimeDirectoryMode"] == ["0755"]
    assert settings()["RuntimeDirectoryPreserve"] == ["yes"]


def test_it_may_give_the_socket_to_a_group() -> None:
    """`~@privileged` forbids chown; what comes later counts."""
    calls = settings()["SystemCallFilter"]
    assert calls.index("@chown") > calls.index("~@privileged @resources")


def test_every_setting_is_explained() -> None:
    """A comment before each setting or small group of them: an administrator must be able to judge them."""
    lines = UNIT.read_text().splitlines()
    alone = 0
    for line in lines[lines.index("[Service]") + 1 : lines.index("[Install]")]:
        alone = 0 if line.startswith("#") else alone + bool(line)
        assert alone <= 4, f"nobody knows why {line}"


def test_one_of_several_is_the_same_with_places_of_its_own() -> None:
    plain, template = UNIT.read_text(), TEMPLATE.read_text()
    for name in ("StateDirectory", "RuntimeDirectory", "CacheDirectory"):
        plain = plain.replace(f"{name}=ami-planfix\n", f"{name}=ami-planfix-%i\n")
    plain = plain.replace("/etc/ami-planfix/config.yaml", "/etc/ami-planfix/%i.yaml")
    plain = plain.replace("Description=Asterisk to Planfix:", "Description=Asterisk to Planfix (%i):")

    def settings_of(text: str) -> list[str]:
        return [line for line in text.splitlines() if line and not line.startswith("#")]

    assert settings_of(template) == settings_of(plain)


def test_the_folders_of_one_of_several_are_those_that_its_configuration_takes() -> None:
    config = at_home(Config(), "office")
    for place, base in (
        (Path(unquote(urlsplit(config.storage.url.get_secret_value()).path)[1:]), "/var/lib"),
        (config.recordings.cache, "/var/cache"),
        (config.admin.socket, "/run"),
    ):
        assert place.is_relative_to(f"{base}/ami-planfix-office")


@pytest.mark.packages
class TestSystemd:
    """What systemd itself says of the units."""

    @pytest.fixture
    def units(self, tmp_path: Path) -> list[Path]:
        """Copy them, with a program that is there and an instance's name."""
        program = tmp_path / "ami-planfix"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        found = []
        for unit, name in ((UNIT, "ami-planfix.service"), (TEMPLATE, "ami-planfix@office.service")):
            copy = tmp_path / name
            copy.write_text(unit.read_text().replace("/usr/local/bin/ami-planfix", str(program)))
            found.append(copy)
        return found

    def test_it_finds_no_fault(self, units: list[Path]) -> None:
        for unit in units:
            done = analyze("verify", "--man=no", "--recursive-errors=no", unit)
            assert (done.returncode, done.stdout + done.stderr) == (0, "")

    def test_it_finds_little_that_is_exposed(self, units: list[Path]) -> None:
        for unit in units:
            threshold = f"--threshold={MOST_EXPOSED * 10:.0f}"
            done = analyze("security", "--offline=true", threshold, "--no-pager", unit)
            assert done.returncode == 0, done.stdout + done.stderr


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)
