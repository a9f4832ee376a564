"""Asks the running daemon over its unix socket."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from ami_planfix.cli.options import DEFAULT
from ami_planfix.config.load import load
from ami_planfix.config.model import Admin
from ami_planfix.errors import DaemonAway

ANSWER_WITHIN = 30.0
USUAL = Admin().socket
Query = Sequence[tuple[str, str]]


def ask(config: Path | None, path: str, query: Query = ()) -> dict[str, object]:
    """Ask for something; raises DaemonAway."""
    return asyncio.run(_request(socket_of(config), "GET", path, query, None))


def order(config: Path | None, path: str, body: dict[str, object] | None = None) -> dict[str, object]:
    """Have something done; raises DaemonAway."""
    return asyncio.run(_request(socket_of(config), "POST", path, (), body or {}))


def socket_of(config: Path | None) -> Path:
    """Tell where the daemon listens; no secret is needed for that.

    A member of `admin.group` may use the socket, and need not be able to read the configuration with its secrets.
    """
    if config is None and not os.access(DEFAULT, os.R_OK) and os.access(USUAL, os.F_OK):
        return USUAL
    return load(config or DEFAULT, {"admin"}).admin.socket


async def _request(
    socket: Path, method: str, path: str, query: Query, body: dict[str, object] | None
) -> dict[str, object]:
    timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN)
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket)), timeout=timeout) as session,
            session.request(method, f"http://daemon{path}", params=list(query), json=body) as answer,
        ):
            found: object = await answer.json()
            status = answer.status
    except aiohttp.ClientConnectorError as fault:
        raise DaemonAway(f"{socket}: {_words(fault)}") from fault
    except (aiohttp.ClientError, TimeoutError, ValueError) as fault:
        raise DaemonAway(f"{socket}: the daemon did not answer: {str(fault) or type(fault).__name__}") from fault
    result: dict[str, object] = found if isinstance(found, dict) else {}
    if status != 200:
        raise DaemonAway(f"{socket}: {result.get('reason') or f'the daemon answered {status}'}")
    return result


def _words(fault: aiohttp.ClientConnectorError) -> str:
    if isinstance(fault.os_error, PermissionError):
        return "only the daemon's user and members of its group (admin.group) may ask it; or use sudo"
    if isinstance(fault.os_error, FileNotFoundError | ConnectionRefusedError):
        return "the daemon does not run (systemctl start ami-planfix), or admin.socket is another one"
    return f"the daemon does not listen there: {fault.os_error.strerror}"
