"""How the daemon is, in one answer: what `doctor` and `support-bundle` ask of it."""

import os
import platform
import time
from dataclasses import dataclass

from aiohttp import web

from ami_planfix import __version__
from ami_planfix.ami.connection import Connection
from ami_planfix.logs import troubles
from ami_planfix.planfix.account import Account
from ami_planfix.status import Board
from ami_planfix.web.answers import json_answer
from ami_planfix.web.visits import Knock, Visit, Visits


@dataclass(frozen=True, slots=True)
class Condition:
    """Answers for the daemon as a whole; whoever may open the socket may ask."""

    board: Board
    connection: Connection
    account: Account
    visits: Visits
    observe: bool
    since: float
    """When the daemon began, seconds since the epoch."""

    def routes(self) -> list[web.AbstractRouteDef]:
        """Tell what to serve."""
        return [web.get("/condition", self.condition), web.get("/knocks/{mark}", self.knocked)]

    async def condition(self, _request: web.Request) -> web.Response:
        """Tell versions, how each part is, who called last, and the last warnings and errors; no secrets."""
        return json_answer(
            200,
            {
                "version": __version__,
                "python": platform.python_version(),
                "pid": os.getpid(),
                "user": os.geteuid(),
                "group": os.getegid(),
                "groups": os.getgroups(),
                "since": self.since,
                "now": time.time(),
                "observe": self.observe,
                "asterisk": self.connection.status._asdict(),
                "planfix_known": self.account.credentials() is not None,
                "parts": [part._asdict() | {"state": part.state.value} for part in self.board.parts()],
                "called": _row(self.visits.last),
                "called_with_token": _row(self.visits.last_known),
                "troubles": troubles(),
            },
        )

    async def knocked(self, request: web.Request) -> web.Response:
        """Tell how a try of `doctor` came in."""
        return json_answer(200, {"knock": _row(self.visits.find(request.match_info["mark"]))})


def _row(found: Visit | Knock | None) -> dict[str, object] | None:
    return found._asdict() if found is not None else None
