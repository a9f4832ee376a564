"""`calls`: the calls that go on."""

from datetime import UTC, datetime
from pathlib import Path

import click

from ami_planfix.cli.control import ask
from ami_planfix.cli.options import config_option, json_option
from ami_planfix.cli.output import print_json, print_table, rows_of, tell


@click.command()
@config_option
@json_option
def calls(config: Path | None, as_json: bool) -> None:
    """Show the calls that go on: who rings, who talks, for how long."""
    live = rows_of(ask(config, "/calls"), "calls")
    if as_json:
        for call in live:
            print_json(call)
        return
    print_table(
        ("since", "", "client", "number", "ringing", "talking", "s", "callid"),
        [
            [
                clock_time(call["since"]),
                str(call["type"]),
                str(call["client"]) or "hidden",
                str(call["number"]),
                _names(call["ringing"]),
                _names(call["talking"]),
                str(call["seconds"]),
                str(call["callid"]),
            ]
            for call in live
        ],
    )
    if not live:
        tell("no calls now")


def clock_time(at: object) -> str:
    """Write a time (seconds since the epoch) as people here do."""
    if not isinstance(at, int | float):
        return ""
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _names(found: object) -> str:
    return " ".join(map(str, found)) if isinstance(found, list) else ""
