"""A running daemon that is attacked, and the honest people whom it must go on serving meanwhile."""

import asyncio
import itertools
import json
import re
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import aiohttp

from ami_planfix.ami import capture
from ami_planfix.ami.wire import Message
from ami_planfix.calls.reports import Extension
from ami_planfix.demo.asterisk import Asterisk
from ami_planfix.demo.planfix import EmbeddedPlanfix
from ami_planfix.planfix.messages import Contact
from ami_planfix.web.guard import COOKIE
from tests.daemon_process import CAPTURES, PBX_TOKEN, Home, Place, Process, expected
from tests.fuzz.memory import resident
from tests.recordings.sounds import write_tone

STORY = "recording/recorded_on_client_channel"
CLIENT = "79101234567"
PASSWORD = "the-password-of-the-page"
PATIENCE = 20.0
"""Seconds that an honest wish may take."""
MOST_MEMORY = 200 * 1024 * 1024
HARM = frozenset({"request failed", "fastagi question failed", "event not understood", "contact lookup failed"})
"""Lines of the log that no stranger may cause; nor may any have a traceback."""
FIELDS = frozenset({"Action", "ActionID", "Channel", "Context", "Exten", "Priority", "Timeout", "Async", "CallerID"})
FIELDS |= {"ChannelId", "OtherChannelId", "Variable"}
_EPOCH = re.compile(rb"(?<!\d)1795\d{6}(?=\.\d)")


