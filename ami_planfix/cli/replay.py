"""`replay`: what Planfix would have received for a capture."""

from collections.abc import Iterator
from pathlib import Path

import click

from ami_planfix.ami import capture
from ami_planfix.ami.decode import decode
from ami_planfix.calls.attributes import Attribute
from ami_planfix.calls.events import Event
from ami_planfix.calls.reports import Report
from ami_planfix.calls.tracker import LiveCall, Settings, Tracker
from ami_planfix.cli.options import config_for_calls, config_option
from ami_planfix.cli.output import Cell, print_table, printable, printable_json, tell
from ami_planfix.cli.reports import HEADINGS, row
from ami_planfix.cli.timeline import lines as timeline_lines
from ami_planfix.config.model import Config
from ami_planfix.errors import CaptureError
from ami_planfix.explain import as_row, timeline
from ami_planfix.numbering import Numbering
from ami_planfix.planfix.messages import as_json_line


@click.command()
@config_option
@click.option("--table", is_flag=True, help="Print a table for people instead of JSON lines.")
@click.option("--explain", "explained", is_flag=True, help="Tell event by event what was concluded, and by which rule.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def replay(config: Path | None, table: bool, explained: bool, files: tuple[Path, ...]) -> int:
    """Print what Planfix would have received for captures (raw AMI logs, also gzipped).

    One JSON object a line: the parameters of Planfix's API without planfix_token, and `time`. Uses
    `numbering`, `trunks` and the like of the configuration; without one, numbers are those of Russia.
    """
    settings, pbx, wording = config_for_calls(config)
    failed = False
    for file in files:
        tracker = tracker_of(settings, pbx)
        rows: list[list[Cell]] = []
        try:
            if explained:
                moments = timeline(events_of(file), tracker)
                for line in timeline_lines(as_row(moment, wording) for moment in moments):
                    click.echo(printable(line))
                continue
            for report in reports_of(file, tracker):
                if table:
                    rows.append(row(report, wording))
                else:
                    click.echo(printable_json(as_json_line(report, wording)))
        except CaptureError as fault:
            tell(str(fault))
            failed = True
        if table:
            if len(files) > 1:
                tell(f"{file}:")
            print_table(HEADINGS, rows)
        for call in tracker.live():
            tell(f"{file}: ends while a call goes on: {_standing(call)}")
    return 1 if failed else 0


def tracker_of(config: Config, pbx: str) -> Tracker:
    """Make a fresh tracker as the daemon would; `pbx` is `ami.name`."""
    each = config.calls
    wanted = frozenset(map(Attribute, each.attributes))
    return Tracker(Numbering(config), Settings(pbx, each.transfers == "each", each.missed == "each", wanted))


def reports_of(file: Path, tracker: Tracker) -> Iterator[Report]:
    """Play a capture to a tracker."""
    for event in events_of(file):
        yield from tracker.handle(event).reports


def events_of(file: Path) -> Iterator[Event]:
    """Read the events of a capture; one without a time happened when the one before it did."""
    try:
        at = file.stat().st_mtime
    except OSError as fault:
        raise CaptureError(f"{file}: cannot be read: {fault.strerror}") from fault
    for raw in capture.read(file):
        event = decode(raw, at)
        if event is not None:
            at = event.at
            yield event


def _standing(call: LiveCall) -> str:
    talking = f", talking: {' '.join(call.talking)}" if call.talking else ""
    ringing = f", ringing: {' '.join(call.ringing)}" if call.ringing else ""
    return f"{call.callid} ({call.client or 'hidden number'}{talking}{ringing})"
