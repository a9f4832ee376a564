"""`backfill`: reports what nobody heard, from Asterisk's own records."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from ami_planfix.cli.control import order
from ami_planfix.cli.explain import Moment
from ami_planfix.cli.options import config_option, json_option
from ami_planfix.cli.output import Cell, print_json, print_table, rows_of, tell

HEADINGS = ("time", "callid", "", "client", "number", "ext", "event", "status", "s", "rec", "rule", "from")
PATIENCE = 900.0
"""Seconds that a look at many records may take."""


@click.command()
@config_option
@json_option
@click.option("--since", type=Moment(), required=True, help="From then on (02:00, 2026-11-23T02:00).")
@click.option("--dry-run", "dry", is_flag=True, help="Only show what would be reported.")
def backfill(config: Path | None, as_json: bool, since: datetime, dry: bool) -> int:
    """Report calls that are missing in Planfix, from Asterisk's records (CDR, CEL): docs/admin/backfill.md.

    The running daemon does so by itself after each start and outage. What has been reported is never reported again.
    """
    answer = order(config, "/backfill", {"since": since.timestamp(), "dry": dry}, within=PATIENCE)
    reports = rows_of(answer, "reports")
    if as_json:
        for one in reports:
            print_json(one)
    else:
        print_table(HEADINGS, [_row(one) for one in reports])
    skipped = answer.get("skipped")
    for why, count in skipped.items() if isinstance(skipped, dict) else ():
        tell(f"{count} records skipped: {why}")
    tell(f"{answer.get('calls')} calls looked at, {len(reports)} reports {'missing' if dry else 'added'}")
    return 0


def _row(report: Mapping[str, object]) -> list[Cell]:
    at = report.get("at")
    when = datetime.fromtimestamp(at, UTC).astimezone() if isinstance(at, int | float) else None
    names = ("callid", "type", "phone", "diversion", "ext", "event", "status", "duration", "is_recorded", "rule")
    cells = [_cell(report.get(name)) for name in names]
    return [when.strftime("%d.%m. %H:%M:%S") if when else "", *cells, str(report.get("cause", "")).partition(":")[0]]


def _cell(value: object) -> Cell:
    return value if isinstance(value, str | int) else None
