"""The container's files fit the project: what is copied is there, and what the wheel is made of is copied."""

import re
import tomllib
from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[2]
CONTAINER = PROJECT / "packaging" / "container"


def test_what_the_image_is_made_of_is_there() -> None:
    lines = (CONTAINER / "Containerfile.dockerignore").read_text().splitlines()
    named = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert "*" in lines, "all else stays outside"
    assert {name for name in named if not (PROJECT / name).exists()} == set()
    wheel = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {*wheel["packages"], *wheel["force-include"], "requirements.lock", "pyproject.toml"} <= named
    used = re.findall(r"/src/([\w./-]+)", (CONTAINER / "Containerfile").read_text())
    assert "packaging/compile.py" in used
    assert set(used) <= named


def test_the_daemon_can_do_only_what_it_must() -> None:
    (service,) = yaml.safe_load((CONTAINER / "compose.yaml").read_text())["services"].values()
    assert (CONTAINER / service["build"]["context"] / service["build"]["dockerfile"]).exists()
    assert service["network_mode"] == "host"
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    readable = [volume for volume in service["volumes"] if volume.startswith("/")]
    assert all(volume.endswith(":ro") for volume in readable)
