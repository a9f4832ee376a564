"""`explain`: one call's timeline, and why it was reported as it was."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from ami_planfix.cli.calls import clock_time
from ami_planfix.cli.control import ask
from ami_planfix.cli.options import config_option, json_option
from ami_planfix.cli.output import print_json, print_table, printable, rows_of, tell
from ami_planfix.cli.recordings import show
from ami_planfix.cli.timeline import lines


class Moment(click.ParamType[datetime]):
    """A time of day (`02:00`, the latest one), or a date with one."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read it as local time."""
        text = str(value)
        now = datetime.now(UTC).astimezone()
        for form in ("%H:%M", "%H:%M:%S"):
            try:
                clock = datetime.strptime(text, form).replace(tzinfo=UTC)
            except ValueError:
                continue
            then = now.replace(hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0)
            return then if then <= now else then - timedelta(days=1)
        try:
            return datetime.fromisoformat(text).astimezone()
        except ValueError:
            self.fail(f"{text!r} is no time; write 02:00 or 2026-11-23T02:00", param, ctx)


@click.command()
@config_option
@json_option
@click.argument("callid", required=False, default="")
@click.option("--phone", default="", metavar="NUMBER", help="Find calls by a number in them, if no callid is known.")
@click.option("--since", type=Moment(), help="With --phone: from then on (02:00, 2026-11-23T02:00); else for a day.")
def explain(config: Path | None, as_json: bool, callid: str, phone: str, since: datetime | None) -> int:
    """Tell one call's timeline: what AMI said, what was concluded and by which rule, what Planfix answered.

    `deliveries` and the log show callids; with --phone the calls of a number are listed, and told if there is one.
    """
    if bool(callid) == bool(phone):
        raise click.UsageError("name a callid, or --phone and part of a number (five digits or more)")
    if phone:
        query = [("phone", phone)] + ([("since", str(since.timestamp()))] if since else [])
        found = rows_of(ask(config, "/explain/find", query), "calls")
        if len(found) != 1:
            _list(found, as_json)
            return 0 if found else 1
        callid = str(found[0]["callid"])
    moments = rows_of(ask(config, "/explain", [("call", callid)]), "timeline")
    if not moments:
        tell(f"nothing is kept of {callid}: it is older than calls.timeline_days, or was never heard")
        return 1
    for line in moments if as_json else lines(moments):
        if isinstance(line, str):
            click.echo(printable(line))
        else:
            print_json(line)
    recorded = rows_of(ask(config, "/recordings", [("call", callid)]), "recordings")
    if recorded:
        if not as_json:
            click.echo()
        show(recorded, as_json)
    return 0


def _list(found: list[dict[str, object]], as_json: bool) -> None:
    if as_json:
        for one in found:
            print_json(one)
        return
    print_table(("time", "callid"), [[clock_time(one["at"]), str(one["callid"])] for one in found])
    tell("explain one of these by its callid" if found else "no call with that number is kept")
