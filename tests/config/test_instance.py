"""Two daemons on one machine share no state, no socket and no cache, whatever their files leave out."""

from pathlib import Path

import pytest

from ami_planfix.config import Config
from ami_planfix.config.instance import at_home, instance_of, unit_of


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("/etc/ami-planfix/config.yaml", ""),
        ("/etc/ami-planfix/office.yaml", "office"),
        ("/etc/ami-planfix/branch-2.yaml", "branch-2"),
        ("/etc/ami-planfix/office.yml", ""),
        ("/etc/ami-planfix/drafts/office.yaml", ""),
        ("/root/office.yaml", ""),
        ("/etc/ami-planfix/of fice.yaml", ""),
    ],
)
def test_the_name_is_that_of_the_file(file: str, name: str) -> None:
    assert instance_of(Path(file)) == name


def test_systemd_calls_it_by_its_name() -> None:
    assert unit_of(Path("/etc/ami-planfix/office.yaml")) == "ami-planfix@office"
    assert unit_of(Path("/etc/ami-planfix/config.yaml")) == "ami-planfix"


def test_without_a_file_there_is_no_name() -> None:
    assert instance_of(None) == ""


def test_what_is_not_said_is_in_the_instances_own_folders() -> None:
    config = at_home(Config(), "office")
    assert config.storage.url.get_secret_value() == "sqlite:////var/lib/ami-planfix-office/state.db"
    assert config.admin.socket == Path("/run/ami-planfix-office/control.sock")
    assert config.recordings.cache == Path("/var/cache/ami-planfix-office/recordings")


def test_what_is_said_stays() -> None:
    said = {
        "storage": {"url": "sqlite:////srv/ami-planfix/state.db"},
        "admin": {"socket": "/run/ami-planfix/x.sock", "group": "staff"},
        "recordings": {"cache": "/var/cache/ami-planfix/x"},
    }
    assert at_home(Config.model_validate(said), "office") == Config.model_validate(said)


def test_other_keys_of_a_section_are_kept() -> None:
    config = at_home(Config.model_validate({"storage": {"durable": "true"}, "admin": {"group": "staff"}}), "office")
    assert config.storage.durable
    assert config.admin.group == "staff"
    assert "ami-planfix-office" in str(config.admin.socket)


def test_the_plain_one_is_as_ever() -> None:
    assert at_home(Config(), "") == Config()
