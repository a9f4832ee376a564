"""`deliveries`: the outbox and its failures; `deliveries retry`, `deliveries drop`."""

from pathlib import Path

import click

from ami_planfix.cli.calls import clock_time
from ami_planfix.cli.control import ask, order
from ami_planfix.cli.options import config_option, json_option
from ami_planfix.cli.output import print_json, print_table, rows_of, tell

STATES = ("waiting", "delivered", "stale", "dead", "dropped")
TROUBLES = ("waiting", "dead")


@click.group(invoke_without_command=True)
@config_option
@json_option
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only these (several times).")
@click.option("--all", "everything", is_flag=True, help="Also what was delivered, left out or dropped.")
@click.option("--call", default="", metavar="CALLID", help="Only reports of this call.")
@click.option("--limit", default=100, type=click.IntRange(1, 10_000), help="The newest so many.")
@click.pass_context
def deliveries(
    context: click.Context,
    config: Path | None,
    as_json: bool,
    states: tuple[str, ...],
    everything: bool,
    call: str,
    limit: int,
) -> None:
    """Show reports that wait for Planfix (waiting) or that it refused (dead), newest first."""
    context.obj = config
    if context.invoked_subcommand is not None:
        return
    wanted = () if everything or call else states or TROUBLES
    query = [("state", state) for state in states or wanted] + [("call", call), ("limit", str(limit))]
    answer = ask(config, "/deliveries", query)
    rows = rows_of(answer, "deliveries")
    if as_json:
        for row in rows:
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
    counts = answer.get("counts")
    if isinstance(counts, dict):
        tell(", ".join(f"{counts[state]} {state}" for state in STATES if counts.get(state)) or "nothing yet")


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
