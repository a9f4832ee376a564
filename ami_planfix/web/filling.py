"""What `ami-planfix backfill` asks of the running daemon, over its unix socket."""

import json

import structlog
from aiohttp import web

from ami_planfix.backfill.filling import Asker
from ami_planfix.backfill.parts import Records
from ami_planfix.calls.reports import Report
from ami_planfix.errors import AmiError, BackfillError, StorageError
from ami_planfix.planfix.messages import Wording, as_json_line
from ami_planfix.web.answers import json_answer, refused
from ami_planfix.web.forms import Unreadable, read_body

_FAR = 1e11
"""Seconds since the epoch, long after all of us."""

log = structlog.get_logger("ami_planfix.web")


class Filling:
    """Reports what is missing, or only tells it."""

    def __init__(self, records: Records, asker: Asker, wording: Wording) -> None:
        self._records = records
        self._asker = asker
        self._wording = wording

    def routes(self) -> list[web.AbstractRouteDef]:
        """Tell what to serve."""
        return [web.post("/backfill", self.fill)]

    async def fill(self, request: web.Request) -> web.Response:
        """Take `{"since": SECONDS, "dry": true}`; answer what was missing."""
        body = await read_body(request)
        if isinstance(body, Unreadable):
            return body.answer()
        try:
            since, dry = _asked(body)
            found = await self._records.look(self._asker, since, dry=dry)
        except ValueError:
            return refused(400, "since: seconds since the epoch; dry: true or false")
        except (BackfillError, StorageError, AmiError) as fault:
            return refused(503, str(fault))
        if not dry:
            log.info("backfill ordered", calls=found.calls, reports=len(found.reports))
        rows = [self._row(report) for report in found.reports]
        return json_answer(200, {"reports": rows, "calls": found.calls, "skipped": dict(found.bad)})

    def _row(self, report: Report) -> dict[str, object]:
        fields: dict[str, object] = json.loads(as_json_line(report, self._wording))
        del fields["cmd"]
        return fields | {"at": report.at, "rule": report.rule, "cause": report.cause}


def _asked(body: bytes) -> tuple[float, bool]:
    try:
        given = json.loads(body)
    except RecursionError as fault:
        raise ValueError from fault
    fields = given if isinstance(given, dict) else {}
    since, dry = fields.get("since"), fields.get("dry")
    if isinstance(since, bool) or not isinstance(since, int | float) or not isinstance(dry, bool):
        raise ValueError  # noqa: TRY004 - all that is wrong with it is one answer
    if not 0 <= since < _FAR:
        raise ValueError
    return float(since), dry
