"""A listener: an address, with or without TLS, and what all its routes have in common."""

import asyncio
import errno
import grp
import os
import socket
import ssl
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ami_planfix.errors import ListenerError
from ami_planfix.web.answers import HEADERS, refused
from ami_planfix.web.connection import Connection

log = structlog.get_logger("ami_planfix.web")

IDLE = 15.0
"""Seconds that a connection may wait for its next request."""
GRACE = 2.0
"""Seconds that running requests get when the daemon ends."""
HANDSHAKE = 10.0
BODY = 16 * 1024
HEADER_LINE = 4 * 1024
HEADER_LINES = 50


class Tls(NamedTuple):
    """The files of a certificate chain and of its key, PEM."""

    certificate: Path
    private_key: Path


@web.middleware
async def _in_our_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every fault with our body, also those that aiohttp finds itself."""
    if isinstance(request.protocol, Connection):
        request.protocol.request_complete()
    try:
        response = await handler(request)
    except web.HTTPRequestEntityTooLarge:
        response = refused(413, f"at most {BODY} bytes")
        response.force_close()
    except web.HTTPException as fault:
        allow = {"Allow": fault.headers["Allow"]} if "Allow" in fault.headers else None
        reason = f"not for {request.method}" if fault.status == 405 else "nothing is here"
        response = refused(fault.status, reason, allow)
    except (ConnectionError, asyncio.CancelledError):
        raise
    except Exception:
        log.exception("request failed", path=request.path)
        response = refused(500, "a fault of ami-planfix; its log has the details")
    return response


async def _with_our_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Put our headers on every answer, also on those that aiohttp makes without asking (`Expect`)."""
    response.headers["Server"] = HEADERS["Server"]
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


class Listener:
    """Opens an address for some routes and closes it again."""

    def __init__(self, name: str, routes: Iterable[web.AbstractRouteDef], guards: Sequence[Middleware] = ()) -> None:
        """`guards` see each request before its route does."""
        self.name = name
        app = web.Application(middlewares=[_in_our_words, *guards], client_max_size=BODY)
        app.on_response_prepare.append(_with_our_headers)
        app.add_routes(routes)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE)
        self._server: asyncio.Server | None = None
        self._socket_file: Path | None = None

    async def open(self, host: str, port: int, tls: Tls | None = None) -> int:
        """Listen on a TCP address (port 0: any); returns the port, or raises a `ListenerError`."""
        context = _tls_context(self.name, tls) if tls is not None else None
        accept = await self._accept()
        try:
            self._server = await asyncio.get_running_loop().create_server(
                accept,
                host or None,
                port,
                ssl=context,
                ssl_handshake_timeout=HANDSHAKE if context else None,
                backlog=128,
            )
        except (OSError, OverflowError) as fault:
            await self.close()
            raise ListenerError.at(self.name, f"{host}:{port}", fault) from fault
        found: tuple[object, ...] = self._server.sockets[0].getsockname()
        return int(str(found[1]))

    async def open_unix(self, path: Path, group: str = "") -> None:
        """Listen on a unix socket for its owner and a group, or raise a `ListenerError`."""
        accept = await self._accept()
        try:
            _remove_stale(path)
            before = os.umask(0o117)
            try:
                self._server = await asyncio.get_running_loop().create_unix_server(accept, path)
            finally:
                os.umask(before)
            self._socket_file = path
            if group:
                os.chown(path, -1, grp.getgrnam(group).gr_gid)
        except OSError as fault:
            await self.close()
            raise ListenerError.at(self.name, path, fault) from fault
        except KeyError as fault:
            await self.close()
            raise ListenerError(f"{self.name}: admin.group: there is no group {group} on this machine") from fault

    async def close(self) -> None:
        """Stop listening; requests that run get a moment to end."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._runner.cleanup()
        if self._socket_file is not None:
            self._socket_file.unlink(missing_ok=True)
            self._socket_file = None

    async def _accept(self) -> Callable[[], asyncio.Protocol]:
        await self._runner.setup()
        manager = self._runner.server
        assert manager is not None  # noqa: S101 - setup() has just made it
        loop = asyncio.get_running_loop()

        def accept() -> asyncio.Protocol:
            return Connection(
                manager,
                loop=loop,
                keepalive_timeout=IDLE,
                max_line_size=HEADER_LINE,
                max_field_size=HEADER_LINE,
                max_headers=HEADER_LINES,
                lingering_time=1.0,
                read_bufsize=BODY,
                auto_decompress=False,
            )

        return accept


def _tls_context(name: str, tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.private_key, password=lambda: "")  # never ask a terminal
    except ssl.SSLError as fault:
        files = f"{tls.certificate} and {tls.private_key}"
        raise ListenerError(f"{name}: {files} are no certificate and its key: {fault.reason}") from fault
    except OSError as fault:
        files = f"{tls.certificate}, {tls.private_key}: {fault.strerror}"
        raise ListenerError(
            f"{name}: cannot read the certificate or its key: {files} (the daemon's user must be able to read both)"
        ) from fault
    return context


def _remove_stale(path: Path) -> None:
    """Remove the socket that a killed daemon left; raise an OSError if somebody still listens on it."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            if stat.S_ISSOCK(path.lstat().st_mode):
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            return
        else:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
