"""One TCP connection of a listener, with the limits that aiohttp leaves to its user.

aiohttp has none for a client that connects and does not finish its first request, none for how many may
connect, and answers what is no HTTP in plain text.
"""

import asyncio
from typing import cast

from aiohttp import web

from ami_planfix.web.answers import refused

FIRST_REQUEST_WITHIN = 10.0
MOST_CONNECTIONS = 400
MOST_PER_PEER = 60


class Connection(web.RequestHandler):
    """aiohttp's protocol with a deadline for the first request and JSON for what is no HTTP."""

    __slots__ = ("_deadline", "peer")

    _deadline: asyncio.TimerHandle | None
    peer: str

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the deadline; refuse one connection too many."""
        super().connection_made(transport)
        peername = transport.get_extra_info("peername")
        self.peer = str(peername[0]) if peername else ""
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(FIRST_REQUEST_WITHIN, self.force_close)
        manager = self._manager
        others = manager.connections if manager is not None else []
        same = sum(1 for other in others if isinstance(other, Connection) and other.peer == self.peer)
        if len(others) > MOST_CONNECTIONS or (self.peer and same > MOST_PER_PEER):
            cast(asyncio.Transport, transport).abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the deadline."""
        self.request_complete()
        super().connection_lost(exc)

    def request_complete(self) -> None:
        """Lift the deadline: a whole request head has come (from there on the route limits the time)."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, or broken off, quietly: anybody may send it; faults of ours are logged."""
        if status == 500 and not isinstance(exc, ConnectionError):
            return super().handle_error(request, status, exc, message)
        answer = refused(status, "no valid HTTP request")
        answer.force_close()
        return answer
