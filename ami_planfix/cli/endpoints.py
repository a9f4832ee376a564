"""`endpoints`: which channels are whose, and why."""

from pathlib import Path

import click

from ami_planfix.cli.control import ask
from ami_planfix.cli.options import config_option, json_option
from ami_planfix.cli.output import print_json, print_table, rows_of, tell


@click.command()
@config_option
@json_option
def endpoints(config: Path | None, as_json: bool) -> None:
    """Show whose every device and live channel is, and why; the configuration overrules (trunks, employees)."""
    found = rows_of(ask(config, "/endpoints"), "endpoints")
    if as_json:
        for one in found:
            print_json(one)
        return
    print_table(
        ("channel", "is", "extension", "number", "reported", "why"),
        [
            [str(one["name"]), str(one["is"]), str(one["extension"]), str(one["number"]), _yes(one), str(one["why"])]
            for one in found
        ],
    )
    if not found:
        tell("no device is known and no channel is live: is Asterisk connected? The daemon's log tells")


def _yes(one: dict[str, object]) -> str:
    return "yes" if one["reported"] else "no"
