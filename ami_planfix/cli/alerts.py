"""`alerts`: what is wrong now and who was told; `alerts test`: tells everybody that nothing is."""

import asyncio
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from ami_planfix.alerts.looking import Trouble
from ami_planfix.alerts.message import Place, trial_of
from ami_planfix.alerts.phrases import PHRASES
from ami_planfix.alerts.ways import Way, ways_of
from ami_planfix.cli.control import ask
from ami_planfix.cli.options import DEFAULT, config_option, json_option
from ami_planfix.cli.output import print_json, print_table, rows_of, tell
from ami_planfix.config.load import load
from ami_planfix.errors import AlertNotSent


@click.group(invoke_without_command=True)
@config_option
@json_option
@click.pass_context
def alerts(context: click.Context, config: Path | None, as_json: bool) -> None:
    """Show what is wrong for long now, and by which ways you were told."""
    context.obj = config
    if context.invoked_subcommand is not None:
        return
    found = rows_of(ask(config, "/alerts"), "alerts")
    if as_json:
        for row in found:
            print_json(row)
        return
    cells = [
        [_time(row["since"]), _what(row["trouble"]), ", ".join(map(str, _list(row["told"]))), str(row["words"])]
        for row in found
    ]
    print_table(("since", "wrong", "told by", "reason"), cells)
    if not found:
        tell("nothing is wrong for long")


@alerts.command()
@config_option
@click.pass_obj
def test(outer: Path | None, config: Path | None) -> int:
    """Send a test message by each way that is configured, and say what came back."""
    file = config or outer or DEFAULT
    name = load(file, {"ami"}, secrets=False).ami.name
    section = load(file, {"alerts"}).alerts
    ways = ways_of(section)
    if not ways:
        tell("neither alerts.webhook nor alerts.mail is configured: what is wrong stands in the log alone")
        return 1
    message = trial_of(Place(socket.gethostname(), name), time.time(), section.language)

    async def send(way: Way) -> bool:
        try:
            said = await way.send(message)
        except AlertNotSent as fault:
            click.echo(f"{way.name}: failed: {fault}")
            return False
        click.echo(f"{way.name}: {said}")
        return True

    async def send_all() -> list[bool]:
        return [await send(way) for way in ways]

    return 0 if all(asyncio.run(send_all())) else 1


def _what(trouble: object) -> str:
    try:
        return PHRASES["en"][Trouble(str(trouble))].what
    except ValueError:
        return str(trouble)


def _time(at: object) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%d.%m. %H:%M") if isinstance(at, int | float) else ""


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
