"""The embedded Planfix: a real HTTP server on this machine that answers as the vendor documents.

It keeps what it got with the time of arrival, can be told to misbehave (`faults`), and calls a PBX as Planfix
does. The demo shows it; the tests use the same one as their fake.
"""

import asyncio
import json
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

import aiohttp
from aiohttp import web

from ami_planfix.planfix.messages import Contact

PATH = "/tel/api"


@dataclass(frozen=True, slots=True)
class Received:
    """One request that came."""

    at: float
    """Seconds since the epoch."""
    fields: Mapping[str, str] = field(repr=False)
    status: int
    """The answer's, 0 if there is none."""
    peer: str = ""
    """The connection that it came on: address and port."""
    delay: float = 0.0
    """Seconds until the answer."""

    @property
    def taken(self) -> bool:
        """Tell whether it was answered with 200."""
        return self.status == 200

    @property
    def event(self) -> str:
        """Tell what it says: `INCOMING 101`, `COMPLETED 101 Success`, or its `cmd`."""
        names = ("event", "ext", "status")
        said = [self.fields[name] for name in names if name in self.fields]
        return " ".join(said) or self.fields.get("cmd", "")


class Fault(NamedTuple):
    """How one request is answered instead; see the functions below."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = {}
    delay: float = 0.0
    """Seconds before the answer."""
    hang: bool = False
    """Never answer, until `release` is called."""
    cut: bool = False
    """End the connection without an answer."""
    torn: bytes = b""
    """Send these bytes instead of an answer, and end the connection; `status` is what they say, 0: nothing yet."""


def refuse(words: str = "Invalid parameters") -> Fault:
    """Answer 400."""
    return Fault(400, _json({"error": words}))


def refuse_token() -> Fault:
    """Answer 401."""
    return Fault(401, _json({"error": "Invalid token"}))


def too_many(retry_after: str) -> Fault:
    """Answer 429 with `Retry-After` (seconds or a date)."""
    return Fault(429, headers={"Retry-After": retry_after})


def broken(status: int = 500) -> Fault:
    """Answer as a server does that fails."""
    return Fault(status, b"<html>Internal Server Error</html>")


def garbage(size: int = 1024) -> Fault:
    """Answer 200 with `size` bytes that are nothing."""
    return Fault(200, b"\xff\x00{" * (size // 3 + 1))


def hang() -> Fault:
    """Do not answer."""
    return Fault(hang=True)


def cut() -> Fault:
    """End the connection instead of answering."""
    return Fault(cut=True)


def torn(answer: bytes, status: int = 0) -> Fault:
    """End the connection in the middle of an answer; `status`: what can be read of it, 0 for nothing."""
    return Fault(status, torn=answer)


def slow(seconds: float) -> Fault:
    """Take, but late."""
    return Fault(delay=seconds)


class EmbeddedPlanfix:
    """One Planfix account on loopback; its port is chosen by the system."""

    def __init__(self, token: str = "", pbx_token: str = "", pbx_url: str = "") -> None:
        self.token = token or secrets.token_hex(16)
        self.pbx_token = pbx_token
        self.pbx_url = pbx_url
        self.url = ""
        self.received: list[Received] = []
        self.contacts: dict[str, Contact] = {}
        """By phone."""
        self.faults: deque[Fault | None] = deque()
        """For the next requests, one each; None: as documented."""
        self.fault_for: Callable[[Mapping[str, str]], Fault | None] = lambda _: None
        """For every request, when `faults` is empty."""
        self.waiting = 0
        """Requests that have come and are not answered yet."""
        self.most_waiting = 0
        self._changed = asyncio.Condition()
        self._released = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def start(self) -> None:
        """Listen; `url` is known then. After `stop` the same port is taken again."""
        app = web.Application(client_max_size=64 * 1024)
        app.router.add_post(PATH, self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}{PATH}"

    async def stop(self) -> None:
        """Be gone: connections end, new ones are refused."""
        self.release()
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def taken(self) -> list[Received]:
        """Tell what was answered with 200, in the order of arrival."""
        return [one for one in self.received if one.taken]

    def events(self, callid: str | None = None) -> list[str]:
        """Tell the taken reports (`INCOMING 101`) of one call or of all, in the order of arrival."""
        return [
            one.event
            for one in self.taken
            if one.fields.get("cmd") == "event" and callid in (None, one.fields.get("callid"))
        ]

    async def wait_for(self, wanted: Callable[[list[Received]], bool], limit: float = 10.0) -> None:
        """Wait until what was received is as wanted; raise TimeoutError after `limit` seconds."""
        async with asyncio.timeout(limit), self._changed:
            await self._changed.wait_for(lambda: wanted(self.received))

    def release(self) -> None:
        """Let requests that hang fall."""
        self._released.set()
        self._released = asyncio.Event()

    async def make_call(self, pbx_url: str, pbx_token: str, extension: str, number: str) -> tuple[int, str]:
        """Click on a number as Planfix's user does; tell the PBX's status and body."""
        fields = {"cmd": "makeCall", "from": extension, "to": number, "token": pbx_token}
        return await _post(pbx_url, fields)

    async def setup(self, pbx_url: str, pbx_token: str) -> tuple[int, str]:
        """Switch the integration on as Planfix's administrator does; tell the PBX's status and body."""
        fields = {"cmd": "setup", "token": pbx_token, "planfix_token": self.token, "planfix_url": self.url}
        return await _post(pbx_url, fields)

    async def _answer(self, request: web.Request) -> web.Response:
        at = time.time()
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        try:
            fields = {name: str(value) for name, value in (await request.post()).items()}
            fault = self.faults.popleft() if self.faults else self.fault_for(fields)
            status, body = (fault.status, fault.body) if fault is not None else self._documented(fields)
            unanswered = fault is not None and (fault.hang or fault.cut)
            delay = fault.delay if fault is not None else 0.0
            kept = await self._keep(Received(at, fields, 0 if unanswered else status, _peer(request), delay))
            if fault is not None:
                await self._misbehave(fault, request, kept)
            headers = fault.headers if fault is not None else None
            return web.Response(status=status, body=body, headers=headers)
        finally:
            self.waiting -= 1

    async def _keep(self, received: Received) -> int:
        async with self._changed:
            self.received.append(received)
            self._changed.notify_all()
            return len(self.received) - 1

    async def _misbehave(self, fault: Fault, request: web.Request, kept: int) -> None:
        try:
            await asyncio.sleep(fault.delay)
            if fault.hang:
                await self._released.wait()
        finally:
            if fault.delay and (request.transport is None or self._runner is None):
                # Who asked did not wait for it, or we were told to be gone: then no answer goes out any more.
                self.received[kept] = replace(self.received[kept], status=0)
                if request.transport is not None:
                    request.transport.abort()
        if request.transport is None:
            return
        if fault.hang or fault.cut:
            request.transport.abort()
        if fault.torn:
            request.transport.write(fault.torn)
            request.transport.close()

    def _documented(self, fields: Mapping[str, str]) -> tuple[int, bytes]:
        if fields.get("planfix_token") != self.token:
            return 401, _json({"error": "Invalid token"})
        match fields.get("cmd"):
            case "event" if _is_event(fields):
                return 200, b""
            case "record" if fields.get("callid") and fields.get("record_link"):
                return 200, b""
            case "ping":
                return 200, _json({"pbxToken": self.pbx_token, "pbxUrl": self.pbx_url})
            case "contact" if fields.get("phone"):
                return 200, self._contact(fields["phone"])
        return 400, _json({"error": "Invalid parameters"})

    def _contact(self, phone: str) -> bytes:
        contact = self.contacts.get(phone)
        if contact is None:
            return _json({})
        responsible = {} if contact.responsible is None else {"manager": int(contact.responsible)}
        return _json({"contact_name": contact.name, **responsible})


_STATUSES = {
    "in": {"Success", "Missed", "Canceled", "Cancelled"},
    "out": {"Success", "Busy", "NoAnswer", "NotAvailable", "NotAllowed", "Canceled", "Cancelled"},
}


def _is_event(fields: Mapping[str, str]) -> bool:
    """Tell whether all is there that the tables of `event` demand, and nothing is what they do not know."""
    if not all(fields.get(name) for name in ("phone", "ext", "callid")) or "diversion" not in fields:
        return False
    statuses = _STATUSES.get(fields.get("type", ""))
    if statuses is None or fields.get("event") not in {"INCOMING", "OUTGOING", "ACCEPTED", "COMPLETED"}:
        return False
    ended = fields["event"] == "COMPLETED"
    if not ended:
        return not {"duration", "is_recorded", "status"} & fields.keys()
    recorded = fields.get("is_recorded") in {"0", "1"}
    return fields.get("status") in statuses and fields.get("duration", "").isdigit() and recorded


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _peer(request: web.Request) -> str:
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    return f"{peer[0]}:{peer[1]}" if peer else ""


async def _post(url: str, fields: Mapping[str, str]) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.post(url, data=fields) as response:
        return response.status, await response.text()
