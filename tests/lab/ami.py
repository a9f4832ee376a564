"""A minimal AMI client of the lab's own: actions, events, which channels live."""

import asyncio
import itertools
from collections.abc import Callable

from tests.lab.waiting import PATIENCE, Noticeboard, NotInTimeError, within

Event = dict[str, str]
END = b"\r\n\r\n"
MARK = "LabMark"  # a UserEvent that is of no call
_marks = itertools.count(1)


class AmiError(Exception):
    """Asterisk refused an action."""


def parse(block: bytes) -> Event:
    """Read one AMI message; of a repeated header the last counts."""
    lines = block.decode("utf-8", "replace").split("\r\n")
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name: value.strip() for name, _, value in pairs}


class Ami:
    """A logged-in connection that remembers all events, as values and as bytes."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.raw: list[bytes] = []
        self.channels: dict[str, str] = {}
        self._board = Noticeboard()
        self._responses: dict[str, Event] = {}
        self._numbers = itertools.count(1)
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    async def connect(self, host: str, port: int, username: str, secret: str, *, wait_for_boot: bool = True) -> None:
        """Log in and wait until Asterisk is fully booted (which only users with the class `system` are told)."""
        reader, self._writer = await asyncio.open_connection(host, port)
        await reader.readline()  # the banner
        self._reading = asyncio.create_task(self._read(reader))
        await self.action("Login", Username=username, Secret=secret)
        if wait_for_boot:
            await self.event("FullyBooted")

    async def close(self) -> None:
        if self._reading:
            self._reading.cancel()
        if self._writer:
            self._writer.close()

    async def action(self, name: str, variables: dict[str, str] | None = None, /, **headers: str) -> Event:
        """Do an action and return its response; AmiError if it is refused."""
        number = f"lab{next(self._numbers)}"
        lines = [
            f"Action: {name}",
            f"ActionID: {number}",
            *(f"{key}: {value}" for key, value in headers.items()),
        ]
        lines += [f"Variable: {key}={value}" for key, value in (variables or {}).items()]
        assert self._writer, "not connected"
        self._writer.write("\r\n".join([*lines, "", ""]).encode())
        await self._board.until(f"the response to {name}", lambda: number in self._responses)
        answer = self._responses.pop(number)
        if answer["Response"] not in ("Success", "Goodbye"):
            raise AmiError(f"{name}: {answer.get('Message', answer['Response'])}")
        return answer

    async def event(self, name: str, seconds: float = PATIENCE, since: int = 0, **headers: str) -> Event:
        """Return the first event of that name with these headers; `since`: an earlier `len(events)`."""
        found: list[Event] = []

        def is_there() -> bool:
            nonlocal since
            for event in self.events[since:]:
                since += 1
                if event["Event"] == name and all(event.get(key) == value for key, value in headers.items()):
                    found.append(event)
                    return True
            return False

        await self._board.until(f"AMI event {name} {headers or ''}", is_there, seconds)
        return found[0]

    async def settle(self, other: "Ami | None" = None) -> None:
        """Wait until all that Asterisk has said so far has come in: on this connection, or on another one."""
        mark = f"{MARK} {next(_marks)}"
        await self.action("UserEvent", UserEvent=MARK, Text=mark)
        await (other or self).event("UserEvent", Text=mark)

    async def quiet(self, seconds: float = 30.0) -> None:
        """Wait until no channel is left."""
        await self.settle()  # a phone may ring before AMI has told of its channel
        try:
            await self._board.until("no channel", lambda: not self.channels, seconds)
        except NotInTimeError as error:
            raise NotInTimeError(f"{error}; there are {', '.join(self.channels.values())}") from error

    async def channel(self, device: str) -> str:
        """Return the newest living channel of a device like PJSIP/101."""

        def names() -> list[str]:
            return [name for name in self.channels.values() if name.startswith(f"{device}-")]

        await self._board.until(f"a channel of {device}", lambda: bool(names()))
        return names()[-1]

    async def wait(self, what: str, truth: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait until something that events decide is true."""
        await self._board.until(what, truth, seconds)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                block = await reader.readuntil(END)
                self._take(block)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.channels.clear()
            self._board.changed()

    def _take(self, block: bytes) -> None:
        message = parse(block)
        if "Response" in message and "Event" not in message:
            self._responses[message.get("ActionID", "")] = message
        elif "Event" in message:
            self.raw.append(block)
            self.events.append(message)
            match message["Event"]:
                case "Newchannel":
                    self.channels[message["Uniqueid"]] = message["Channel"]
                case "Rename":
                    self.channels[message["Uniqueid"]] = message["Newname"]
                case "Hangup":
                    self.channels.pop(message["Uniqueid"], None)
        self._board.changed()


async def connect_when_up(host: str, port: int, username: str, secret: str, seconds: float = 60.0) -> Ami:
    """Connect to an Asterisk that may still be starting: FullyBooted says when it is done."""
    return await within(seconds, f"Asterisk at {host}:{port}", _connect_when_up(host, port, username, secret))


async def _connect_when_up(host: str, port: int, username: str, secret: str) -> Ami:
    while True:
        ami = Ami()
        try:
            await ami.connect(host, port, username, secret)
        except OSError:
            await asyncio.sleep(0.05)  # nothing tells when a port opens
        else:
            return ami
