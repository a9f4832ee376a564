"""The options that commands share: which configuration, and results as JSON."""

import os
from pathlib import Path

import click

from ami_planfix.config.instance import PLAIN, file_of, is_name
from ami_planfix.config.load import FOR_CALLS, load
from ami_planfix.config.model import Config
from ami_planfix.config.source import read
from ami_planfix.planfix.messages import DEFAULT_WORDING, Wording

DEFAULT = file_of(PLAIN)


class Configuration(click.Path):
    """A file, or the name of one of several daemons: `office` is /etc/ami-planfix/office.yaml."""

    name = "configuration"

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Find the file that is meant; one that lies here comes first."""
        named = os.fspath(value)
        return file_of(named) if is_name(named) and not os.path.lexists(named) else Path(named)


config_option = click.option(
    "-c",
    "--config",
    type=Configuration(),
    metavar="FILE",
    help=f"The configuration (default: {DEFAULT}), or the NAME of one of several daemons.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, not a table.")


def config_of(path: Path | None) -> Config:
    """Read the whole configuration; raises ConfigurationError."""
    return load(path or DEFAULT)


def config_for_calls(path: Path | None) -> tuple[Config, str, Wording]:
    """Read what the tracker needs, the PBX's name, and Planfix's words, without demanding any secret.

    With no file named and none in the default place all is as if nothing were configured.
    """
    if path is None and _is_missing(DEFAULT):
        return Config(), "", DEFAULT_WORDING
    file = path or DEFAULT
    config = load(file, FOR_CALLS)
    wording = Wording(
        _plain(file, "planfix", "canceled_status", DEFAULT_WORDING.canceled_status),
        _plain(file, "planfix", "hidden_number", DEFAULT_WORDING.hidden_number),
    )
    return config, _plain(file, "ami", "name", ""), wording


def _is_missing(file: Path) -> bool:
    try:
        file.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False  # it may be there: whoever reads it says why that fails
    return False


def _plain(file: Path, section: str, key: str, default: str) -> str:
    tree = read(file).tree
    values = tree.get(section) if isinstance(tree, dict) else None
    value = values.get(key) if isinstance(values, dict) else None
    return value if isinstance(value, str) and value else default
