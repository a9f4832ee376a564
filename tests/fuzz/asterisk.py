"""The connection to Asterisk, and all behind it, against a server that says what no Asterisk would."""

import asyncio
import json
import tempfile
from collections.abc import Iterable
from contextlib import AsyncExitStack
from random import Random
from typing import Self

import structlog
from structlog.testing import LogCapture

from ami_planfix.ami.connection import Connection
from ami_planfix.ami.link import AmiSettings
from ami_planfix.ami.pacing import Pacing
from ami_planfix.ami.wire import Splitter, parse
from ami_planfix.calls.events import Snapshot
from ami_planfix.calls.tracker import Tracker
from ami_planfix.config.model import Config
from ami_planfix.demo.asterisk import BANNER, Asterisk, Session
from ami_planfix.errors import WireError
from ami_planfix.numbering import Numbering
from ami_planfix.outbox import Outbox
from ami_planfix.phones import Phones
from ami_planfix.storage.database import Database
from ami_planfix.storage.schema import open_database
from ami_planfix.storage.settings import Settings
from tests.calls.memory import left_in
from tests.calls.playing import NUMBERING, TRUNKS
from tests.fuzz.corpus import a_story, damaged_history, joined, messages
from tests.fuzz.mutation import damaged, poison
from tests.fuzz.target import Target
from tests.making import pipeline_of

QUICK = Pacing(first=0.002, most=0.005, refused_first=0.002, refused_most=0.005)
PATIENCE = 0.1
"""Seconds that the connection waits for what the hostile server does not say."""
LAST_WORD = 0.05
"""Seconds that the hostile server stays when it has said all."""
IDENT = "@ID@"
WORDS = (
    b"ActionID: @ID@\r\n",
    b"Response: Success\r\n",
    b"EventList: start\r\n",
    b"EventList: Complete\r\n",
    b"Event: ",
)
ASKED = (
    ("Login", ""),
    ("CoreSettings", ""),
    ("DeviceStateList", "DeviceStateChange"),
    ("SIPpeers", "PeerEntry"),
    ("IAXpeers", "PeerEntry"),
    ("ExtensionStateList", "ExtensionStatus"),
    ("DBGet", "DBGetResponse"),
    ("BridgeList", "BridgeListItem"),
    ("CoreShowChannels", "CoreShowChannel"),
)
"""What the daemon asks on a new connection, about in this order, and the event that is an item of the answer."""
HARM = frozenset(
    {
        "ami listener failed",
        "ami task failed",
        "event not understood",
        "snapshot not understood",
        "database not written",
        "journal given up",
    }
)
"""Lines of the log that no server's words may cause."""


class HostileAsterisk(Target):
    """Whatever the server says: nothing breaks, and the next, honest one is understood."""

    name = "asterisk"
    about = "a hostile AMI server over a real socket: connection, phones, tracker, journal, outbox; then an honest one"
    at_once = 32  # most of the time they wait for what is not said

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        self._logged = LogCapture()
        structlog.configure(processors=[self._logged])
        self._stack.callback(structlog.reset_defaults)
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="fuzz-"))
        self._database = await self._stack.enter_async_context(await open_database(f"sqlite:///{folder}/state.db"))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def make(self, random: Random) -> bytes:
        """Make what the server says when somebody connects, and then to one action after another."""
        lines = [BANNER, *(_answer(random, *asked) for asked in ASKED)]
        at = random.randrange(len(lines))
        lines[at] += joined(damaged_history(random, a_story(random).name))
        for at, line in enumerate(lines):
            if random.random() < 0.2:
                lines[at] = damaged(random, line, WORDS)
        if random.random() < 0.2:
            random.shuffle(lines)
        return json.dumps([line.decode("latin-1") for line in lines]).encode()

    async def attempt(self, data: bytes) -> None:
        """Connect to the hostile server, then to an honest one at the same address."""
        honest = Asterisk(
            channels=[{"Channel": "PJSIP/101-00000001", "Uniqueid": "1.1", "ChannelState": "6"}],
            devices=[{"Device": "PJSIP/101"}],
            hints=[{"Exten": "101", "Hint": "PJSIP/101"}],
        )
        script = [line.encode("latin-1") for line in json.loads(data)]
        visitors = [Hostile(script)]
        server = await asyncio.get_running_loop().create_server(
            lambda: visitors.pop() if visitors else Session(honest), "127.0.0.1", 0
        )
        try:
            await _live(server.sockets[0].getsockname()[1], honest, self._database)
        finally:
            server.close()
            honest.cut()

    async def well(self) -> None:
        """Look into the log."""
        harm = [entry for entry in self._logged.entries if entry["event"] in HARM]
        self._logged.entries.clear()
        assert not harm, f"{harm[0]['event']}: {harm[0]}"


