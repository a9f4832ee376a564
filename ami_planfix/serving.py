"""The daemon's listeners: for Planfix, for this machine, and for the command line."""

import time
from collections.abc import Awaitable, Callable, Iterable
from ipaddress import ip_network

from aiohttp import web

from ami_planfix.config.model import Server
from ami_planfix.contacts.fastagi import FastAgi
from ami_planfix.metrics import Figures
from ami_planfix.parts import Parts
from ami_planfix.setup import SwitchOn, compare
from ami_planfix.status import State
from ami_planfix.web.admin import Admin
from ami_planfix.web.app import Listener, Tls
from ami_planfix.web.callers import Callers
from ami_planfix.web.condition import Condition
from ami_planfix.web.contact import ContactPage
from ami_planfix.web.control import Control
from ami_planfix.web.explaining import Explaining
from ami_planfix.web.opening import Opening
from ami_planfix.web.planfix import FromPlanfix
from ami_planfix.web.recorded import Recorded
from ami_planfix.web.recordings import Downloads
from ami_planfix.web.visits import Visits
from ami_planfix.whose import whose


class Serving:
    """Opens and closes them."""

    def __init__(self, parts: Parts) -> None:
        self.server_port = 0
        self._parts = parts
        self._visits = Visits()
        self._server: Opening[Listener] | None = None
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
        admin = Admin(parts.board, lambda: parts.pipeline.alive, self._figures)
        address = config.admin.listen
        control = Control(parts.tracker.live, parts.deliveries, parts.account, parts.delivery.wake, parts.wording)
        explaining = Explaining(
            parts.timelines,
            lambda: whose(config, parts.numbering, parts.phones.known, parts.tracker.channels()),
            parts.wording,
        )
        condition = Condition(
            parts.board, parts.connection, parts.account, self._visits, parts.observe, since=time.time()
        )
        where = config.admin
        self._others = [
            self._opening(
                "admin",
                [*admin.routes(), *self._for_dialplan()],
                lambda one: one.open(address.host, address.port),
                "/metrics",
            ),
            self._opening(
                "control",
                [*control.routes(), *explaining.routes(), *condition.routes(), *Recorded(parts.recordings).routes()],
                lambda one: one.open_unix(where.socket, where.group),
                "`ami-planfix calls`, `deliveries`, `explain`, `recordings`, `doctor`",
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
        for opening in self._others:
            await opening.stop()

    def _opening(
        self,
        name: str,
        routes: Iterable[web.AbstractRouteDef],
        open_it: Callable[[Listener], Awaitable[object]],
        feature: str,
    ) -> Opening[Listener]:
        return Opening(Listener(name, routes), open_it, feature, self._parts.board)

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
        tls = Tls(server.tls.certificate, server.tls.private_key) if server.tls is not None else None
        self.server_port = await listener.open(server.listen.host, server.listen.port, tls)

    async def _figures(self) -> Figures:
        parts = self._parts
        counts = await parts.deliveries.counts()
        recorded = await parts.recordings.ledger.counts() if parts.recordings is not None else {}
        status = parts.connection.status
        return Figures(
            connected=status.connected_since is not None,
            live_calls=len(parts.tracker.live()),
            ami_messages=status.messages_read,
            outbox={state.value: count for state, count in counts.by_state.items()},
            well={part.part: part.state is State.WELL for part in parts.board.parts() if part.state is not State.OFF},
            recordings={progress.value: count for progress, count in recorded.items()},
        )
