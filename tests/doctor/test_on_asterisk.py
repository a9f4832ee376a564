"""What can be wrong with a real Asterisk: caused in its own files, found, and mended as advised."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ami_planfix.config.model import Config
from ami_planfix.demo.planfix import EmbeddedPlanfix
from ami_planfix.doctor import asterisk, dialplan, phones
from ami_planfix.doctor.checkup import CHECKS, examine
from ami_planfix.doctor.finding import Fault, Finding
from ami_planfix.doctor.patient import meet
from tests.daemon_process import Home
from tests.lab import Lab
from tests.lab.asterisk import DAEMON, Driver

pytestmark = pytest.mark.asterisk

SNIPPETS = Path(__file__).parents[2] / "asterisk"
AREAS = ("Asterisk", "phones and lines", "dialplan")
FILTER = "eventfilter = Event: (Newchannel|Newstate|DialBegin|DialEnd|Hangup|OriginateResponse)"
Change = tuple[str, str]


class Ward:
    """The lab, a configuration for it, and doctor."""

    def __init__(self, lab: Lab, home: Home) -> None:
        self.lab, self.home = lab, home

    @property
    def etc(self) -> Path:
        return self.lab.asterisk.folder / "etc"

    async def faults(self) -> dict[str, Finding]:
        """Let doctor look at Asterisk; what it reads in files is this Asterisk's."""
        self.home.write_config()
        config: Config = self.home.config()
        checks = [check for check in CHECKS if check.area in AREAS]
        async with meet(self.home.config_file, config, root=self.root()) as patient:
            told = [one async for one in examine(patient, checks)]
        return {one.finding.fault: one.finding for one in told if one.finding.fault}

    def root(self) -> Path:
        """Give a folder in which /etc/asterisk is this Asterisk's."""
        place = self.home.folder / "root" / "etc"
        place.mkdir(parents=True, exist_ok=True)
        if not (place / "asterisk").exists():
            (place / "asterisk").symlink_to(self.etc)
        return place.parent

    async def change(self, name: str, old: str, new: str) -> None:
        """Change a file and have it read again."""
        file = self.etc / name
        text = file.read_text("utf-8")
        assert old in text, text
        file.write_text(text.replace(old, new, 1), "utf-8")
        await self.lab.ami.action("Command", Command="dialplan reload" if "extensions" in name else "manager reload")


@asynccontextmanager
async def ward(version: int, driver: Driver, folder: Path) -> AsyncIterator[Ward]:
    async with EmbeddedPlanfix() as planfix, Lab(version, driver) as lab:
        there = lab.asterisk
        ami = {"port": there.ami_port, "username": there.ami_username, "secret": there.ami_secret}
        home = Home(planfix, folder, ami)
        home.sections["trunks"] = [
            {"channel": lab.device(trunk), "number": "74951230000"} for trunk in ("provider", "backup", "branch")
        ]
        home.sections["numbering"] = {"extensions": r"10\d", "default_extension": "101"}
        home.sections["makecall"] = {"channel": lab.device("{extension}")}
        home.sections["ignore"] = {"channels": ["PJSIP/106", "SIP/106"]}  # never registered
        yield Ward(lab, home)


USER = f"[{DAEMON.username}]\nsecret = {DAEMON.secret}\n"
READ = "read = call,dialplan,user\nwrite = originate,reporting"
MANAGER: list[tuple[Fault, Change]] = [
    (asterisk.REFUSED, (USER, f"[{DAEMON.username}]\nsecret = another\n")),
    (asterisk.REFUSED, (USER, USER + "deny = 127.0.0.0/255.0.0.0\npermit = 192.0.2.0/255.255.255.0\nacl =\n;")),
    (asterisk.RIGHTS, (READ, READ.removesuffix(",reporting"))),
    (asterisk.RIGHTS, (READ, READ.replace("originate,", ""))),
    (asterisk.EXCESS, (READ, READ + ",command")),
    (asterisk.NO_CHANNELS, (READ, READ.replace("read = call,", "read = "))),
    (asterisk.NO_VARIABLES, (READ, READ.replace("dialplan,", ""))),
    (asterisk.FILTER, (READ, f"{READ}\n{FILTER}")),
    (asterisk.NO_TIMES, ("timestampevents = yes", "timestampevents = no")),
]


