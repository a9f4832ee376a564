"""The daemon's listeners: for Planfix, for this machine, and for the command line."""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_network

from aiohttp import web
from aiohttp.typedefs import Middleware

from ami_planfix.config.model import Config, Server
from ami_planfix.config.model import Tls as TlsFiles
from ami_planfix.contacts.fastagi import FastAgi
from ami_planfix.figures import figures_of
from ami_planfix.metrics import Figures
from ami_planfix.parts import Parts
from ami_planfix.setup import SwitchOn, compare
from ami_planfix.status import Board, State
from ami_planfix.today import Today
from ami_planfix.web.admin import Admin
from ami_planfix.web.alerting import Alerting
from ami_planfix.web.app import Listener, Tls
from ami_planfix.web.callers import Callers
from ami_planfix.web.condition import Condition
from ami_planfix.web.contact import ContactPage
from ami_planfix.web.control import Control
from ami_planfix.web.explaining import Explaining
from ami_planfix.web.filling import Filling
from ami_planfix.web.guard import Guard
from ami_planfix.web.opening import Opening
from ami_planfix.web.overview import Overview, Sources
from ami_planfix.web.page import Page
from ami_planfix.web.planfix import FromPlanfix
from ami_planfix.web.recorded import Recorded
from ami_planfix.web.recordings import Downloads
from ami_planfix.web.sessions import Sessions
from ami_planfix.web.stream import Stream
from ami_planfix.web.visits import Visits
from ami_planfix.whose import whose


class Serving:
    """Opens and closes them."""

    def __init__(self, parts: Parts) -> None:
        self.server_port = self.admin_port = 0
        self._parts = parts
        self._visits = Visits()
        self._server: Opening[Listener] | None = None
        self._stream: Stream | None = None
        self._others: list[Opening[Listener] | Opening[FastAgi]] = []

    async def start(self) -> None:
        """Open what is configured; what cannot open is said, and tried again."""
        parts = self._parts
        config = parts.config
        server = config.server
        if server is None or parts.observe:
            why = "observing" if parts.observe else "there is no section `server`: calls are reported, nobody can click"
            parts.board.say("server", State.OFF, why)
        else:
            self._server = self._opening(
                "server",
                self._for_planfix(server),
                lambda one: self._open_server(one, server),
                "clicks and recordings in Planfix",
            )
            await self._server.start()
        control = Control(parts.tracker.live, parts.deliveries, parts.account, parts.delivery.wake, parts.wording)
        explaining = Explaining(
            parts.timelines,
            lambda: whose(config, parts.numbering, parts.phones.known, parts.tracker.channels()),
            parts.wording,
        )
        condition = Condition(
            parts.board, parts.connection, parts.account, self._visits, parts.observe, since=time.time()
        )
        filling = Filling(parts.records, parts.connection, parts.wording)
        where = config.admin
        self._others = [
            self._for_admin(control, explaining),
            self._opening(
                "control",
                [
                    *control.routes(),
                    *explaining.routes(),
                    *condition.routes(),
                    *Recorded(parts.recordings).routes(),
                    *filling.routes(),
                    *Alerting(parts.watch.active).routes(),
                ],
                lambda one: one.open_unix(where.socket, where.group),
                "`ami-planfix calls`, `deliveries`, `explain`, `recordings`, `backfill`, `alerts`, `doctor`",
            ),
        ]
        if not parts.observe:
            self._others.append(self._fastagi())
        for opening in self._others:
            await opening.start()

    async def stop_server(self) -> None:
        """Take no more clicks."""
        if self._server is not None:
            await self._server.stop()

    async def stop(self) -> None:
        """Close the others."""
        if self._stream is not None:
            self._stream.close()
        for opening in self._others:
            await opening.stop()

    def _opening(
        self,
        name: str,
        routes: Iterable[web.AbstractRouteDef],
        open_it: Callable[[Listener], Awaitable[object]],
        feature: str,
        guards: Sequence[Middleware] = (),
    ) -> Opening[Listener]:
        return Opening(Listener(name, routes, guards), open_it, feature, self._parts.board)

    def _for_admin(self, control: Control, explaining: Explaining) -> Opening[Listener]:
        parts, config = self._parts, self._parts.config
        self._stream = stream = Stream(Overview(_sources(parts)))
        sessions = Sessions(config.admin.password.get_secret_value())
        guard = _guard(config, sessions)
        page = Page(config.ami.name, sessions, guard, stream, control, explaining)
        health = Admin(parts.board, lambda: parts.writer.alive, lambda: figures_of(parts), guard.trusts)
        return self._opening(
            "admin",
            [*page.routes(), *health.routes(), *self._for_dialplan()],
            self._open_admin,
            "status page, no /metrics",
            [guard.middleware],
        )

    async def _open_admin(self, listener: Listener) -> None:
        self.admin_port = await _open_admin(listener, self._parts.config)

    def _for_planfix(self, server: Server) -> list[web.AbstractRouteDef]:
        token = server.token.get_secret_value()
        account = SwitchOn(
            self._parts.account,
            self._parts.config.planfix.timeout,
            lambda told: compare(told, token, server.public_url),
        )
        callers = Callers(map(ip_network, server.allow_from), map(ip_network, server.trusted_proxies))
        routes = FromPlanfix(token, self._parts.clicks, account, callers, self._visits).routes()
        if (recordings := self._parts.recordings) is not None:
            routes += Downloads(recordings.playback, callers, self._parts.config.recordings.downloads).routes()
        return routes

    def _for_dialplan(self) -> list[web.AbstractRouteDef]:
        # An observer leaves Planfix alone.
        return [] if self._parts.observe else ContactPage(self._parts.contacts.answer).routes()

    def _fastagi(self) -> Opening[FastAgi]:
        address = self._parts.config.contacts.fastagi
        return Opening(
            FastAgi(self._parts.contacts.answer),
            lambda one: one.open(address.host, address.port),
            "names of callers over FastAGI",
            self._parts.board,
        )

    async def _open_server(self, listener: Listener, server: Server) -> None:
        self.server_port = await listener.open(server.listen.host, server.listen.port, _tls(server.tls))


