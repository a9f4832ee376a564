"""What `ami-planfix calls`, `deliveries` and `account` ask of the running daemon, over its unix socket."""

import json
import time
from collections.abc import Callable
from typing import Protocol

import structlog
from aiohttp import web

from ami_planfix.calls.tracker import LiveCall
from ami_planfix.deliveries import Deliveries, Line
from ami_planfix.entries import State
from ami_planfix.errors import StorageError
from ami_planfix.planfix.messages import Wording, event_name, status_name
from ami_planfix.web.answers import json_answer, refused, taken
from ami_planfix.web.forms import Unreadable, read_body

log = structlog.get_logger("ami_planfix.web")

MOST_ROWS = 10_000
_LARGEST_ID = 2**63 - 1
"""Of a row; databases take no larger number."""
Row = dict[str, str | int | float | None]


class Forgetful(Protocol):
    """Whoever keeps the account in Planfix."""

    async def forget(self) -> None:
        """Forget what `setup` brought."""


class Control:
    """Answers the command line; whoever may open the socket may ask."""

    def __init__(
        self,
        live: Callable[[], tuple[LiveCall, ...]],
        deliveries: Deliveries,
        account: Forgetful,
        wake: Callable[[], None],
        wording: Wording,
    ) -> None:
        self._live = live
        self._deliveries = deliveries
        self._account = account
        self._wake = wake
        self._wording = wording

    def routes(self) -> list[web.AbstractRouteDef]:
        """Tell what to serve."""
        return [
            web.get("/calls", self.calls),
            web.get("/deliveries", self.listing),
            web.post("/deliveries/retry", self.retry),
            web.post("/deliveries/drop", self.drop),
            web.post("/account/forget", self.forget),
        ]

    async def calls(self, _request: web.Request) -> web.Response:
        """Tell the calls that go on."""
        now = time.time()
        return json_answer(200, {"calls": [_call(call, now) for call in self._live()]})

    async def listing(self, request: web.Request) -> web.Response:
        """Tell rows of the outbox, newest first."""
        try:
            states = [State(state) for state in request.query.getall("state", [])]
            limit = limit_of(request)
        except ValueError:
            return refused(400, f"state is one of {', '.join(State)}; limit is a number")
        try:
            lines = await self._deliveries.listing(states, request.query.get("call", ""), limit)
            counts = await self._deliveries.counts()
        except StorageError as fault:
            return refused(503, str(fault))
        return json_answer(
            200,
            {
                "deliveries": [self._line(line) for line in lines],
                "counts": {state.value: count for state, count in counts.by_state.items()},
                "oldest_waiting": counts.oldest_waiting,
            },
        )

    async def retry(self, request: web.Request) -> web.Response:
        """Give dead letters another chance."""
        return await self._change(request, self._deliveries.retry, "deliveries retried")

    async def drop(self, request: web.Request) -> web.Response:
        """Give dead letters, or named waiting rows, up."""
        return await self._change(request, self._deliveries.drop, "deliveries dropped")

    async def forget(self, _request: web.Request) -> web.Response:
        """Let another account in Planfix be switched on."""
        try:
            await self._account.forget()
        except StorageError as fault:
            return refused(503, str(fault))
        log.info("account forgotten")
        return taken()

    async def _change(self, request: web.Request, change: "Change", said: str) -> web.Response:
        body = await read_body(request)
        if isinstance(body, Unreadable):
            return body.answer()
        try:
            ids = _ids(body)
            count = await change(time.time(), ids)
        except ValueError:
            return refused(400, "ids: a list of numbers, or null for all dead letters")
        except StorageError as fault:
            return refused(503, str(fault))
        log.info(said, count=count)
        self._wake()
        return taken({"count": count})

    def _line(self, line: Line) -> Row:
        report = line.report
        row: Row = {
            "id": line.id,
            "state": line.state.value,
            "kind": line.kind.value,
            "callid": line.callid,
            "at": line.at,
            "attempts": line.attempts,
            "next_at": line.next_at if line.state is State.WAITING else None,
            "answer": line.answer,
            "settled": line.settled,
        }
        if report is not None:
            row["ext"] = report.extension
            row["client"] = report.client
            row["event"] = event_name(report.stage)
            row["status"] = status_name(report.outcome, self._wording) if report.outcome else ""
        return row


def limit_of(request: web.Request) -> int:
    """Read how many rows are wanted; raise ValueError."""
    return max(0, min(int(request.query.get("limit", "100")), MOST_ROWS))


class Change(Protocol):
    """`Deliveries.retry` or `Deliveries.drop`."""

    async def __call__(self, now: float, ids: list[int] | None = None) -> int:
        """Change rows; tell how many."""


def _ids(body: bytes) -> list[int] | None:
    """Read `{"ids": [1, 2]}` or `{"ids": null}`; raise ValueError."""
    try:
        given = json.loads(body)
    except RecursionError as fault:
        raise ValueError from fault
    if not isinstance(given, dict) or "ids" not in given:
        raise ValueError
    ids = given["ids"]
    if ids is None:
        return None
    if not isinstance(ids, list) or not all(type(one) is int and 0 < one <= _LARGEST_ID for one in ids):
        raise ValueError
    return ids


def _call(call: LiveCall, now: float) -> dict[str, object]:
    talking = now - call.talking_since if call.talking_since is not None else 0.0
    return {
        "callid": call.callid,
        "type": call.direction.value,
        "client": call.client,
        "number": call.did,
        "since": call.since,
        "ringing": list(call.ringing),
        "talking": list(call.talking),
        "seconds": call.seconds + max(0, int(talking)),
    }
