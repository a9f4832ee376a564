"""A Planfix that takes everything at once, in a process of its own: `python -m tests.benchmarks.receiver`.

Says its port in a line; at the end of its stdin, what came: a JSON list of (time, callid, ext, event).
"""

import asyncio
import json
import sys
import time
from urllib.parse import parse_qs

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_LENGTH = b"content-length:"


class Line(asyncio.Protocol):
    """One connection, kept alive."""

    def __init__(self, taken: list[tuple[float, bytes]]) -> None:
        self._taken = taken
        self._rest = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        if isinstance(transport, asyncio.WriteTransport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        now = time.time()
        self._rest += data
        while True:
            head, end, body = self._rest.partition(b"\r\n\r\n")
            if not end:
                return
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(_LENGTH)]
            size = int(lengths[0][len(_LENGTH) :]) if lengths else 0
            if len(body) < size:
                return
            self._taken.append((now, body[:size]))
            self._rest = body[size:]
            if self._transport is not None:
                self._transport.write(_ANSWER)


async def main() -> None:
    """Listen until stdin ends."""
    taken: list[tuple[float, bytes]] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Line(taken), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    told = [(at, {name: values[0] for name, values in parse_qs(body.decode()).items()}) for at, body in taken]
    names = ("callid", "ext", "event")
    print(json.dumps([[at, *(fields[name] for name in names)] for at, fields in told if fields.get("cmd") == "event"]))


if __name__ == "__main__":
    asyncio.run(main())
