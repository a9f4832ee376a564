"""The daemon as its users start it: a process of its own, between an embedded Asterisk and an embedded Planfix."""

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from aiohttp import ClientSession, UnixConnector

from ami_planfix.ami import capture
from ami_planfix.config.load import load
from ami_planfix.config.model import Config
from ami_planfix.control import request
from ami_planfix.demo.asterisk import Asterisk
from ami_planfix.demo.planfix import EmbeddedPlanfix
from tests.ports import free_port

CAPTURES = Path(__file__).parent / "captures"
PBX_TOKEN = "token-that-planfix-presents"
LIMIT = 30.0
LEASH = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
"""A killed test run leaves no daemon behind."""

Log = dict[str, Any]


class Home:
    """An account, a folder in which the daemon keeps what it needs, and how it reaches its PBX (`ami`)."""

    def __init__(self, planfix: EmbeddedPlanfix, folder: Path, ami: dict[str, Any]) -> None:
        self.planfix, self.folder = planfix, folder
        self.config_file = folder / "config.yaml"
        self.server_port = free_port()
        self.admin_port = free_port()
        self.fastagi_port = free_port()
        self.sections: dict[str, dict[str, Any] | list[Any]] = {
            "ami": ami,
            "planfix": {"url": planfix.url, "token": planfix.token, "allowed_hosts": ["127.0.0.1"]},
            "server": {
                "listen": f"127.0.0.1:{self.server_port}",
                "public_url": "https://pbx.example.com",
                "token": PBX_TOKEN,
            },
            "admin": {"listen": f"127.0.0.1:{self.admin_port}", "socket": str(folder / "control.sock")},
            "contacts": {"fastagi": f"127.0.0.1:{self.fastagi_port}"},
            "numbering": {"extensions": r"10\d", "default_extension": "100"},
            "trunks": [{"channel": "PJSIP/provider", "number": "74951230000"}],
            "calls": {"missed": "each"},
            "storage": {"url": f"sqlite:///{folder}/state.db"},
            "log": {"format": "json", "level": "debug"},
        }
        self.write_config()

    @property
    def url(self) -> str:
        """Tell where Planfix calls the daemon."""
        return f"http://127.0.0.1:{self.server_port}/planfix"

    def change(self, section: str, **values: object) -> None:
        """Change keys of a section, from the next `write_config` on."""
        found = self.sections[section]
        assert isinstance(found, dict)
        found.update(values)

    def write_config(self) -> None:
        """Write the configuration as it is now."""
        self.config_file.write_text(yaml.safe_dump(self.sections))

    def config(self) -> Config:
        """Read the configuration as a command does."""
        return load(self.config_file)

    async def heard(self, count: int) -> list[str]:
        """Wait until Planfix has taken so many reports; tell them."""
        await self.planfix.wait_for(lambda _: len(self.planfix.events()) >= count, LIMIT)
        return self.planfix.events()

    async def ask(self, path: str) -> dict[str, object]:
        """Ask the daemon over its control socket."""
        connector = UnixConnector(str(self.folder / "control.sock"))
        async with ClientSession(connector=connector) as session, session.get(f"http://daemon{path}") as answer:
            found: dict[str, object] = await answer.json()
            return found

    async def order(self, path: str, body: dict[str, object]) -> dict[str, object]:
        """Have the daemon do something."""
        return await request(self.folder / "control.sock", "POST", path, body=body)

    @asynccontextmanager
    async def daemon(self, *arguments: str, watchdog: float | None = None) -> AsyncIterator["Process"]:
        """Run the daemon; what still runs at the end is told to end."""
        process = await Process.start(self, arguments, watchdog)
        try:
            await process.ready()
            yield process
        finally:
            await process.end()


class Place(Home):
    """A home beside an embedded Asterisk."""

    def __init__(self, asterisk: Asterisk, planfix: EmbeddedPlanfix, folder: Path) -> None:
        super().__init__(planfix, folder, {"port": asterisk.port, "secret": asterisk.secret})
        self.asterisk = asterisk

    async def play(self, story: str) -> None:
        """Let the PBX have a call, at once."""
        await self.asterisk.play(capture.read(CAPTURES / f"{story}.ami"), speed=0)

    async def logged_in(self) -> None:
        """Wait until the daemon has looked at what exists."""
        async with asyncio.timeout(LIMIT):
            await self.asterisk.until(
                lambda: (
                    any(one.logged_in for one in self.asterisk.sessions)
                    and bool(self.asterisk.actions("CoreShowChannels"))
                )
            )


