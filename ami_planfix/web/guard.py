"""Who may use the listener for this machine: by the right name, with the password, and with a token to change things.

A browser on this machine can be made to ask us by any web site, so every request must show that it is not that:

- its Host is an address, this machine's name or one of `admin.hosts`: a site cannot make a name of its own lead here
  (DNS rebinding);
- it is none that the browser makes for another site (`Sec-Fetch-Site`), but to show the page: or else a site could
  have us ask Planfix, or take all places at the stream, without ever reading what we say;
- what changes something carries the session's token, which no other site can read (CSRF), and no foreign Origin;
- with `admin.password` all is behind it, but whether we are well and, for this machine itself, /metrics and /contact.
"""

import asyncio
import hmac
import re
import socket
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ami_planfix.web.answers import refused
from ami_planfix.web.callers import Callers, Network, read_address
from ami_planfix.web.sessions import Session, Sessions
from ami_planfix.web.throttle import MOST_WAITING, WrongTokens

log = structlog.get_logger("ami_planfix.web")

COOKIE = "ami_planfix"
TOKEN_HEADER = "X-Token"  # noqa: S105 - a header's name
LOGIN = "/login"
_OPEN = re.compile(r"/healthz|/readyz|/login|/static/[^/]+")
"""For everybody."""
_PAGES = ("/", LOGIN)
"""Where a link of another site may lead."""
_MACHINES = re.compile(r"/metrics|/contact")
"""For programs on this machine; for others with the password (`Authorization: Basic`, any name)."""


class Guard:
    """A middleware of the listener."""

    def __init__(
        self,
        sessions: Sessions,
        hosts: Iterable[str] = (),
        trusted_proxies: Iterable[Network] = (),
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._sessions = sessions
        self._hosts = {"localhost", socket.gethostname().lower(), *map(str.lower, hosts)}
        self._callers = Callers(trusted_proxies=trusted_proxies)
        self._wrong = WrongTokens(clock)
        self._pause = pause
        self._waiting = 0

    @property
    def middleware(self) -> Middleware:
        """Give it as aiohttp wants it."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._refuse(request) or await handler(request)

        return guard

    def session_of(self, request: web.Request) -> Session | None:
        """Find the session that a request belongs to."""
        return self._sessions.find(request.cookies.get(COOKIE, ""))

    def trusts(self, request: web.Request) -> bool:
        """Tell whether this is a program of this machine, or whoever knows the password if one is asked for."""
        return _is_of_this_machine(request) or self.session_of(request) is not None

    async def password(self, request: web.Request, presented: str) -> web.Response | None:
        """Compare a password; what is to be answered if it is wrong, ever more slowly."""
        if self._sessions.knows(presented):
            return None
        address = self._callers.address_of(request)
        times, wait = self._wrong.count(address)
        log.warning("wrong password", address=str(address), times=times)
        if self._waiting >= MOST_WAITING:
            return _and_close(refused(429, "too many wrong passwords"))
        self._waiting += 1
        try:
            await self._pause(wait)
        finally:
            self._waiting -= 1
        return _and_close(refused(401, "this is not admin.password"))

    async def _refuse(self, request: web.Request) -> web.StreamResponse | None:
        """Tell what to answer instead; None lets it through."""
        if not self._is_our_name(request.host):
            reason = f"{request.host[:64]} is no name of this machine; if it is meant to be one: admin.hosts"
            return refused(403, reason)
        if _is_for_another_site(request):
            return refused(403, "this comes from another site")
        if _MACHINES.fullmatch(request.path):
            return await self._refuse_machine(request)
        session = self.session_of(request)
        changes = request.method not in ("GET", "HEAD")
        if changes and not self._is_from_here(request):
            return refused(403, "this comes from another site")
        if _OPEN.fullmatch(request.path):
            return None
        if session is None:
            if request.path == "/" and not changes:
                return web.Response(status=303, headers={"Location": LOGIN})
            return refused(401, "log in first")
        presented = request.headers.get(TOKEN_HEADER, "")
        if changes and not hmac.compare_digest(presented.encode(), session.token.encode()):
            return refused(403, f"without the token of the page ({TOKEN_HEADER}) nothing is changed")
        return None

    async def _refuse_machine(self, request: web.Request) -> web.Response | None:
        if not self._sessions.asks or _is_of_this_machine(request):
            return None
        answer: web.Response | None = refused(401, "with the password of the page, as `Authorization: Basic`")
        if (presented := _basic(request.headers.get("Authorization", ""))) is not None:
            answer = await self.password(request, presented)
        if answer is not None:
            answer.headers["WWW-Authenticate"] = 'Basic realm="ami-planfix", charset="UTF-8"'
        return answer

    def _is_our_name(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name.rstrip(".") in self._hosts or read_address(f"[{name}]" if ":" in name else name) is not None

    def _is_from_here(self, request: web.Request) -> bool:
        """Tell whether a browser sends this for a page of ours; what is no browser says nothing of it."""
        origin = request.headers.get("Origin")
        return origin is None or urlsplit(origin).netloc == request.host


def _is_of_this_machine(request: web.Request) -> bool:
    peer = read_address(request.remote or "")
    forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    return peer is not None and peer.is_loopback and not forwarded


def _is_for_another_site(request: web.Request) -> bool:
    """Tell whether a browser makes this for a page that is not ours; what is no browser says nothing of it."""
    if request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin"):
        return False
    leads_here = request.method == "GET" and request.headers.get("Sec-Fetch-Dest") == "document"
    return not (leads_here and request.path in _PAGES)


def _and_close(response: web.Response) -> web.Response:
    """Let the next guess make a connection of its own."""
    response.force_close()
    return response


def _basic(header: str) -> str | None:
    """Read the password out of `Basic ...`; None if there is none."""
    kind, _, value = header.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        return b64decode(value.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return None
