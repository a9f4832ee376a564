"""A lab's Asterisk with our dialplan, the daemon as a process beside it, and an embedded Planfix."""

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from ami_planfix.calls.reports import Extension
from ami_planfix.demo.planfix import EmbeddedPlanfix
from ami_planfix.planfix.messages import Contact
from tests.daemon_process import Home, Process
from tests.lab import Lab
from tests.lab.sip.incoming import IncomingCall
from tests.lab.sip.outgoing import OutgoingCall

SNIPPETS = Path(__file__).parents[2] / "asterisk"

ROUTES = """
[from-trunk]
; 60: no snippet; 61, 62: the name, by FastAGI and HTTP; 63, 64: the manager first; 65, 67: the same in FreePBX, at once
; and behind a time condition; 66: data
exten => 74951230060,1,Dial(@TECH@/101,3)
exten => 74951230061,1,Gosub(ami-planfix-contact,s,1(${EXTEN}))
 same => n,Dial(@TECH@/101,3)
exten => 74951230062,1,Gosub(ami-planfix-contact-http,s,1(${EXTEN}))
 same => n,Dial(@TECH@/101,3)
exten => 74951230066,1,Set(PLANFIX_DATA_utm_source=yandex)
 same => n,Queue(q-all,,,,3)
exten => _7495123006[34],1,Gosub(ami-planfix-manager,s,1(${EXTEN},1))
 same => n,Dial(@TECH@/101,3)
exten => 74951230065,1,Set(__FROM_DID=${EXTEN})
 same => n,Goto(customdests,dest-1,1)

exten => 74951230067,1,Set(__FROM_DID=${EXTEN})
 same => n,Goto(timeconditions,1,1)

; As FreePBX writes a time condition: in its hours to the custom destination, else on the normal way.
[timeconditions]
exten => 1,1,NoOp(TIMENOW: ${STRFTIME(${EPOCH},,%H:%M,%a,%e,%b)})
 same => n,GotoIfTime(@HOURS@?truestate)
 same => n(falsestate),NoOp(TIMECONDITION: false)
 same => n,Goto(from-did-direct,101,1)
 same => n(truestate),NoOp(TIMECONDITION: true)
 same => n,Goto(customdests,dest-1,1)

; As FreePBX writes a custom destination that returns.
[customdests]
exten => dest-1,1,NoOp(Entering Custom Destination manager first)
 same => n,Gosub(ami-planfix-freepbx-manager,s,1)
 same => n,NoOp(Returned from Custom Destination manager first)
 same => n,Goto(from-did-direct,101,1)

[from-internal]
exten => _6X.,1,Gosub(ami-planfix-client,s,1(${EXTEN:1}))
 same => n,Dial(@TECH@/${EXTEN:1}@provider,3)

; Where clicks go, in place of from-internal, which shows a number of its own.
[our-outside]
exten => _X.,1,Dial(@TECH@/${EXTEN}@provider,3)

; An outside line that has a number of its own.
[trunk-shows]
exten => _X.,1,Gosub(ami-planfix-shown,s,1(74951230002))
 same => n,Dial(@TECH@/${EXTEN}@provider,3)

[our-hints]
exten => 101,hint,@TECH@/101&Custom:DND101
exten => 103,hint,@TECH@/103&Custom:DND103
exten => 106,hint,@TECH@/106&Custom:DND106
"""
NOTHING: dict[str, dict[str, object]] = {}
PREFIXED, EXCLUDED = "74951230062", "74951230064"


class House:
    """What a test needs of it."""

    def __init__(self, lab: Lab, home: Home, process: Process) -> None:
        self.lab, self.home, self.process = lab, home, process
        self.planfix = home.planfix

    def knows(self, name: str, manager: str = "", phone: str = "79101234567") -> None:
        """Let Planfix know a client."""
        self.planfix.contacts[phone] = Contact(name, Extension(manager) if manager else None)

    async def call(self, did: str, extension: str = "101") -> tuple[OutgoingCall, IncomingCall, float]:
        """Let the client call; the phone that rings, and after how many seconds it does."""
        began = time.monotonic()
        client = await self.lab.client.dial(did)
        part = await self.lab.phones[extension].rings(20)
        return client, part, time.monotonic() - began

    async def shown(self, did: str, extension: str = "101") -> str:
        """Let the client call and give up: the name on the screen."""
        client, part, _ = await self.call(did, extension)
        await self.over(client)
        return part.caller_name

    async def delay(self, did: str) -> float:
        """Let the client call and give up: the seconds until 101 rings."""
        client, _, seconds = await self.call(did)
        await self.over(client)
        return seconds

    async def office_hours(self, hours: str) -> None:
        """Let the manager be rung in these hours only, as GotoIfTime has them."""
        await install(self.lab, self.home, hours)

    async def over(self, client: OutgoingCall) -> None:
        """Let the client give up, and wait until all is quiet."""
        await client.hang_up()
        await self.lab.quiet()
        self.lab.forget()


