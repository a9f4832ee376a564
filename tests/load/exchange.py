"""A PBX on loopback as AMI shows it: tells everybody what happens, knows what exists, remembers who heard what.

What is told has a place: how many messages were told before it. A `Listening` says from which place on a session
was told them, where it was given a list of channels, and where it ended; so that it is known exactly what a daemon
may have missed.
"""

import socket
import struct
import time
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from math import inf

from ami_planfix.ami.decode import decode
from ami_planfix.ami.wire import Message
from ami_planfix.calls.events import Present
from ami_planfix.demo.asterisk import Asterisk, Fields, Session, event
from tests.calls.mirror import Mirror


@dataclass
class Listening:
    """One session's share of the stream; each number is a place in it."""

    username: str
    since: int
    snapshot: tuple[int, float] | None = None
    """Where and when it was first told which channels exist."""
    until: int | None = None
    """Where it ended; None: it goes on. What was told directly before may be lost."""
    ended: float = inf
    """When, in seconds since the epoch."""

    def holds(self, place: int) -> bool:
        """Tell whether a message was told to it."""
        return self.since <= place and (self.until is None or place < self.until)


class Timeline:
    """How much had been told when."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._places: list[int] = []

    def add(self, at: float, told: int) -> None:
        """Take note (seconds since the epoch)."""
        self._times.append(at)
        self._places.append(told)

    def place_at(self, at: float) -> int:
        """Tell how much had been told at a time."""
        before = bisect_right(self._times, at)
        return self._places[before - 1] if before else 0


class Exchange(Asterisk):
    """An Asterisk of which all is known; `usernames` may log in, each for one daemon."""

    def __init__(self, *usernames: str, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self.clock = clock
        self.usernames = frozenset(usernames or (self.username,))
        self.told = 0
        """Messages so far: the place of the next one."""
        self.listened: list[Listening] = []
        self._frozen: frozenset[str] = frozenset()
        self._truth = Mirror()
        self.timeline = Timeline()
        self._port = 0

    async def start(self, host: str = "127.0.0.1", port: int = 0, tls: object = None) -> None:
        """Listen; after `die` at the same port as before."""
        assert tls is None
        await super().start(host, port or self._port)
        self._port = self.port

    async def die(self) -> None:
        """Be gone as after a crash: connections end, calls are over without a word; until `start`."""
        await self.stop()
        self._truth = Mirror()
        self._frozen = frozenset()

    def tell(self, messages: Iterable[bytes]) -> None:
        """Let these happen now."""
        told = list(messages)
        now = time.time()
        for raw in told:
            event = decode(raw, now)
            if event is not None:
                self._truth.hear(event)
        self.emit(*told)
        self.told += len(told)
        self.timeline.add(now, self.told)

    def freeze(self, usernames: Collection[str] = ()) -> None:
        """Let nothing pass to these (to nobody) until `thaw`, as a network does that is gone and comes back."""
        self._frozen = frozenset(usernames or self.usernames)
        for session in self._lines():
            if session.username in self._frozen or not session.username:
                session.frozen_at = self.told

    def is_frozen(self, username: str = "") -> bool:
        """Tell whether nothing passes to somebody, or to nobody at all."""
        return username in self._frozen if username else self._frozen == self.usernames

    def thaw(self) -> None:
        """Let everything pass that was held back, for those who are still there."""
        self._frozen = frozenset()
        for session in self._lines():
            session.thaw()

    def cut(self, usernames: Collection[str] = (), *, hard: bool = False) -> None:
        """Cut the connections of these (of all); `hard`: what is on its way is lost."""
        for session in self._lines():
            if usernames and session.username not in usernames:
                continue
            if hard:
                session.lose_what_is_on_its_way()
            session.abort()

    def session(self) -> Session:
        """Make a session for a new connection."""
        return Line(self)

    def knows(self, username: str, secret: str) -> bool:
        """Tell whether somebody may log in."""
        return username in self.usernames and secret == self.secret

    def answer(self, action: Message, session: Session) -> Iterable[bytes]:
        """Tell what exists just now, if asked; remember who was told."""
        match action.get("Action").lower():
            case "bridgelist":
                self.bridges = self._bridges()
            case "coreshowchannels":
                self.channels = [_shown(present) for present in self._truth.snapshot().channels]
                if isinstance(session, Line) and session.listening is not None:
                    session.listening.snapshot = session.listening.snapshot or (self.told, time.time())
        return super().answer(action, session)

    def _lines(self) -> list["Line"]:
        return [session for session in self.sessions if isinstance(session, Line)]

    def _bridges(self) -> list[Fields]:
        here = {present.bridge: present for present in self._truth.snapshot().channels if present.bridge}
        return [
            {"BridgeUniqueid": bridge, "BridgeType": one.bridge_type, "BridgeTechnology": one.technology}
            for bridge, one in here.items()
        ]


class Line(Session):
    """A session that can be frozen, and knows its share of the stream."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self.listening: Listening | None = None
        self.frozen_at: int | None = exchange.told if exchange.is_frozen() else None
        self._exchange = exchange
        self._held = bytearray()

    def logged_on(self) -> None:
        """Begin to listen; be told, as by every Asterisk, that it has booted."""
        self.write(
            event("FullyBooted", {"Timestamp": f"{self._exchange.clock():.6f}", "Status": "Fully Booted"}) + b"\r\n\r\n"
        )
        self.listening = Listening(self.username, self._exchange.told)
        self._exchange.listened.append(self.listening)
        if self._exchange.is_frozen(self.username):
            self.frozen_at = self._exchange.told

    def connection_lost(self, exc: Exception | None) -> None:
        """Listen no more (asyncio)."""
        if self.listening is not None:
            self.listening.ended = time.time()
            self.listening.until = self._exchange.told if self.frozen_at is None else self.frozen_at
        super().connection_lost(exc)

    def write(self, data: bytes) -> None:
        """Send bytes, or hold them back."""
        if self.frozen_at is not None:
            self._held += data
        else:
            super().write(data)

    def thaw(self) -> None:
        """Send what was held back."""
        self.frozen_at = None
        super().write(bytes(self._held))
        self._held.clear()

    def lose_what_is_on_its_way(self) -> None:
        """Have the connection end by a reset."""
        if self._transport is not None:
            self._transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )


def _shown(present: Present) -> Fields:
    """Write a channel as `CoreShowChannel` has it."""
    channel = present.channel
    seconds = int(max(0.0, time.time() - present.created))
    return {
        "Channel": channel.name,
        "ChannelState": str(channel.state),
        "CallerIDNum": channel.caller or "<unknown>",
        "ConnectedLineNum": channel.connected or "<unknown>",
        "Context": channel.context,
        "Exten": channel.exten,
        "Uniqueid": channel.uniqueid,
        "Linkedid": channel.linkedid,
        "Application": present.application,
        "BridgeId": present.bridge or "",
        "Duration": f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}",
    }
