"""The unit file says what the daemon relies on, and shuts it in."""

from collections import defaultdict
from pathlib import Path

import pytest

UNIT = Path(__file__).parent.parent / "systemd" / "ami-planfix.service"


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
        ("User", "ami-planfix"),
    ],
)
def test_it_can_do_only_what_it_must(name: str, value: str) -> None:
    assert settings()[name] == [value]


def test_every_setting_is_explained() -> None:
    """A comment before each setting or small group of them: an administrator must be able to judge them."""
    lines = UNIT.read_text().splitlines()
    alone = 0
    for line in lines[lines.index("[Service]") + 1 : lines.index("[Install]")]:
        alone = 0 if line.startswith("#") else alone + bool(line)
        assert alone <= 4, f"nobody knows why {line}"
