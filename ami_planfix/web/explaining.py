"""What `ami-planfix explain` and `ami-planfix endpoints` ask of the running daemon, over its unix socket."""

import time
from collections.abc import Callable

from aiohttp import web

from ami_planfix.calls.reports import Report
from ami_planfix.entries import State
from ami_planfix.errors import StorageError
from ami_planfix.explain import as_row
from ami_planfix.planfix.messages import Wording
from ami_planfix.timelines import Timeline, Timelines
from ami_planfix.web.answers import json_answer, refused
from ami_planfix.whose import Whose

A_DAY = 86400.0


class Explaining:
    """Answers why a call was reported as it was, and whose a channel is."""

    def __init__(self, timelines: Timelines, whose: Callable[[], list[Whose]], wording: Wording) -> None:
        self._timelines = timelines
        self._whose = whose
        self._wording = wording

    def routes(self) -> list[web.AbstractRouteDef]:
        """Tell what to serve."""
        return [
            web.get("/explain", self.explain),
            web.get("/explain/find", self.find),
            web.get("/endpoints", self.endpoints),
        ]

    async def explain(self, request: web.Request) -> web.Response:
        """Tell a call's timeline."""
        try:
            timeline = await self._timelines.of_call(request.query.get("call", ""))
        except StorageError as fault:
            return refused(503, str(fault))
        rows = [as_row(moment, self._wording, lambda report: _answer(timeline, report)) for moment in timeline.moments]
        return json_answer(200, {"timeline": rows})

    async def find(self, request: web.Request) -> web.Response:
        """Tell the calls in which a number occurs, since a time (seconds since the epoch; default: a day ago)."""
        try:
            since = float(request.query.get("since", "") or time.time() - A_DAY)
            found = await self._timelines.find(request.query.get("phone", ""), since)
        except ValueError:
            return refused(400, "since: seconds since the epoch")
        except StorageError as fault:
            return refused(503, str(fault))
        return json_answer(200, {"calls": [{"callid": one.callid, "at": one.at} for one in found]})

    async def endpoints(self, _request: web.Request) -> web.Response:
        """Tell whose every known device and live channel is."""
        rows = [
            {
                "name": one.name,
                "is": one.party.kind.value,
                "extension": one.party.extension or "",
                "number": one.party.number,
                "why": one.party.why,
                "reported": one.reported,
            }
            for one in self._whose()
        ]
        return json_answer(200, {"endpoints": rows})


def _answer(timeline: Timeline, report: Report) -> str:
    line = timeline.delivery_of(report)
    if line is None:
        return ""
    if line.state is State.OBSERVED:
        return "observed, not sent"
    after = f" after {line.settled - report.at:.3f} s" if line.settled is not None else ""
    tries = f", {line.attempts} tries" if line.attempts > 1 else ""
    if line.state is State.DELIVERED:
        return f"delivered{after}{tries}"
    return f"{line.state.value}{tries}{f': {line.answer}' if line.answer else ''}"
