"""What is heard and concluded until it is written, in one transaction."""

from dataclasses import dataclass, field

from ami_planfix.calls.events import Uniqueid
from ami_planfix.calls.reports import Report
from ami_planfix.journal import Row


@dataclass(slots=True)
class Batch:
    """Rows of the journal, channels of which nothing is kept any more, and reports."""

    rows: list[Row] = field(default_factory=list)
    gone: list[Uniqueid] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows) + len(self.gone) + len(self.reports)

    def extend(self, later: "Batch") -> None:
        """Take what came after it."""
        self.rows += later.rows
        self.gone += later.gone
        self.reports += later.reports
