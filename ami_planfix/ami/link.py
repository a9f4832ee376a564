"""One connection to Asterisk, from its socket to its end; the only module that knows panoramisk.

panoramisk's Manager logs in and pairs actions with their answers. Each attempt to connect has a Manager of its
own, thrown away afterwards, and `Link`, our protocol, behind its `protocol_factory`. We open the socket
ourselves and never tell the Manager that it was lost, so that its reconnecting and its queue of actions to be
sent again are never reached. Events do not pass through it: they go from the protocol to the one listener,
in order, before the next read.
"""

import asyncio
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

from panoramisk.actions import Action
from panoramisk.manager import Manager
from panoramisk.message import Message as PairedMessage

from ami_planfix.ami.listening import Ears
from ami_planfix.ami.wire import Message, Splitter, encode, parse
from ami_planfix.errors import AmiError, LoginRefused, NotConnected, WireError, in_words

Headers = Iterable[tuple[str, str]]

EVENTS = "system,call,dialplan,user"
"""The classes of events that the tracker uses; `system` is for `FullyBooted` only, and may be denied."""

ANSWER_LIMIT = 64 * 1024 * 1024
"""Bytes in one answer; a list of all devices of the largest PBX has a tenth of it."""

_NEVER = 10**9
"""Seconds until the Manager's own pings, whose answers nobody looks at."""


@dataclass(frozen=True, slots=True)
class AmiSettings:
    """Where Asterisk's manager interface is, and who we are there; times in seconds."""

    host: str
    port: int
    username: str
    secret: str = field(repr=False)
    tls: ssl.SSLContext | None = None
    timeout: float = 10.0
    """For connecting and logging in together, and for the answer to a ping."""
    silence: float = 30.0
    """Nothing heard for so long: ask whether Asterisk is still there."""
    events: str = EVENTS

    @property
    def where(self) -> str:
        """Say whom we talk to, for a person."""
        return f"Asterisk at {self.host}:{self.port}"


async def open_link(settings: AmiSettings, ears: Ears) -> "Link":
    """Connect and log in. Raises AmiError; LoginRefused if Asterisk does not know us."""
    link: Link | None = None
    try:
        async with asyncio.timeout(settings.timeout):
            link = await _connect(settings, ears)
            await link.log_in(settings)
    except TimeoutError:
        error = AmiError(
            f"{settings.where} did not let us in within {settings.timeout:g} s: is this the port of its manager "
            "interface, and TLS on at both ends or neither?"
        )
    except OSError as failed:
        error = AmiError(f"{settings.where} cannot be reached: {in_words(failed)}{_hint(failed)}")
    except AmiError as failed:
        error = failed
    except asyncio.CancelledError:
        if link is not None:
            link.drop(AmiError("given up"))
        raise
    else:
        return link
    if link is not None:
        link.drop(error)
        if link.is_let_in:
            ears.lost(time.time())
    raise error


async def _connect(settings: AmiSettings, ears: Ears) -> "Link":
    loop = asyncio.get_running_loop()
    manager: Manager = Manager(
        loop=loop,
        host=settings.host,
        port=settings.port,
        username=settings.username,
        secret=settings.secret,
        events=settings.events,
        protocol_factory=lambda: Link(manager, ears),
        ping_delay=_NEVER,
        ping_interval=_NEVER,
    )
    factory: Callable[[], Link] = manager.config["protocol_factory"]
    _, link = await loop.create_connection(factory, settings.host, settings.port, ssl=settings.tls)
    return link


