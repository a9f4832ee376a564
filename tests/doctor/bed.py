"""A PBX, a Planfix and a daemon that are well, for doctor to look at once a test has broken something."""

import asyncio
import json
import os
import pwd
import ssl
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web
from pydantic import TypeAdapter

from ami_planfix.ami import capture
from ami_planfix.ami.wire import Message
from ami_planfix.config.load import load
from ami_planfix.config.model import Config
from ami_planfix.control import request
from ami_planfix.daemon import Daemon
from ami_planfix.demo.asterisk import Asterisk, Fields, event
from ami_planfix.demo.planfix import EmbeddedPlanfix
from ami_planfix.doctor.checkup import CHECKS, examine
from ami_planfix.doctor.finding import Fault, Finding
from ami_planfix.doctor.patient import Account, Running, meet, user_name
from tests.daemon_process import CAPTURES, PBX_TOKEN
from tests.ports import free_port

TELLS = ("Newchannel", "VarSet", "Hangup", "OriginateResponse")
PHONES = ("PJSIP/101", "PJSIP/102", "PJSIP/provider")
NOW = "1795440800.123456"


class Bed:
    """Where the patient lies; `sections` are its configuration."""

    def __init__(self, asterisk: Asterisk, planfix: EmbeddedPlanfix, folder: Path) -> None:
        self.asterisk, self.planfix, self.folder = asterisk, planfix, folder
        self.file = folder / "config.yaml"
        self.port = free_port()
        self.tells: Collection[str] = TELLS
        """The events of a channel that Asterisk lets us hear."""
        self.stamped = True
        self.user: Account | None = None
        """Whom the daemon is said to run as, if not as we do."""
        self.nobody_known = False
        """That account is not on this machine."""
        (folder / "monitor").mkdir()
        self.sections: dict[str, Any] = {
            "ami": {"port": asterisk.port, "secret": asterisk.secret},
            "planfix": {"url": planfix.url, "token": planfix.token, "allowed_hosts": ["127.0.0.1"]},
            "server": {
                "listen": f"127.0.0.1:{self.port}",
                "public_url": f"http://127.0.0.1:{self.port}",
                "token": PBX_TOKEN,
            },
            "admin": {"listen": f"127.0.0.1:{free_port()}", "socket": str(folder / "control.sock")},
            "contacts": {"fastagi": f"127.0.0.1:{free_port()}"},
            "numbering": {"extensions": r"10\d", "default_extension": "101"},
            "trunks": [{"channel": "PJSIP/provider", "number": "74951230000"}],
            "recordings": {"directory": str(folder / "monitor"), "cache": str(folder / "cache")},
            "storage": {"url": f"sqlite:///{folder}/state.db"},
        }
        planfix.pbx_token = PBX_TOKEN
        planfix.pbx_url = f"http://127.0.0.1:{self.port}/planfix"
        asterisk.on_originate = self._to_nowhere

    def free(self) -> str:
        """Tell an address that nobody has."""
        return f"127.0.0.1:{free_port()}"

    async def waits_for_planfix(self) -> None:
        """Wait until the daemon says that Planfix is away."""
        async with asyncio.timeout(20):
            while True:
                found = TypeAdapter(Running).validate_python(
                    await request(self.folder / "control.sock", "GET", "/condition")
                )
                if any(part.part == "planfix" for part in found.unwell):
                    return
                await asyncio.sleep(0.02)  # nobody announces it

    def apart(self) -> None:
        """Let the next daemon have other ports, its own socket and its own state."""
        self.port = free_port()
        self.sections["server"] |= {
            "listen": f"127.0.0.1:{self.port}",
            "public_url": f"http://127.0.0.1:{self.port}",
        }
        self.sections["admin"] = {"listen": f"127.0.0.1:{free_port()}", "socket": str(self.folder / "second.sock")}
        self.sections["contacts"] = {"fastagi": f"127.0.0.1:{free_port()}"}
        self.sections["storage"] = {"url": f"sqlite:///{self.folder}/second.db"}

    def write(self) -> Config:
        """Write the configuration as it is now."""
        text = yaml.safe_dump(json.loads(json.dumps(self.sections)))
        if not self.file.exists() or self.file.read_text() != text:
            self.file.touch(0o640)
            self.file.chmod(0o640)
            self.file.write_text(text)
        return load(self.file)

    @asynccontextmanager
    async def daemon(self, observe: bool = False) -> AsyncIterator[Daemon]:
        """Run a daemon; it has looked at what exists."""
        daemon = Daemon(self.write(), observe)
        running = asyncio.create_task(daemon.run())
        try:
            async with asyncio.timeout(20):
                await daemon.started.wait()
                await self.asterisk.until(lambda: bool(self.asterisk.actions("CoreShowChannels")))
            yield daemon
        finally:
            daemon.end()
            await running

    async def call(self) -> None:
        """Let the PBX have a call that leads to a report."""
        await self.asterisk.play(capture.read(CAPTURES / "outgoing/out_answered.ami"), speed=0)

    async def settled(self, state: str) -> None:
        """Wait until the outbox has reports in this state alone."""
        async with asyncio.timeout(20):
            while True:
                counts = (await request(self.folder / "control.sock", "GET", "/deliveries"))["counts"]
                assert isinstance(counts, dict)
                if [name for name, count in counts.items() if count] == [state]:
                    return
                await asyncio.sleep(0.02)  # nobody announces it

    async def order(self, path: str, body: dict[str, object]) -> None:
        """Have the daemon do something."""
        await request(self.folder / "control.sock", "POST", path, body=body)

    async def findings(self, *whats: str) -> list[Finding]:
        """Make these checks, by their names."""
        chosen = [check for check in CHECKS if check.what in whats]
        assert len(chosen) >= len(whats)
        async with asyncio.timeout(30), meet(self.file, self.write(), root=self.folder) as patient:
            if self.user is not None or patient.account is None:
                patient.account = None if self.nobody_known else self.user or myself()
            return [told.finding async for told in examine(patient, chosen)]

    async def faults(self, *whats: str) -> list[str]:
        """Make these checks; tell the faults that they found."""
        return [finding.fault for finding in await self.findings(*whats) if finding.fault]

    async def has(self, fault: Fault, *whats: str) -> Finding:
        """Have these checks find this fault and no other; tell it."""
        every = await self.findings(*whats)
        found = [finding for finding in every if finding.fault]
        assert [finding.fault for finding in found] == [fault.name], every
        assert "{" not in found[0].remedy.replace("{extension}", ""), found[0].remedy
        assert found[0].remedy
        return found[0]

    async def is_well(self, *whats: str) -> None:
        """Have these checks find nothing."""
        found = await self.findings(*whats)
        assert not [finding for finding in found if finding.fault], found

    def _to_nowhere(self, action: Message) -> None:
        """Say what a real Asterisk says of a Local channel to a context that is not there."""
        channel = {"Channel": f"{action.get('Channel').removesuffix('/n')}-00000001;1", "Uniqueid": "1795440800.1"}
        name, _, value = action.get("Variable").partition("=")
        kinds: dict[str, Fields] = {
            "Newchannel": {},
            "VarSet": {"Variable": name, "Value": value},
            "Hangup": {"Cause": "0"},
            "OriginateResponse": {"Response": "Failure", "Reason": "0", "ActionID": action.get("ActionID")},
        }
        at: Fields = {"Timestamp": NOW} if self.stamped else {}
        told = [event(kind, at | channel | kinds[kind]) for kind in TELLS if kind in self.tells]
        asyncio.get_running_loop().call_soon(self.asterisk.emit, *told)  # the action's response comes first


def myself() -> Account:
    """Tell who runs the tests."""
    return Account(user_name(os.geteuid()), os.geteuid(), os.getegid(), tuple(os.getgroups()))


def nobody() -> Account:
    """Tell an account that may do nothing."""
    found = pwd.getpwnam("nobody")
    return Account("nobody", found.pw_uid, found.pw_gid, (found.pw_gid,))


@asynccontextmanager
async def site(answer: web.Response, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve one answer to everything; tell the port."""

    async def reply(_request: web.Request) -> web.Response:
        return web.Response(status=answer.status, text=answer.text, headers=answer.headers)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", reply)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
