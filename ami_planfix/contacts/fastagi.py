"""The dialplan's questions over FastAGI: `AGI(agi://127.0.0.1:4583/contact)`.

A server of our own, since panoramisk's (1.4, `fast_agi.Application`) cannot stand in a caller's way: a connection
that ends before its empty line makes it spin for ever and stops the whole process; it has no limit of size, time
or number; bytes that are no UTF-8 raise past its `except`, and its connection is never closed.

The protocol (Asterisk: res/res_agi.c): Asterisk sends lines `agi_NAME: VALUE` and an empty line, then answers each
command with a line `200 result=...`. When we close, the dialplan goes on: so on any fault we close at once.
Asterisk itself waits for us without a limit; nothing here may take longer than `SAYING` and `contacts.timeout`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

import structlog

from ami_planfix.contacts.answer import Answer, Question
from ami_planfix.errors import ListenerError

log = structlog.get_logger("ami_planfix.contacts")

Ask = Callable[[Question], Awaitable[Answer]]

LINE_BYTES = 4096
LINES = 200
SAYING = 2.0
"""Seconds that Asterisk may take for all that it says beside our own waiting."""
CONNECTIONS = 400
"""At once; one more is closed, and its call goes on."""


class FastAgi:
    """Listens for Asterisk."""

    name = "fastagi"

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self, host: str, port: int) -> int:
        """Listen (port 0: any); returns the port, or raises a ListenerError."""
        try:
            self._server = await asyncio.start_server(self._accept, host or None, port, limit=LINE_BYTES)
        except (OSError, OverflowError) as fault:
            raise ListenerError.at(self.name, f"{host}:{port}", fault) from fault
        found: tuple[object, ...] = self._server.sockets[0].getsockname()
        return int(str(found[1]))

    async def close(self) -> None:
        """Stop listening; calls that wait go on at once."""
        if self._server is not None:
            self._server.close()
            self._server = None
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= CONNECTIONS:
            log.warning("fastagi connections too many", most=CONNECTIONS)
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(SAYING):
                said = await _read_said(reader)
            if _script(said) == "contact":
                answer = await self._ask(_question(said))
                async with asyncio.timeout(SAYING):
                    await _tell(answer, reader, writer)
            else:
                log.warning("fastagi script unknown", script=_script(said), known="contact")
        except (OSError, EOFError, ValueError, TimeoutError, asyncio.LimitOverrunError) as fault:
            log.info("fastagi conversation broken off", reason=str(fault) or type(fault).__name__)
        except Exception:
            log.exception("fastagi question failed")
        finally:
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _read_said(reader: asyncio.StreamReader) -> dict[str, str]:
    """Read what Asterisk says of the call; raises ValueError if that is too much, EOFError if it ends early."""
    said: dict[str, str] = {}
    for _ in range(LINES):
        line = (await reader.readuntil(b"\n")).decode(errors="replace").rstrip("\r\n")
        if not line:
            return said
        name, _, value = line.partition(":")
        said.setdefault(name.strip(), value.strip())
    raise ValueError(f"more than {LINES} lines")


def _script(said: Mapping[str, str]) -> str:
    return said.get("agi_network_script", "").partition("?")[0].strip("/")


def _question(said: Mapping[str, str]) -> Question:
    """Read the question: what the dialplan gave (`phone=...`, `did=...`, `callid=...`), else what the channel has."""
    given = dict(
        argument.split("=", 1) for name, argument in said.items() if name.startswith("agi_arg_") and "=" in argument
    )
    return Question(
        phone=given.get("phone", _known(said.get("agi_callerid", ""))),
        did=given.get("did") or _known(said.get("agi_dnid", "")) or said.get("agi_extension", ""),
        callid=given.get("callid") or said.get("agi_uniqueid", ""),
    )


def _known(value: str) -> str:
    return "" if value == "unknown" else value


async def _tell(answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Set the variables, one after another; Asterisk answers each."""
    variables = {
        "PLANFIX_NAME": answer.name,
        "PLANFIX_MANAGER": answer.manager,
        "PLANFIX_REACHABLE": str(int(answer.reachable)),
        "PLANFIX_REASON": answer.reason,
    }
    for name, value in variables.items():
        writer.write(f'SET VARIABLE {name} "{value}"\n'.encode())
        await writer.drain()
        said = await reader.readuntil(b"\n")
        if not said.startswith(b"200"):
            raise ValueError(f"Asterisk answered {said[:80]!r} to SET VARIABLE")