class Hostile(asyncio.Protocol):
    """Says what the script has: its beginning at once, then a line for each action; then it stays silent, and goes."""

    def __init__(self, script: Iterable[bytes]) -> None:
        self._script = iter(script)
        self._splitter = Splitter(limit=64 * 1024)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin (asyncio)."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._say("")

    def data_received(self, data: bytes) -> None:
        """Answer what came (asyncio)."""
        try:
            found = self._splitter.feed(data)
        except WireError as fault:
            raise AssertionError("we sent what is no AMI") from fault
        for raw in found:
            self._say(parse(raw).get("ActionID"))

    def _say(self, ident: str) -> None:
        line = next(self._script, None)
        if line is None:
            asyncio.get_running_loop().call_later(LAST_WORD, self._transport.abort)
        elif not self._transport.is_closing():
            self._transport.write(line.replace(IDENT.encode(), ident.encode()))


def _answer(random: Random, action: str, item: str) -> bytes:
    """Write the answer to an action; a list has items whose headers stand in captures, or are poison."""
    head = f"Response: Success\r\nActionID: {IDENT}\r\n"
    if not item:
        return f"{head}Message: Authentication accepted\r\nAsteriskVersion: 22.10.0\r\n\r\n".encode()
    items = b""
    for _ in range(random.choice((0, 1, 5, 30))):
        fields = random.choice(messages(a_story(random).name)).split(b"\r\n")[1:]
        fields += [b"Device: PJSIP/10" + random.choice((b"1", b"2", poison(random)))]
        fields += [b"Exten: " + random.choice((b"101", poison(random))), b"Hint: PJSIP/101&" + poison(random)]
        fields += [b"ObjectName: 101", b"Val: " + poison(random), b"Duration: 00:00:" + poison(random)]
        items += f"Event: {item}\r\nActionID: {IDENT}\r\n".encode() + b"\r\n".join(fields) + b"\r\n\r\n"
    end = f"Event: {action}Complete\r\nActionID: {IDENT}\r\nEventList: Complete\r\n\r\n"
    return f"{head}EventList: start\r\n\r\n".encode() + items + end.encode()


async def _live(port: int, honest: Asterisk, database: Database) -> None:
    """Be the daemon until the honest server has been asked and all is written; then nothing may be left."""
    numbering = Numbering(Config.model_validate({"numbering": NUMBERING, "trunks": TRUNKS}))
    tracker = Tracker(numbering)
    pipeline, writer = pipeline_of(database, Outbox(database), tracker, lambda _: None)
    settings = AmiSettings("127.0.0.1", port, "ami-planfix", "secret", timeout=PATIENCE, silence=PATIENCE)
    connection = Connection(settings, pipeline, QUICK, greet=Phones(numbering, Settings(database)).ask)
    writer.attach(connection)
    tasks = [asyncio.create_task(pipeline.run()), asyncio.create_task(connection.run())]
    try:
        while not _is_understood(connection, honest) or writer.backlog:
            assert not any(task.done() for task in tasks), "the connection or the pipeline has ended"
            await asyncio.sleep(0.005)
        await pipeline.stop()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert numbering.extension("101") == "101", "the honest server's phones are not known"
    tracker.resync(Snapshot(connection.status.synced_at or 0, ()))
    assert not left_in(tracker), f"left in memory: {dict(left_in(tracker))}"


def _is_understood(connection: Connection, honest: Asterisk) -> bool:
    return bool(honest.actions("CoreShowChannels")) and connection.status.is_synced
