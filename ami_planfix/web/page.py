"""The status page: its HTML, script and style from the package, the login, and the few things that it can do."""

import gzip
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web

from ami_planfix import __version__
from ami_planfix.web.answers import HEADERS
from ami_planfix.web.control import Control
from ami_planfix.web.explaining import Explaining
from ami_planfix.web.forms import Unreadable, read_form
from ami_planfix.web.guard import COOKIE, LOGIN, Guard
from ami_planfix.web.phrases import LANGUAGES, choose, words
from ami_planfix.web.sessions import KEPT, Sessions
from ami_planfix.web.stream import Stream

if TYPE_CHECKING:
    from jinja2 import Environment

LANGUAGE_COOKIE = "ami_planfix_language"
A_YEAR = 365 * 24 * 3600
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


class StaticFile(NamedTuple):
    """A file of the page, as it is and packed (gzip)."""

    body: bytes
    packed: bytes
    tag: str
    """Changes when the file does."""


class Page:
    """Serves the page to whoever the guard lets through."""

    def __init__(
        self, pbx: str, sessions: Sessions, guard: Guard, stream: Stream, control: Control, explaining: Explaining
    ) -> None:
        self._pbx = pbx
        self._sessions = sessions
        self._guard = guard
        self._stream = stream
        self._control = control
        self._explaining = explaining

    def routes(self) -> list[web.AbstractRouteDef]:
        """Tell what to serve."""
        return [
            web.get("/", self.page),
            web.get("/live", self.live),
            web.get("/static/{name}", self.static),
            web.get("/language/{language}", self.language),
            web.get(LOGIN, self.login_form),
            web.post(LOGIN, self.log_in),
            web.post("/logout", self.log_out),
            web.get("/explain", self._explaining.explain),
            web.get("/explain/find", self._explaining.find),
            web.post("/deliveries/retry", self.retry),
            web.post("/deliveries/drop", self.drop),
        ]

    async def page(self, request: web.Request) -> web.Response:
        """Show the page; its figures come by the stream."""
        session = self._guard.session_of(request)
        token = session.token if session is not None else ""
        scripts = [name for name in static_files() if name.endswith(".js")]
        values = {"pbx": self._pbx, "token": token, "logs_in": self._sessions.asks, "scripts": scripts}
        return _html("page.html", request, values)

    async def live(self, request: web.Request) -> web.StreamResponse:
        """Tell what changes."""
        return await self._stream.serve(request, self._guard.session_of(request))

    async def static(self, request: web.Request) -> web.Response:
        """Give a file of the page."""
        found = static_files().get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        kind = _TYPES[request.match_info["name"].rpartition(".")[2]]
        headers = {**HEADERS, "Cache-Control": "no-cache", "ETag": found.tag, "Vary": "Accept-Encoding"}
        headers["Content-Type"] = f"{kind}; charset=utf-8"
        if request.headers.get("If-None-Match") == found.tag:
            return web.Response(status=304, headers=headers)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=found.packed, headers={**headers, "Content-Encoding": "gzip"})
        return web.Response(body=found.body, headers=headers)

    async def language(self, request: web.Request) -> web.Response:
        """Choose a language for this browser."""
        chosen = request.match_info["language"]
        if chosen not in LANGUAGES:
            raise web.HTTPNotFound
        response = _back_to("/")
        response.set_cookie(LANGUAGE_COOKIE, chosen, max_age=A_YEAR, httponly=True, samesite="Strict")
        return response

    async def login_form(self, request: web.Request) -> web.Response:
        """Ask for the password."""
        if self._guard.session_of(request) is not None:
            return _back_to("/")
        return _html("login.html", request, {"pbx": self._pbx, "wrong": False})

    async def log_in(self, request: web.Request) -> web.Response:
        """Begin a session for whoever knows the password."""
        form = await read_form(request)
        if isinstance(form, Unreadable):
            return form.answer()
        wrong = await self._guard.password(request, form.get("password", ""))
        if wrong is not None:
            response = _html("login.html", request, {"pbx": self._pbx, "wrong": True}, wrong.status)
            response.force_close()
            return response
        response = _back_to("/")
        response.set_cookie(
            COOKIE, self._sessions.begin(), max_age=int(KEPT), httponly=True, samesite="Strict", secure=_by_tls(request)
        )
        return response

    async def log_out(self, request: web.Request) -> web.Response:
        """End the session."""
        if self._sessions.asks:
            self._stream.end(self._guard.session_of(request))
        self._sessions.end(request.cookies.get(COOKIE, ""))
        response = _back_to(LOGIN)
        response.del_cookie(COOKIE)
        return response

    async def retry(self, request: web.Request) -> web.Response:
        """Give dead letters another chance."""
        return self._changed(await self._control.retry(request))

    async def drop(self, request: web.Request) -> web.Response:
        """Give reports up."""
        return self._changed(await self._control.drop(request))

    def _changed(self, response: web.Response) -> web.Response:
        self._stream.hurry()
        return response


@cache
def static_files() -> Mapping[str, StaticFile]:
    """Read the page's files, by name."""
    folder = files("ami_planfix.web") / "static"
    found = {one.name: one.read_bytes() for one in folder.iterdir() if one.name.rpartition(".")[2] in _TYPES}
    return {
        name: StaticFile(body, gzip.compress(body, mtime=0), f'"{hashlib.sha256(body).hexdigest()[:16]}"')
        for name, body in sorted(found.items())
    }


@cache
def _templates() -> "Environment":
    # Only who opens the page needs it: 4 MB.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    return Environment(
        loader=PackageLoader("ami_planfix.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )


def _html(template: str, request: web.Request, values: Mapping[str, object], status: int = 200) -> web.Response:
    language = choose(request.cookies.get(LANGUAGE_COOKIE, ""), request.headers.get("Accept-Language", ""))
    others = [one for one in LANGUAGES if one != language]
    text = (
        _templates()
        .get_template(template)
        .render(values, t=words(language), language=language, others=others, version=__version__)
    )
    headers = {
        **HEADERS,
        "Content-Security-Policy": _POLICY,
        "Content-Type": "text/html; charset=utf-8",
        "Referrer-Policy": "same-origin",  # without any, browsers hide the Origin of our own forms too
    }
    return web.Response(status=status, body=text.encode(errors="replace"), headers=headers)


def _by_tls(request: web.Request) -> bool:
    """Tell whether a browser came over TLS; who lies about it is the only one who loses the cookie."""
    return request.secure or request.headers.get("X-Forwarded-Proto", "") == "https"


def _back_to(path: str) -> web.Response:
    return web.Response(status=303, headers={**HEADERS, "Location": path})