def _hint(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return ". Name its certificate in `ami.ca`"
    if isinstance(error, ConnectionRefusedError):
        return ". Is Asterisk running, with `enabled = yes` in manager.conf?"
    return ""


class Pending:
    """An action that waits for its answer; panoramisk knows when that is complete."""

    def __init__(self, action: Action, waiting: dict[str, "Pending"]) -> None:
        self.messages: list[Message] = []
        self.size = 0
        """Bytes of the answer so far."""
        self.on_complete: Callable[[list[Message]], None] | None = None
        self.ident: str = action.id
        self.answered: asyncio.Future[object] = action.future
        self._action = action
        self._waiting = waiting
        waiting[self.ident] = self

    def add(self, message: Message, size: int) -> bool:
        """Take a message of `size` bytes that carries the action's id; tell whether the answer is complete."""
        self.messages.append(message)
        self.size += size
        return bool(self._action.add_message(PairedMessage(dict(message.headers))))

    def is_refused(self) -> bool:
        """Tell whether Asterisk said no."""
        return self.messages[0].get("Response").lower() in ("error", "fail", "failed", "failure")

    def items(self) -> list[Message]:
        """Return a list's items, without the response before and the event after them."""
        return self.messages[1:-1]

    def lose(self, error: AmiError) -> None:
        """Tell whoever waits that no answer will come."""
        # The Manager reads the login's answer in a callback, where an exception would only be noise.
        if not self.answered.done() and self._action["Action"] != "Login":
            self.answered.set_exception(error)

    def forget(self) -> None:
        """Wait no more; a late answer is ignored."""
        self._waiting.pop(self.ident, None)


class Link(asyncio.Protocol):
    """One TCP connection, in the shape that panoramisk's Manager wants of a protocol."""

    def __init__(self, manager: Manager, ears: Ears) -> None:
        loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[AmiError] = loop.create_future()
        self.heard_at = loop.time()
        self.expected: dict[str, asyncio.Future[Message]] = {}
        self.is_let_in = False
        """Asterisk knows us: what comes is heard."""
        self._manager = manager
        self._ears = ears
        self._clock = loop.time
        self._splitter = Splitter(lf=False)
        self._waiting: dict[str, Pending] = {}
        self._transport: asyncio.Transport | None = None
        self._reason: AmiError | None = None

    @property
    def banner(self) -> str:
        """Tell what Asterisk calls itself: `Asterisk Call Manager/5.0.2`."""
        return self._splitter.banner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport (asyncio)."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take what was read (asyncio)."""
        self.heard_at = self._clock()
        self._ears.bytes_read += len(data)
        try:
            messages = self._splitter.feed(data)
        except WireError as error:
            self.drop(error)
            return
        asked = self._waiting or self.expected
        self._ears.take(messages, time.time(), self._is_answer if asked else None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell all who wait (asyncio)."""
        error = self._reason or AmiError(f"the connection was closed: {exc or 'by Asterisk'}")
        unanswered = AmiError(f"no answer: {error}. Whether Asterisk did it is not known")
        for pending in list(self._waiting.values()):
            pending.lose(unanswered)
        for future in self.expected.values():
            if not future.done():
                future.set_exception(unanswered)
        self._waiting.clear()
        self.expected.clear()
        if not self.gone.done():
            self.gone.set_result(error)

    def send(self, data: dict[str, str] | Action, as_list: bool | None = None) -> "asyncio.Future[object]":
        """Write an action (panoramisk's Manager); raises WireError before anything is written."""
        action = data if isinstance(data, Action) else Action(data)
        # A server that answers the login with a list would have the Manager wait for its end.
        action.as_list = False if action["Action"] == "Login" else as_list
        message = encode(action["Action"], _headers_of(action))
        if self._transport is None or self._transport.is_closing():
            raise NotConnected("the connection to Asterisk is just being closed; nothing was sent")
        self._transport.write(message)
        pending = Pending(action, self._waiting)
        if action["Action"] == "Login":
            pending.on_complete = partial(self._let_in, time.time())
        return pending.answered

    def close(self) -> None:
        """Say goodbye and close, once all is written; the Manager calls it too, before it has a connection."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode("Logoff", ()))
            self._transport.close()
        self._retire()

    async def log_in(self, settings: AmiSettings) -> None:
        """Have the Manager log in and wait for the answer; raises LoginRefused, AmiError."""
        made = asyncio.get_running_loop().create_future()
        made.set_result((self._transport, self))
        self._manager.connection_made(made)
        login = self._manager.authenticated_future
        await asyncio.wait([login, self.gone], return_when=asyncio.FIRST_COMPLETED)
        if not login.done():
            raise AmiError(f"{settings.where} did not answer the login: {self.gone.result()}")
        if not login.result().success:
            raise LoginRefused(
                f"{settings.where} refused the user {settings.username!r}: {login.result().message}. Compare "
                "`username` and `secret` under `ami` with manager.conf, and its `permit` with our address"
            )

    def ask(
        self,
        name: str,
        headers: Headers,
        as_list: bool | None,
        on_complete: Callable[[list[Message]], None] | None,
    ) -> Pending:
        """Have the Manager send an action."""
        fields: dict[str, list[str]] = {}
        for header, value in headers:
            fields.setdefault(header, []).append(value)
        action = Action({"Action": name, **fields})
        action["ActionID"] = fields["ActionID"][0] if "ActionID" in fields else action["ActionID"]
        self._manager.send_action(action, as_list=as_list)
        pending = self._waiting[action.id]
        pending.on_complete = on_complete
        return pending

    def drop(self, reason: AmiError) -> None:
        """Give the connection up at once, and with it whatever Asterisk has not received yet."""
        self._reason = self._reason or reason
        if self._transport is not None and not self._transport.is_closing():
            # Without this the kernel goes on trying: an Originate could reach Asterisk minutes later.
            self._transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            self._transport.abort()
        self._retire()

    def set_reading(self, reading: bool) -> None:
        """Stop or go on reading."""
        if self._transport is None or self._transport.is_closing():
            return
        if not reading:
            self._transport.pause_reading()
        else:
            self.heard_at = self._clock()
            self._transport.resume_reading()

    def _retire(self) -> None:
        # The Manager's one timer; its own `close` would close us again.
        if self._manager.pinger is not None:
            self._manager.pinger.cancel()

    def _let_in(self, since: float, _: list[Message]) -> None:
        # At this point of the stream: who waits for the answer gets it when many events may have come after it.
        self.is_let_in = True
        self._ears.connected(since)

    def _is_answer(self, raw: bytes) -> bool:
        """Give a message to the action that waits for it; True if it is no event to be heard besides."""
        if not raw.startswith(b"Response") and not ((self._waiting or self.expected) and b"\nActionID:" in raw):
            return False
        message = parse(raw)
        ident = message.get("ActionID")
        pending = self._waiting.get(ident)
        if pending is None:
            is_event = "Event" in message
            expected = self.expected.pop(ident, None) if is_event else None
            if expected is not None and not expected.done():
                expected.set_result(message)
            return not is_event  # a late response: nobody waits for it any more
        if pending.size + len(raw) > ANSWER_LIMIT:
            self.drop(AmiError(f"an answer is larger than {ANSWER_LIMIT} bytes: is this Asterisk?"))
        elif pending.add(message, len(raw)):
            pending.forget()
            if pending.on_complete is not None and not pending.is_refused():
                self._ears.flush()
                pending.on_complete(pending.items())
        return True


def _headers_of(action: Action) -> Iterator[tuple[str, str]]:
    for name, value in action.items():
        if name != "Action":
            for one in value if isinstance(value, list) else [value]:
                yield name, one