class Victim:
    """The daemon as a process of its own, between an embedded Asterisk and an embedded Planfix."""

    home: Home
    link = ""
    """The path of a link to a recording that is there."""
    key = token = ""
    """Of somebody who has logged in to the status page."""

    async def __aenter__(self) -> Self:
        self._stack = stack = AsyncExitStack()
        self._epochs = itertools.count(1_800_000_001)
        self._lines = 0
        self._suspect = ""
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fuzz-")))
        devices = [{"Device": f"PJSIP/{extension}"} for extension in (101, 102, 103)]
        self._asterisk = await stack.enter_async_context(Asterisk(devices=devices, on_originate=self._originated))
        self._planfix = await stack.enter_async_context(
            EmbeddedPlanfix(pbx_token=PBX_TOKEN, pbx_url="https://pbx.example.com/planfix")
        )
        self._planfix.contacts[CLIENT] = Contact("Иванов Пётр", Extension("101"))
        self.home = place = Place(self._asterisk, self._planfix, folder)
        self._monitor = folder / "monitor"
        place.sections["recordings"] = {
            "directory": str(self._monitor), "format": "original", "cache": str(folder / "cache"),
        }  # fmt: skip
        place.sections["makecall"] = {"per_minute": 10000}
        socket = str(folder / "control.sock")
        place.sections["admin"] = {"listen": f"127.0.0.1:{place.admin_port}", "socket": socket, "password": PASSWORD}
        place.write_config()
        self._process: Process = await stack.enter_async_context(place.daemon())
        await place.logged_in()
        self.link = await self._record()
        await self._log_in()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def serve(self) -> None:
        """Call, click, listen to a recording, ask: raise if one of these is not done in time."""
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(self._call(), self._web(), self._control(), self._ask_who_calls())

    async def well(self) -> None:
        """Raise if the daemon, its log or its memory has suffered."""
        assert self._process.process.returncode is None, f"the daemon ended with {self._process.process.returncode}"
        self._read_log()
        assert not self._suspect, self._suspect
        held = resident(self._process.process.pid)
        assert held < MOST_MEMORY, f"the daemon holds {held // 2**20} MiB"

    def _read_log(self) -> None:
        lines = self._process.raw.split(b"\n")[self._lines : -1]
        self._lines += len(lines)
        for line in lines:
            for secret in (PBX_TOKEN, PASSWORD, self.key or PASSWORD):
                assert secret.encode() not in line, f"the log tells a secret: {line!r}"
            try:
                said = json.loads(line)
            except ValueError:
                raise AssertionError(f"not a line of the log: {line.decode(errors='replace')}") from None
            harm = said["event"] in HARM or "exception" in said or said["level"] == "critical"
            assert not harm, f"{said['event']}: {said.get('exception') or said}"

    # Honest people

    async def _record(self) -> str:
        """Have a recorded call; return the path of the link that Planfix gets."""
        epoch = next(self._epochs)
        name = re.search(rb"monitor/(in-[0-9.]+wav)", (CAPTURES / f"{STORY}.ami").read_bytes())
        assert name
        write_tone(self._monitor / _EPOCH.sub(b"%d" % epoch, name[1]).decode(), 440)
        await self._call(epoch)
        await self._planfix.wait_for(lambda all_: any(one.fields.get("cmd") == "record" for one in all_), 20)
        link = next(one.fields["record_link"] for one in self._planfix.received if one.fields.get("cmd") == "record")
        return urlsplit(link).path

    async def _call(self, epoch: int | None = None) -> None:
        """A client calls; Planfix hears all of it."""
        ident = b"%d" % (epoch or next(self._epochs))
        history = [_EPOCH.sub(ident, raw) for raw in capture.read(CAPTURES / f"{STORY}.ami")]
        await self._asterisk.play(history, speed=0)
        wanted = expected(STORY)
        callids: set[str] = set()

        def told(received: object) -> bool:
            found = [one for one in self._planfix.taken if one.fields.get("callid", "").startswith(ident.decode())]
            callids.update(one.fields["callid"] for one in found)
            return sorted(one.event for one in found if one.fields["cmd"] == "event") == wanted

        try:
            await self._planfix.wait_for(told, PATIENCE)
        except TimeoutError:
            raise AssertionError(f"a call was not reported: {callids}") from None

    async def _web(self) -> None:
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        base = self.home.url.removesuffix("/planfix")
        async with aiohttp.ClientSession(timeout=timeout) as session:
            form = {"cmd": "makeCall", "from": "101", "to": "89161234567", "token": PBX_TOKEN}
            async with session.post(self.home.url, data=form) as answer:
                assert answer.status == 200, f"an honest click: {answer.status} {await answer.text()}"
            status, heard = 503, b""
            while status == 503:  # others have the link too, and only so many may hear it at once
                async with session.get(base + self.link) as answer:
                    status, heard = answer.status, await answer.read()
            assert status == 200, f"an honest download: {status}"
            assert heard[:4] == b"RIFF"
            page = f"http://127.0.0.1:{self.home.admin_port}"
            async with session.get(f"{page}/healthz") as answer:
                assert answer.status == 200, f"/healthz: {answer.status}"
            async with session.get(f"{page}/live", cookies={COOKIE: self.key}) as answer:
                assert answer.status == 200, f"/live: {answer.status}"
                assert await answer.content.readline() == b"event: whole\n"

    async def _log_in(self) -> None:
        page = f"http://127.0.0.1:{self.home.admin_port}"
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            async with session.post(f"{page}/login", data={"password": PASSWORD}) as answer:
                shown = await answer.text()
            self.key = next(one.value for one in session.cookie_jar if one.key == COOKIE)
        found = re.search('name="token" content="([^"]+)"', shown)
        assert found
        self.token = found[1]

    async def _control(self) -> None:
        connector = aiohttp.UnixConnector(str(self.home.folder / "control.sock"))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get("http://daemon/calls") as answer,
        ):
            assert answer.status == 200, f"control: {answer.status}"

    async def _ask_who_calls(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.home.fastagi_port)
        writer.write(f"agi_network_script: contact\nagi_callerid: {CLIENT}\n\n".encode())
        line = await reader.readline()
        assert "Иванов".encode() in line, f"an honest question who calls: {line!r}"
        writer.close()

    def _originated(self, action: Message) -> None:
        """Look at what was asked of Asterisk: whoever has the token may ring phones and dial the country, no more."""
        names = {name for name, _ in action.headers}
        fair = (
            names <= FIELDS
            and re.fullmatch(r"PJSIP/10[0-9]", action.get("Channel"))
            and re.fullmatch(r"7[0-9]{10}", action.get("Exten"))
            and action.get("Context") == "from-internal"
            and re.fullmatch(r'"[^"]*" <[0-9]+>', action.get("CallerID"))
        )
        if not fair:
            self._suspect = f"an Originate that nobody may ask for: {action.headers}"
