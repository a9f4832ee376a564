"""Planfix's answers, from a server that has gone mad or is somebody else."""

import asyncio
import gzip
import json
import time
from contextlib import suppress
from random import Random
from typing import Self

from ami_planfix.calls.reports import Stage
from ami_planfix.contacts.screen import MOST_BYTES, on_screen
from ami_planfix.errors import PlanfixError
from ami_planfix.planfix.account import Credentials
from ami_planfix.planfix.api import LONGEST_PAUSE, PlanfixApi
from tests.fuzz.mutation import damaged, poison
from tests.fuzz.script import Do, Step, dump, load, paced, play
from tests.fuzz.target import Target
from tests.making import report

PATIENCE = 0.4
"""Seconds that the daemon waits for an answer."""
SLACK = 8.0
"""Seconds more that a busy machine may need."""
TOKEN = "the-token-that-must-not-be-told"
WORDS = (
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Content-Length: -1\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Content-Encoding: br\r\n",
    b"Content-Type: text/plain; charset=nonsense\r\n",
    b"Retry-After: -99999999999\r\n",
    b"Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n",
    b"Retry-After: Mon, 00 Jan 0000 00:00:00 +9999\r\n",
    b"Set-Cookie: a=b; Domain=.\r\n",
    b"Connection: upgrade\r\nUpgrade: h2c\r\n",
    b"ffffffffffffffff\r\n",
    b"0\r\n\r\n",
)
STATUSES = (
    200,
    200,
    200,
    201,
    204,
    205,
    206,
    304,
    301,
    302,
    307,
    308,
    400,
    401,
    402,
    404,
    407,
    408,
    429,
    500,
    503,
    999,
)


class HostilePlanfix(Target):
    """Whatever comes: taken, refused or to be tried again, in time; and nothing of it harms a reader."""

    name = "planfix"
    about = "answers of a hostile Planfix: statuses, headers, sizes, encodings, redirects, bombs, slow drips"
    at_once = 48

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port: int = self._server.sockets[0].getsockname()[1]
        self._scripts: dict[str, list[Step]] = {}
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    def make(self, random: Random) -> bytes:
        """Make an answer: one of the sane ones, a mad one, or what is none."""
        data = _answer(random)
        if random.random() < 0.5:
            data = damaged(random, data, WORDS)
        if random.random() < 0.05:
            return dump([Step(Do.SAY, bytes([one])) for one in data[:200]])
        return dump(paced(random, data))

    async def attempt(self, data: bytes) -> None:
        """Ask everything there is to ask, each time with this answer."""
        path = f"/{id(data)}"
        self._scripts[path] = load(data)
        credentials = Credentials(f"http://127.0.0.1:{self._port}{path}", TOKEN)
        api = PlanfixApi(lambda: credentials, timeout=PATIENCE)
        try:
            for question in (self._event, self._contact, self._ping):
                begun = time.monotonic()
                with suppress(PlanfixError):
                    await question(api)
                assert time.monotonic() - begun < PATIENCE + SLACK, f"waited {time.monotonic() - begun:.1f} s"
        finally:
            del self._scripts[path]
            await api.close()

    async def _event(self, api: PlanfixApi) -> None:
        try:
            await api.event(report(Stage.RANG))
        except PlanfixError as fault:
            said = str(fault)
            assert TOKEN not in said, "an error tells our token"
            assert said.isprintable(), f"an error could steer a terminal: {said!r}"
            assert len(said) < 600, f"an error of {len(said)} characters"
            pause = getattr(fault, "retry_after", None)
            assert pause is None or 0 <= pause <= LONGEST_PAUSE, f"a pause of {pause} s"
            raise

    async def _contact(self, api: PlanfixApi) -> None:
        found = await api.contact("79101234567", "1.1")
        assert len(found.name) <= 200
        shown = on_screen(found.name, "Sales:")
        assert len(shown.encode()) <= MOST_BYTES
        assert not set(shown) & set('"\\,;|$(){}<>\r\n\0'), f"{shown!r} would not be safe in a dialplan"
        assert found.responsible is None or found.responsible.isascii()

    async def _ping(self, api: PlanfixApi) -> None:
        told = await api.ping()
        assert TOKEN not in repr(told)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            steps = self._scripts.get(head.split(b" ")[1].decode(), [])
            await play(steps, reader, writer, PATIENCE)
        writer.transport.abort()


def _answer(random: Random) -> bytes:
    status = random.choice(STATUSES)
    body = _body(random)
    headers = [b"Content-Type: application/json"]
    if random.random() < 0.3:
        headers += [random.choice(WORDS).rstrip(b"\r\n") for _ in range(random.randint(1, 3))]
    if random.random() < 0.1:
        headers += [b"X-%d: %s" % (at, b"y" * 200) for at in range(random.choice((5, 150, 3000)))]
    if random.random() < 0.2:
        body = gzip.compress(b"0" * random.choice((10, 20_000_000)), 6, mtime=0)
        headers.append(b"Content-Encoding: gzip")
    if random.random() < 0.3:
        pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        headers.append(b"Transfer-Encoding: chunked")
    else:
        headers.append(b"Content-Length: %d" % len(body))
    return b"HTTP/1.1 %d Words\r\n%s\r\n\r\n%s" % (status, b"\r\n".join(headers), body)


def _body(random: Random) -> bytes:
    word = poison(random).decode("utf-8", "replace") + random.choice(("", "", "\ud800"))
    values: list[object] = [word, 103, 10**25, -1, 1.5, None, True, [], {}, [word], "103", "Иванов Пётр", {"a": word}]
    match random.randrange(6):
        case 0:
            return poison(random)
        case 1:
            return b"[" * random.choice((10, 60_000))
        case 2:
            return b'{"contact_name": %s}' % (b"9" * random.choice((30, 4000, 60_000)))
        case _:
            names = ("contact_name", "manager", "responsible", "error", "pbxToken", "pbxUrl")
            found = {name: random.choice(values) for name in names if random.random() < 0.7}
            found["error"] = random.choice([word, f"no token {TOKEN}", word * 100])
            return json.dumps(found, ensure_ascii=random.random() < 0.5).encode("utf-8", "replace")
