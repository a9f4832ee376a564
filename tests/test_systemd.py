"""The unit file says what the daemon relies on, and shuts it in."""

from collections import defaultdict
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from ami_planfix.config.model import Config, Tls

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
