"""`deliveries`: the outbox and its failures; `deliveries list`, `deliveries retry`, `deliveries drop`."""

from collections.abc import Callable
from pathlib import Path
from typing import TypedDict, Unpack

import click

from ami_planfix.cli.calls import clock_time
from ami_planfix.cli.control import ask, order
from ami_planfix.cli.options import config_option, json_option
from ami_planfix.cli.output import print_json, print_table, rows_of, tell
from ami_planfix.cli.recordings import show

STATES = ("waiting", "delivered", "stale", "dead", "dropped", "observed")
TROUBLES = ("waiting", "dead")
Command = Callable[..., None]


class _Chosen(TypedDict):
    """Which rows, and how to show them."""

    as_json: bool
    states: tuple[str, ...]
    everything: bool
    call: str
    limit: int


def _what(command: Command) -> Command:
    """Add the options that choose rows."""
    for option in (
        click.option("--limit", default=100, type=click.IntRange(1, 10_000), help="The newest so many."),
        click.option("--call", default="", metavar="CALLID", help="Only reports of this call."),
        click.option("--all", "everything", is_flag=True, help="Also what was delivered, left out or dropped."),
        click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only these (several times)."),
        json_option,
        config_option,
    ):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@_what
@click.pass_context
def deliveries(context: click.Context, config: Path | None, **chosen: Unpack[_Chosen]) -> None:
    """Show reports that wait for Planfix (waiting) or that it refused (dead), newest first."""
    context.obj = config
    if context.invoked_subcommand is None:
        _show(config, **chosen)


@deliveries.command("list")
@_what
@click.pass_obj
def list_(outer: Path | None, config: Path | None, **chosen: Unpack[_Chosen]) -> None:
    """Show the same as `deliveries` alone."""
    _show(config or outer, **chosen)


@deliveries.command()
@config_option
@click.option("--all", "everything", is_flag=True, help="All that Planfix refused.")
@click.argument("ids", nargs=-1, type=int)
@click.pass_obj
def retry(outer: Path | None, config: Path | None, everything: bool, ids: tuple[int, ...]) -> int:
    """Send refused reports again, by their ids."""
    return _change(config or outer, "retry", "to be sent again", everything, ids)


@deliveries.command()
@config_option
@click.option("--all", "everything", is_flag=True, help="All that Planfix refused.")
@click.argument("ids", nargs=-1, type=int)
@click.pass_obj
def drop(outer: Path | None, config: Path | None, everything: bool, ids: tuple[int, ...]) -> int:
    """Give reports up, by their ids: Planfix will never get them."""
    return _change(config or outer, "drop", "given up", everything, ids)


def _change(config: Path | None, what: str, done: str, everything: bool, ids: tuple[int, ...]) -> int:
    if everything == bool(ids):
        raise click.UsageError("name the ids that `ami-planfix deliveries` shows, or --all")
    answer = order(config, f"/deliveries/{what}", {"ids": None if everything else list(ids)})
    count = answer.get("count")
    tell(f"{count} {done}")
    return 0 if count or everything else 1


def _show(config: Path | None, as_json: bool, states: tuple[str, ...], everything: bool, call: str, limit: int) -> None:
    wanted = () if everything or call else states or TROUBLES
    query = [("state", state) for state in states or wanted] + [("call", call), ("limit", str(limit))]
    answer = ask(config, "/deliveries", query)
    rows = rows_of(answer, "deliveries")
    recorded = rows_of(ask(config, "/recordings", [("call", call), ("limit", str(limit))]), "recordings")
    if as_json:
        for row in [*rows, *({"kind": "recording", **one} for one in recorded)]:
            print_json(row)
        return
    print_table(
        ("id", "time", "state", "callid", "ext", "report", "client", "tries", "Planfix's answer"),
        [
            [
                str(row["id"]),
                clock_time(row["at"]),
                str(row["state"]),
                str(row["callid"]),
                str(row.get("ext", "")),
                " ".join(filter(None, (str(row.get("event", row["kind"])), str(row.get("status", ""))))),
                str(row.get("client", "")),
                str(row["attempts"]),
                str(row["answer"]),
            ]
            for row in rows
        ],
    )
    if recorded:
        click.echo()
        show(recorded)
    if not rows:
        tell("nothing waits for Planfix, and nothing was refused" if wanted == TROUBLES else "no such report is kept")
    counts = answer.get("counts")
    if isinstance(counts, dict):
        tell(", ".join(f"{counts[state]} {state}" for state in STATES if counts.get(state)) or "no reports yet")