def while_starting(config: Config, board: Board, figures: Callable[[], Awaitable[Figures]]) -> Opening[Listener]:
    """Make what answers whoever watches over the daemon while it waits to start."""
    guard = _guard(config, Sessions(config.admin.password.get_secret_value()))
    health = Admin(board, lambda: True, figures, guard.trusts)
    listener = Listener("admin", health.routes(), [guard.middleware])
    return Opening(listener, lambda one: _open_admin(one, config), "/healthz while starting", board)


def _guard(config: Config, sessions: Sessions) -> Guard:
    proxies = config.server.trusted_proxies if config.server is not None else ()
    return Guard(sessions, config.admin.hosts, map(ip_network, proxies))


async def _open_admin(listener: Listener, config: Config) -> int:
    section = config.admin
    return await listener.open(section.listen.host, section.listen.port, _tls(section.tls))


def _sources(parts: Parts) -> Sources:
    server = parts.config.server
    address = f"{server.public_url}/planfix" if server is not None else ""
    return Sources(
        pbx=parts.config.ami.name,
        board=parts.board,
        live=parts.tracker.live,
        dids={parts.numbering.number(did.number): did.name for did in parts.config.dids if did.name},
        lookup=parts.lookup,
        wording=parts.wording,
        deliveries=parts.deliveries,
        today=Today(parts.database, parts.config.ami.name),
        ledger=parts.recordings.ledger if parts.recordings is not None else None,
        presence=parts.presence,
        alerts=parts.watch.active,
        address_to_set_up=lambda: None if parts.account.credentials() is not None else address,
    )


def _tls(files: TlsFiles | None) -> Tls | None:
    return Tls(files.certificate, files.private_key) if files is not None else None
