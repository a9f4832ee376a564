"""An embedded Asterisk, or what its manager interface shows of one: for `demo`, and for tests.

Real AMI over a real socket: banner, login, actions, lists, events. What exists (`channels`, `bridges`, `devices`...)
is set by whoever plays with it. It can also be a bad neighbour: silent, cut off, in small pieces.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from ami_planfix.ami.wire import Message, Splitter, parse, stamped
from ami_planfix.errors import WireError

Fields = dict[str, str]
"""Headers of one item of a list, by name."""

Answer = Callable[[Message], Iterable[bytes]]
"""What an action is answered with: raw messages without their empty line."""

BANNER = b"Asterisk Call Manager/7.0.3\r\n"


@dataclass
class Asterisk:
    """The manager interface of a PBX that exists on this page only."""

    username: str = "ami-planfix"
    secret: str = field(default="secret", repr=False)
    version: str = "22.10.0"
    channels: list[Fields] = field(default_factory=list)
    """`CoreShowChannel` items."""
    bridges: list[Fields] = field(default_factory=list)
    """`BridgeListItem` items."""
    devices: list[Fields] = field(default_factory=list)
    """`DeviceStateChange` items."""
    hints: list[Fields] = field(default_factory=list)
    """`ExtensionStatus` items."""
    peers: list[Fields] = field(default_factory=list)
    """`PeerEntry` items of chan_sip."""
    dialplan: list[Fields] = field(default_factory=list)
    """`ListDialplan` items."""
    rights: set[str] = field(default_factory=lambda: {"originate", "reporting"})
    """What the user may do: decides what `ListCommands` lists."""
    database: dict[tuple[str, str], str] = field(default_factory=dict)
    """Family and key -> value."""
    answers: dict[str, Answer] = field(default_factory=dict)
    """Overrides the answer to an action, by its name in lower case."""
    on_originate: Callable[[Message], None] | None = None
    """Is given each Originate that was taken."""
    silent: bool = False
    """Say nothing at all, as a host does that is gone, but keep connections open."""
    received: list[Message] = field(default_factory=list)
    """All actions that came, in order."""
    sessions: "list[Session]" = field(default_factory=list)
    """Connections that are open, logged in or not."""
    connections: int = 0
    """Connections that were ever made."""

    def __post_init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Condition()
        self._wakes: set[asyncio.Task[None]] = set()

    async def start(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Listen; port 0: any free one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self.session, host, port, ssl=tls)

    def session(self) -> "Session":
        """Make a session for a new connection."""
        return Session(self)

    def knows(self, username: str, secret: str) -> bool:
        """Tell whether somebody may log in."""
        return (username, secret) == (self.username, self.secret)

    @property
    def port(self) -> int:
        """Tell where it listens."""
        if self._server is None:
            raise RuntimeError("not started")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Listen no more and cut every connection."""
        if self._server is not None:
            self._server.close()
        self.cut()
        if self._server is not None:
            await self._server.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def emit(self, *messages: bytes) -> None:
        """Send events (raw, without their empty line) to everybody who is logged in."""
        data = b"".join(message + b"\r\n\r\n" for message in messages)
        self.send(data)

    def send(self, data: bytes) -> None:
        """Send bytes as they are to everybody who is logged in."""
        for session in self.sessions:
            if session.logged_in:
                session.write(data)

    async def play(self, messages: Iterable[bytes], speed: float = 1.0) -> None:
        """Send a capture's events as if they happened now, `speed` times as fast as they did (0: at once)."""
        begun = time.time()
        first: float | None = None
        for raw in messages:
            at = _timestamp(raw)
            if at is not None:
                first = at if first is None else first
                now = begun + ((at - first) / speed if speed else 0.0)
                await asyncio.sleep(max(0.0, now - time.time()))
                raw = _restamped(raw, now)  # noqa: PLW2901 (the same message, at another time)
            self.emit(raw)

    def cut(self) -> None:
        """Cut all connections, without a word."""
        for session in list(self.sessions):
            session.abort()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds, looked at whenever an action or a connection has come or gone."""
        async with self._changed:
            await self._changed.wait_for(condition)

    def actions(self, name: str) -> list[Message]:
        """Tell the actions of that name that came."""
        return [action for action in self.received if action.get("Action").lower() == name.lower()]

    def notice(self) -> None:
        """Wake who waits in `until`."""

        async def wake() -> None:
            async with self._changed:
                self._changed.notify_all()

        task = asyncio.get_running_loop().create_task(wake())
        self._wakes.add(task)
        task.add_done_callback(self._wakes.discard)

    def answer(self, action: Message, session: "Session") -> Iterable[bytes]:
        """Return what Asterisk says to an action of somebody who is logged in."""
        name = action.get("Action").lower()
        if name in self.answers:
            return self.answers[name](action)
        if name in _LISTS:
            item, end, attribute = _LISTS[name]
            items: Sequence[Fields] = getattr(self, attribute) if attribute else ()
            return _list(action, item, end, items)
        if name == "dbget":
            return self._db_get(action)
        return [self._response_to(name, action)]

    def _response_to(self, name: str, action: Message) -> bytes:
        match name:
            case "ping":
                return _response(action, "Success", Ping="Pong", Timestamp=f"{time.time():.6f}")
            case "coresettings":
                return _response(action, "Success", AMIversion="7.0.3", AsteriskVersion=self.version)
            case "listcommands":
                allowed = [name for name, rights in _RIGHTS.items() if not rights or self.rights & rights]
                return _response(action, "Success", **dict.fromkeys(allowed, "(Priv: ...)"))
            case "originate":
                if self.on_originate is not None:
                    self.on_originate(action)
                return _response(action, "Success", Message="Originate successfully queued")
            case _:
                return _response(action, "Error", Message="Invalid/unknown command")

    def _db_get(self, action: Message) -> Iterable[bytes]:
        family, key = action.get("Family"), action.get("Key")
        value = self.database.get((family, key))
        if value is None:
            return [_response(action, "Error", Message="Database entry not found")]
        return _list(action, "DBGetResponse", "DBGetComplete", [{"Family": family, "Key": key, "Val": value}])


_LISTS = {
    "coreshowchannels": ("CoreShowChannel", "CoreShowChannelsComplete", "channels"),
    "bridgelist": ("BridgeListItem", "BridgeListComplete", "bridges"),
    "devicestatelist": ("DeviceStateChange", "DeviceStateListComplete", "devices"),
    "extensionstatelist": ("ExtensionStatus", "ExtensionStateListComplete", "hints"),
    "showdialplan": ("ListDialplan", "ShowDialPlanComplete", "dialplan"),
    "sippeers": ("PeerEntry", "PeerlistComplete", "peers"),
}
"""Action -> the event of an item, the event at the end, and where the items are."""


_REPORTING = {"reporting"}
_RIGHTS: dict[str, set[str]] = {
    "BridgeList": set(),
    "Command": {"command"},
    "CoreSettings": _REPORTING,
    "CoreShowChannels": _REPORTING,
    "DBGet": _REPORTING,
    "DeviceStateList": _REPORTING,
    "ExtensionState": _REPORTING,
    "ExtensionStateList": _REPORTING,
    "GetConfig": {"config"},
    "Getvar": _REPORTING,
    "ModuleLoad": {"system"},
    "Originate": {"originate"},
    "Ping": set(),
    "ShowDialPlan": _REPORTING,
}
"""Action -> the rights any of which allows it; none: everybody may."""


class Session(asyncio.Protocol):
    """One connection to the manager interface."""

    def __init__(self, asterisk: Asterisk) -> None:
        self.logged_in = False
        self.username = ""
        self._asterisk = asterisk
        self._splitter = Splitter(limit=64 * 1024)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say who we are (asyncio)."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
        self._asterisk.sessions.append(self)
        self._asterisk.connections += 1
        self.write(BANNER)
        self._asterisk.notice()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it (asyncio)."""
        self.logged_in = False
        self._asterisk.sessions.remove(self)
        self._asterisk.notice()

    def data_received(self, data: bytes) -> None:
        """Answer what came (asyncio)."""
        try:
            messages = self._splitter.feed(data)
        except WireError:
            self.abort()
            return
        for raw in messages:
            action = parse(raw)
            self._asterisk.received.append(action)
            self._answer(action)
            self._asterisk.notice()

    def write(self, data: bytes) -> None:
        """Send bytes, unless Asterisk is silent."""
        if self._transport is not None and not self._asterisk.silent:
            self._transport.write(data)

    def logged_on(self) -> None:
        """Take note that somebody is let in."""

    def abort(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _answer(self, action: Message) -> None:
        name = action.get("Action").lower()
        if name == "login" and "login" not in self._asterisk.answers:
            self._log_in(action)
        elif name == "logoff":
            self._part(_response(action, "Goodbye", Message="Thanks for all the fish."))
        elif self.logged_in or name in self._asterisk.answers:
            for message in self._asterisk.answer(action, self):
                self.write(message + b"\r\n\r\n")
        else:
            self.write(_response(action, "Error", Message="Permission denied") + b"\r\n\r\n")

    def _log_in(self, action: Message) -> None:
        if not self._asterisk.knows(action.get("Username"), action.get("Secret")):
            self._part(_response(action, "Error", Message="Authentication failed"))
            return
        self.logged_in, self.username = True, action.get("Username")
        self.write(_response(action, "Success", Message="Authentication accepted") + b"\r\n\r\n")
        self.logged_on()

    def _part(self, last: bytes) -> None:
        self.write(last + b"\r\n\r\n")
        if self._transport is not None:
            self._transport.close()


def event(name: str, fields: Fields) -> bytes:
    """Write an event, without its empty line."""
    return _lines([("Event", name), *fields.items()])


def _response(action: Message, response: str, **fields: str) -> bytes:
    return _lines([("Response", response), *_ident(action), *fields.items()])


def _list(action: Message, item: str, end: str, items: Sequence[Fields]) -> list[bytes]:
    ident = _ident(action)
    return [
        _response(action, "Success", EventList="start", Message="A list will follow"),
        *[_lines([("Event", item), *ident, *fields.items()]) for fields in items],
        _lines([("Event", end), *ident, ("EventList", "Complete"), ("ListItems", str(len(items)))]),
    ]


def _ident(action: Message) -> list[tuple[str, str]]:
    return [("ActionID", action.get("ActionID"))] if "ActionID" in action else []


def _lines(headers: Iterable[tuple[str, str]]) -> bytes:
    return "\r\n".join(f"{name}: {value}" for name, value in headers).encode()


def _timestamp(raw: bytes) -> float | None:
    try:
        return float(parse(raw).get("Timestamp"))
    except ValueError:
        return None


def _restamped(raw: bytes, at: float) -> bytes:
    lines = raw.split(b"\r\n")
    return stamped(b"\r\n".join(line for line in lines if not line.startswith(b"Timestamp:")), at)
