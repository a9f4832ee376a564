"""Several daemons on one machine: `/etc/ami-planfix/NAME.yaml` has folders of its own, as `ami-planfix@NAME` does."""

import re
from pathlib import Path

from pydantic import BaseModel, SecretStr

from ami_planfix.config.model import Config

FOLDER = Path("/etc/ami-planfix")
PLAIN = "config"
"""The name of the one that is called ami-planfix alone."""
PLACES = (("storage", "url"), ("admin", "socket"), ("recordings", "cache"))
"""Keys whose defaults are in those folders."""

_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def file_of(name: str) -> Path:
    """Tell where a daemon's configuration is."""
    return FOLDER / f"{name}.yaml"


def is_name(text: str) -> bool:
    """Tell whether a daemon may be called so: what systemd takes for `ami-planfix@NAME`, and no file's name."""
    return _NAME.fullmatch(text) is not None


def instance_of(path: Path | None) -> str:
    """Tell the name of the daemon that a file configures; `''` for the plain one, and for files elsewhere."""
    if path is None or path.suffix != ".yaml" or path.absolute().parent != FOLDER or path.stem == PLAIN:
        return ""
    return path.stem if is_name(path.stem) else ""


def unit_of(path: Path | None) -> str:
    """Tell what systemd calls the daemon that a file configures: `ami-planfix`, `ami-planfix@office`."""
    instance = instance_of(path)
    return f"ami-planfix@{instance}" if instance else "ami-planfix"


def at_home(config: Config, instance: str) -> Config:
    """Move what the file does not name into the folders of the instance (`/var/lib/ami-planfix-NAME`)."""
    if not instance:
        return config
    moved: dict[str, BaseModel] = {}
    for section, key in PLACES:
        known = moved.get(section) or getattr(config, section)
        if key not in known.model_fields_set:
            moved[section] = known.model_copy(update={key: _moved(getattr(known, key), instance)})
    return config.model_copy(update=moved)


def _moved(place: Path | SecretStr, instance: str) -> Path | SecretStr:
    def move(text: str) -> str:
        return text.replace("/ami-planfix/", f"/ami-planfix-{instance}/")

    return Path(move(str(place))) if isinstance(place, Path) else SecretStr(move(place.get_secret_value()))
