"""`recordings`: which recordings wait for their files or lack them; `recordings revoke`."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from ami_planfix.cli.calls import clock_time
from ami_planfix.cli.control import ask, order
from ami_planfix.cli.options import config_option, json_option
from ami_planfix.cli.output import print_json, print_table, rows_of, tell


@click.group(invoke_without_command=True)
@config_option
@json_option
@click.option("--call", default="", metavar="CALLID", help="The recording of this call, whatever its state.")
@click.option("--limit", default=100, type=click.IntRange(1, 10_000), help="The newest so many.")
@click.pass_context
def recordings(context: click.Context, config: Path | None, as_json: bool, call: str, limit: int) -> None:
    """Show recordings whose files are waited for (waiting) or did not appear (missing), newest first."""
    context.obj = config
    if context.invoked_subcommand is not None:
        return
    answer = ask(config, "/recordings", [("call", call), ("limit", str(limit))])
    show(rows_of(answer, "recordings"), as_json)
    counts = answer.get("counts")
    if isinstance(counts, dict):
        tell(", ".join(f"{count} {state}" for state, count in counts.items() if count) or "nothing yet")


@recordings.command()
@config_option
@click.confirmation_option(prompt="No link to a recording that Planfix has will work any more. Go on?")
@click.pass_obj
def revoke(outer: Path | None, config: Path | None) -> None:
    """End all links to recordings that were ever given, by a new key."""
    order(config or outer, "/recordings/revoke")
    tell("done; links that are given from now on are good")


def show(rows: Iterable[Mapping[str, object]], as_json: bool = False) -> None:
    """Print recordings."""
    if as_json:
        for row in rows:
            print_json(row)
        return
    print_table(
        ("time", "callid", "state", "files", ""),
        [
            [clock_time(row["at"]), str(row["callid"]), str(row["state"]), _files(row["files"]), str(row["detail"])]
            for row in rows
        ],
    )


def _files(files: object) -> str:
    return ", ".join(map(str, files)) if isinstance(files, list) else ""
