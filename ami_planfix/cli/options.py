"""The options that commands share: which configuration, and results as JSON."""

from pathlib import Path

import click

from ami_planfix.config.load import FOR_CALLS, load
from ami_planfix.config.model import Config
from ami_planfix.config.source import read
from ami_planfix.planfix.messages import DEFAULT_WORDING, Wording

DEFAULT = Path("/etc/ami-planfix/config.yaml")

config_option = click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"The configuration (default: {DEFAULT}).",
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
