"""Asks the running daemon over its unix socket."""

from collections.abc import Sequence
from pathlib import Path

import aiohttp

from ami_planfix.errors import DaemonAway

ANSWER_WITHIN = 30.0
Query = Sequence[tuple[str, str]]


async def request(
    socket: Path,
    method: str,
    path: str,
    query: Query = (),
    body: dict[str, object] | None = None,
    within: float = ANSWER_WITHIN,
) -> dict[str, object]:
    """Ask for something, or have something done; raises DaemonAway."""
    timeout = aiohttp.ClientTimeout(total=within)
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
