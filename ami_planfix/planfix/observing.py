"""`run --observe`: takes reports in Planfix's place, sends nothing, and says what it would have sent."""

import re

import structlog

from ami_planfix.calls.reports import Report
from ami_planfix.logs import REDACTED
from ami_planfix.planfix.messages import Wording, event_form

_SIGNATURE = re.compile(r"(/recordings/)[0-9a-f]{32,}(/[^/]*)$", re.ASCII)
"""Whoever reads it in the log may listen."""

log = structlog.get_logger("ami_planfix.observe")


class Observing:
    """Looks on."""

    is_set_up = True
    looks_on = True

    def __init__(self, wording: Wording) -> None:
        self._wording = wording

    async def event(self, report: Report) -> None:
        """Say what would be sent."""
        form = event_form(report, self._wording)
        form.pop("cmd")
        what = form.pop("event")
        log.info("report observed", report=what, rule=report.rule, cause=report.cause, **form)

    async def record(self, callid: str, link: str, temporary: bool = False) -> None:
        """Say what would be sent."""
        shown = _SIGNATURE.sub(rf"\1{REDACTED}\2", link)
        log.info("report observed", report="record", callid=callid, record_link=shown, is_temp=temporary)

    async def ping(self) -> object:
        """Say nothing: there is nobody to ask."""
        return None