@pytest.mark.parametrize(("version", "driver"), [(22, "pjsip"), (16, "chan_sip")])
async def test_each_fault_of_a_real_asterisk_is_found_and_the_advice_mends_it(
    version: int, driver: Driver, tmp_path: Path
) -> None:
    async with ward(version, driver, tmp_path) as there:
        assert await there.faults() == {}
        for fault, (right, wrong) in MANAGER:
            await there.change("manager.conf", right, wrong)
            found = await there.faults()
            assert fault.name in found, (fault.name, wrong, found)
            await there.change("manager.conf", wrong, right)
            assert await there.faults() == {}, fault.name
        await the_dialplan(there)
        await the_phones(there)


async def the_dialplan(there: Ward) -> None:
    """Have a route use what is not loaded; then do as doctor says."""
    route = "[from-trunk]\nexten => 74951230060,1,Gosub(ami-planfix-contact,s,1(${EXTEN}))\n"
    file = there.etc / "extensions.conf"
    before = file.read_text("utf-8")
    file.write_text(f"{before}\n{route}", "utf-8")
    await there.change("extensions.conf", route, route)
    found = await there.faults()
    assert list(found) == [dialplan.MISSING.name]
    names = re.findall(r"asterisk/(\S+) to", found[dialplan.MISSING.name].remedy)
    for name in names:
        (there.etc / name).write_text((SNIPPETS / name).read_text("utf-8"), "utf-8")
    await there.change("extensions.conf", route, route + "".join(f"#include {name}\n" for name in names))
    # The daemon of a test listens elsewhere than on 4583, and the lab's hints are in ext-local.
    found = await there.faults()
    assert sorted(found) == sorted([dialplan.PORT.name, dialplan.NO_HINTS.name])
    theirs, ours = "127.0.0.1:4583", f"127.0.0.1:{there.home.fastagi_port}"
    assert f"write {ours} in the place of {theirs}" in found[dialplan.PORT.name].remedy or "8093" in str(found)
    for name in names:
        text = (there.etc / name).read_text("utf-8").replace(theirs, ours)
        text = text.replace("127.0.0.1:8093", f"127.0.0.1:{there.home.admin_port}")
        (there.etc / name).write_text(text, "utf-8")
    there.home.sections["contacts"] = {"fastagi": ours, "hints": "ext-local"}
    await there.change("extensions.conf", route, route)
    assert await there.faults() == {}
    there.home.sections["makecall"] = {"channel": there.lab.device("{extension}"), "context": "nowhere"}
    assert list(await there.faults()) == [dialplan.CONTEXT.name]
    there.home.sections["makecall"] = {"channel": there.lab.device("{extension}")}


async def the_phones(there: Ward) -> None:
    """Show the phone that was never switched on, and lines that nobody named."""
    there.home.sections["ignore"] = {}
    found = await there.faults()
    assert list(found) == [phones.NOT_REGISTERED.name]
    assert there.lab.device("106") in found[phones.NOT_REGISTERED.name].found
    there.home.sections["ignore"] = {"channels": [there.lab.device("106")]}
    trunks = there.home.sections["trunks"]
    assert isinstance(trunks, list)
    lost = trunks.pop()
    found = await there.faults()
    assert list(found) == [phones.NOBODYS.name]
    assert lost["channel"] in found[phones.NOBODYS.name].found
    trunks.append({"channel": there.lab.device("no-such-line")})
    assert sorted(await there.faults()) == sorted([phones.NOBODYS.name, phones.TRUNK_UNKNOWN.name])
    trunks[-1] = lost
    assert await there.faults() == {}