@asynccontextmanager
async def house(
    lab: Lab,
    folder: Path,
    clicks: Mapping[str, dict[str, object]] = NOTHING,
    **contacts: object,
) -> AsyncIterator[House]:
    """Set it up; `contacts` are its keys in the configuration, where nothing is kept if nothing else is said.

    `clicks` are other sections, in which `@TECH@` stands for the driver.
    """
    async with EmbeddedPlanfix() as planfix, lab.cleared():
        asterisk = lab.asterisk
        account = {"port": asterisk.ami_port, "username": asterisk.ami_username, "secret": asterisk.ami_secret}
        home = Home(planfix, folder, account)
        listen = f"127.0.0.1:{home.fastagi_port}"
        home.sections["contacts"] = {"fastagi": listen, "hints": "our-hints", "cache": 0, **contacts}
        home.sections["trunks"] = [{"channel": lab.device("provider"), "number": "74951230000"}]
        home.sections["dids"] = [
            {"number": PREFIXED, "prefix": "Sales:"},
            {"number": EXCLUDED, "to_manager": False},
        ]
        for name, section in clicks.items():
            home.sections[name] = json.loads(json.dumps(section).replace("@TECH@", asterisk.technology))
        home.write_config()
        await lab.fill_freepbx_database()
        await install(lab, home)
        async with home.daemon() as process:
            await process.logged("phones learned")
            yield House(lab, home, process)


ALWAYS, NEVER = "*,*,*,*", "*,*,31,feb"


async def install(lab: Lab, home: Home, hours: str = "") -> None:
    """Do what our documentation tells an administrator to do; `hours`: those of the office, if it has any."""
    etc = lab.asterisk.folder / "etc"
    begun = (etc / "extensions.conf.before", etc / "freepbx.conf.before")
    for before in begun:
        if not before.exists():
            before.write_bytes(before.with_suffix("").read_bytes())
        before.with_suffix("").write_bytes(before.read_bytes())
    for snippet in SNIPPETS.glob("extensions-*.conf"):
        text = snippet.read_text("utf-8").replace("PJSIP/", f"{lab.asterisk.technology}/")
        text = text.replace("127.0.0.1:4583", f"127.0.0.1:{home.fastagi_port}")
        text = text.replace("127.0.0.1:8093", f"127.0.0.1:{home.admin_port}")
        text = text.replace("Goto(from-internal,", "Goto(our-outside,")
        if hours:
            text = text.replace(";same => n,GotoIfTime(9:00-18:00,mon-fri,*,*?", f" same => n,GotoIfTime({hours}?")
        (etc / snippet.name).write_text(text, "utf-8")
    routes = ROUTES.replace("@TECH@", lab.asterisk.technology).replace("@HOURS@", hours or ALWAYS)
    names = [path.name for path in sorted(SNIPPETS.glob("extensions-*.conf"))]
    hook = (SNIPPETS / "extensions-planfix-freepbx.conf").read_text("utf-8").rpartition(";[macro")[2]
    leave = "MacroExit()" if lab.asterisk.version == 16 else "Return()"
    override = ";[macro" + hook.replace("MacroExit()", leave)
    # FreePBX includes the file for overrides before its own: what comes first counts.
    shape = (etc / "freepbx.conf").read_text("utf-8")
    (etc / "freepbx.conf").write_text(override.replace("\n;", "\n")[1:] + "\n" + shape, "utf-8")
    with (etc / "extensions.conf").open("a", encoding="utf-8") as file:
        file.write("".join(f'#include "{name}"\n' for name in names) + routes)
    await lab.ami.action("Command", Command="dialplan reload")
