"""The files that come with the program: Asterisk's snippets and the unit, in a wheel or beside the sources."""

from importlib.resources import files
from pathlib import Path

import ami_planfix


def shipped(name: str) -> str:
    """Read one of them: `asterisk/manager.conf`, `systemd/ami-planfix.service`."""
    inside = files(ami_planfix) / "shipped" / name
    if inside.is_file():
        return inside.read_text("utf-8")
    return (Path(ami_planfix.__file__).parents[1] / name).read_text("utf-8")