class Notices(asyncio.DatagramProtocol):
    """What a service manager is told at a socket of its own."""

    def __init__(self) -> None:
        self._told: asyncio.Queue[str] = asyncio.Queue()
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def at(cls, path: Path) -> "Notices":
        """Listen; `path` is for the environment's `NOTIFY_SOCKET`."""
        path.unlink(missing_ok=True)  # noqa: ASYNC240 (a name only)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.bind(str(path))
        loop = asyncio.get_running_loop()
        transport, found = await loop.create_datagram_endpoint(cls, sock=sock)
        found._transport = transport
        return found

    async def told(self, word: str) -> None:
        """Wait until something is told (`READY=1`)."""
        while word not in await self._told.get():
            pass

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Take what is told (asyncio)."""
        self._told.put_nowait(data.decode())

    def close(self) -> None:
        """Listen no more."""
        if self._transport is not None:
            self._transport.close()


class Process:
    """A daemon that runs."""

    def __init__(self, process: asyncio.subprocess.Process, notices: Notices) -> None:
        self.process = process
        self.log: list[Log] = []
        self.raw = b""
        self._notices = notices
        self._changed = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, home: Home, arguments: tuple[str, ...], watchdog: float | None) -> "Process":
        """Start it, with a service manager that listens."""
        path = home.folder / "notify.sock"
        notices = await Notices.at(path)
        environment = {**os.environ, "NOTIFY_SOCKET": str(path)}
        if watchdog is not None:
            environment["WATCHDOG_USEC"] = str(int(watchdog * 1_000_000))
        command = command_of(home, *arguments)
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE, env=environment)
        return cls(process, notices)

    async def told(self, word: str) -> None:
        """Wait until the service manager is told something (`READY=1`)."""
        async with asyncio.timeout(LIMIT):
            await self._notices.told(word)

    async def ready(self) -> None:
        """Wait until it is ready; fail with its log if it ends before."""
        ready = asyncio.create_task(self.told("READY=1"))
        ended = asyncio.create_task(self.process.wait())
        await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not ready.done():
            ready.cancel()
            await self._reading
            raise AssertionError(f"ended with {self.process.returncode}: {self.raw.decode()}")
        await ready

    async def logged(self, event: str, **fields: object) -> Log:
        """Wait for a line of the log."""

        def found() -> Log | None:
            wanted = {"event": event, **fields}.items()
            return next((line for line in self.log if wanted <= line.items()), None)

        try:
            async with asyncio.timeout(LIMIT), self._changed:
                await self._changed.wait_for(lambda: found() is not None)
        except TimeoutError:
            raise AssertionError(f"no line {event!r} {fields} in the log:\n{self.raw.decode()}") from None
        line = found()
        assert line is not None
        return line

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    async def kill(self) -> None:
        """Kill it, as a power cut or the kernel's memory killer would."""
        self.process.kill()
        await self.process.wait()

    async def end(self) -> int:
        """Tell it to end if it runs; return its exit status."""
        if self.process.returncode is None:
            self.process.terminate()
        async with asyncio.timeout(LIMIT):
            status = await self.process.wait()
            await self._reading
        self._notices.close()
        return status

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.raw += line
            try:
                found = json.loads(line)
            except ValueError:
                continue
            async with self._changed:
                self.log.append(found)
                self._changed.notify_all()


def command_of(home: Home, *arguments: str) -> list[str]:
    """Tell how the daemon is started."""
    return [*LEASH, sys.executable, "-m", "ami_planfix", "run", "-c", str(home.config_file), *arguments]


def expected(story: str) -> list[str]:
    """Tell what Planfix must hear of a capture, sorted: `INCOMING 101`."""
    told = json.loads((CAPTURES / f"{story}.expected.json").read_text())
    return sorted(
        " ".join(report[name] for name in ("event", "ext", "status") if name in report)
        for call in told["calls"]
        for group in call["reports"]
        for report in group
    )


def by(name: str) -> Callable[[Log], object]:
    """Take one field of a line."""
    return lambda line: line.get(name)
