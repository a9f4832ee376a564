"""`demo`: the whole product on one machine in half a minute, with nothing to configure."""

import asyncio
import time
from datetime import UTC, datetime

import click

from ami_planfix.cli.options import json_option
from ami_planfix.cli.output import print_json, printable, tell
from ami_planfix.demo.planfix import Received
from ami_planfix.demo.runner import Audience, Demo
from ami_planfix.demo.stories import STORIES, Story
from ami_planfix.logs import Format, configure

_COLUMNS = (("time", 12), ("event", 9), ("type", 4), ("ext", 4), ("phone", 11), ("diversion", 11), ("status", 8))
_LAST = "duration"


@click.command()
@json_option
def demo(as_json: bool) -> int:
    """Show the whole product on this machine, with nothing to configure.

    An embedded Asterisk plays calls over a real AMI socket, the daemon reports them, and an embedded Planfix,
    a real HTTP server, receives. What is shown is what it received.
    """
    configure("error", Format.TEXT)
    begun = time.monotonic()
    audience = _Json() if as_json else _Table()
    heard = asyncio.run(Demo(audience).run())
    wrong = [story for story in STORIES if sorted(heard.get(story.title, ())) != sorted(story.expected)]
    for story in wrong:
        tell(f"{story.title}: expected {', '.join(story.expected)}; heard {', '.join(heard[story.title])}")
    reports = sum(map(len, heard.values()))
    took = time.monotonic() - begun
    tell(f"{len(heard)} calls, {reports} reports, {len(wrong)} calls not as they should be; {took:.0f} s")
    return 1 if wrong else 0


class _Json(Audience):
    """Prints each request as it came, but the token."""

    def received(self, what: Received) -> None:
        """Print one."""
        fields = {name: value for name, value in what.fields.items() if name != "planfix_token"}
        print_json({"time": _iso(what.at), **fields})


class _Table(Audience):
    """Prints a line for each request, under the call that it belongs to."""

    def begins(self, story: Story) -> None:
        """Print a heading."""
        click.echo(f"\n{story.title}")
        click.echo("  " + "  ".join(name.ljust(width) for name, width in _COLUMNS) + f"  {_LAST}")

    def received(self, what: Received) -> None:
        """Print a line."""
        if what.fields.get("cmd") != "event":
            click.echo(f"Planfix received: {what.fields.get('cmd', '')}")
            return
        at = datetime.fromtimestamp(what.at, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
        values = [at, *(printable(what.fields.get(name, "")) for name, _ in _COLUMNS[1:])]
        cells = [value.ljust(width) for value, (_, width) in zip(values, _COLUMNS, strict=True)]
        click.echo(("  " + "  ".join(cells) + f"  {what.fields.get(_LAST, '')}").rstrip())


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")
