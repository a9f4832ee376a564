"""A report as a row of a table, for `replay` and `demo`."""

from datetime import UTC, datetime

from ami_planfix.calls.reports import Report
from ami_planfix.cli.output import Cell
from ami_planfix.planfix.messages import Wording, event_name, is_recorded, status_name

HEADINGS = ("time", "callid", "", "client", "number", "ext", "event", "status", "s", "rec", "rule")


def row(report: Report, wording: Wording) -> list[Cell]:
    """Make a row under `HEADINGS`, in local time."""
    at = datetime.fromtimestamp(report.at, UTC).astimezone()
    done = report.outcome is not None
    return [
        at.strftime("%H:%M:%S.%f")[:-3],
        report.callid,
        report.direction.value,
        report.client or wording.hidden_number,
        report.did,
        report.extension,
        event_name(report.stage),
        status_name(report.outcome, wording) if report.outcome is not None else "",
        report.duration if done else None,
        int(is_recorded(report, wording)) if done else None,
        report.rule,
    ]
