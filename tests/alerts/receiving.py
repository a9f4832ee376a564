"""Who is told: an address that takes webhooks, and a mail server; both real, on loopback, with whatever goes wrong."""

import asyncio
import email
import email.policy
import json
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.ports import free_port

LIMIT = 30.0


@dataclass
class Receiver:
    """Keeps what came, and lets tests wait for it."""

    port: int = field(default_factory=free_port)
    received: list[Any] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def keep(self, what: Any) -> None:
        async with self.changed:
            self.received.append(what)
            self.changed.notify_all()

    async def until(self, wanted: Callable[[list[Any]], bool]) -> list[Any]:
        """Wait until what was received is as wanted."""
        async with asyncio.timeout(LIMIT), self.changed:
            await self.changed.wait_for(lambda: wanted(self.received))
        return self.received


@dataclass
class Hook(Receiver):
    """An address for webhooks: keeps each JSON object, `status` and `headers` of requests; answers as told."""

    status: int = 200
    answer: str = '{"ok":true}'
    held: asyncio.Event | None = None
    """If set, nothing is answered before it is."""
    headers: list[dict[str, str]] = field(default_factory=list)
    came: int = 0
    """Requests, whatever was answered."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/bot123456:SECRET-OF-THE-BOT/sendMessage"

    @asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["Hook"]:
        app = web.Application()
        app.router.add_post("/bot123456:SECRET-OF-THE-BOT/sendMessage", self._take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port, reuse_address=True, ssl_context=tls).start()
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = json.loads(await request.text())
        self.headers.append(dict(request.headers))
        self.came += 1
        if self.status == 200:
            await self.keep(body)
        else:
            async with self.changed:
                self.changed.notify_all()
        if self.held is not None:
            await self.held.wait()
        return web.Response(status=self.status, text=self.answer)


@dataclass
class PostOffice(Receiver):
    """A mail server: keeps each mail that it takes; `password` must be right if there is one."""

    password: str = ""
    refuses: str = ""
    """A recipient that is not known here."""
    raw: list[bytes] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)

    @asynccontextmanager
    async def open(
        self, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator["PostOffice"]:
        def session() -> SMTP:
            with warnings.catch_warnings(action="ignore"):  # a password without STARTTLS: over TLS, or refused by us
                return SMTP(
                    self,
                    hostname="mail.example.com",
                    tls_context=starttls,
                    require_starttls=starttls is not None,
                    authenticator=self._who if self.password else None,
                    auth_required=bool(self.password),
                    auth_require_tls=False,
                )

        server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", self.port, ssl=tls)
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    def _who(self, _server: object, _session: object, _envelope: object, _how: str, data: LoginPassword) -> AuthResult:
        if data.password == self.password.encode():
            return AuthResult(success=True, handled=False)
        # Not polite, and allowed.
        return AuthResult(success=False, handled=False, message=f"535 5.7.8 {data.password.decode()} it is not")

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        if address == self.refuses:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.raw.append(envelope.content)
        self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
        await self.keep(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 2.0.0 queued as 4XyZ"


def text_of(mail: EmailMessage) -> str:
    """Read a mail's text as its reader does."""
    body = mail.get_body(("plain",))
    assert body is not None
    text: str = body.get_content()
    return text
