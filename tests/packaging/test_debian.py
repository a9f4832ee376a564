"""The Debian package on a machine with systemd: installed, used, upgraded, beside a second one, removed, purged."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from ami_planfix import __version__
from ami_planfix.demo.asterisk import Asterisk
from ami_planfix.demo.planfix import EmbeddedPlanfix, refuse_token
from tests.daemon_process import LIMIT, PBX_TOKEN, Place, expected
from tests.packaging.machine import Booted, booted

PROJECT = Path(__file__).parents[2]
NEWER = "99.0"
CALL, LATER, ELSEWHERE = "outgoing/out_answered", "ring_group/ring_all_second_answers", "ring_group/ring_all_nobody"
STATE = "/var/lib/ami-planfix/state.db"
UNIT, OFFICE = "ami-planfix", "ami-planfix@office"
OFFLINE = "unshare --net dpkg --install"

pytestmark = pytest.mark.packages


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the package, and the same once more as a newer version."""
    folder = tmp_path_factory.mktemp("packages")
    subprocess.run([PROJECT / "packaging" / "build-deb"], check=True, stdout=subprocess.DEVNULL)
    (built,) = (PROJECT / "dist").glob(f"ami-planfix_{__version__}_*.deb")
    shutil.copy(built, folder / "this.deb")
    work = folder / "work"
    subprocess.run(["dpkg-deb", "-R", built, work], check=True)
    control = work / "DEBIAN" / "control"
    control.write_text(control.read_text().replace(f"Version: {__version__}", f"Version: {NEWER}"))
    rebuild = ["dpkg-deb", "-Znone", "-b", str(work), str(folder / "newer.deb")]
    subprocess.run(rebuild, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(work)
    return folder


async def test_its_life(packages: Path, tmp_path: Path) -> None:
    """One test, since each step begins where the one before it ended."""
    with booted(tmp_path) as machine:
        shutil.copytree(packages, machine.at("/root"), dirs_exist_ok=True)
        async with pbx(machine.at("/tmp/first")) as first, pbx(machine.at("/tmp/second")) as second:
            await is_installed(machine)
            await reports_calls(machine, first)
            await is_upgraded_while_reports_wait(machine, first)
            await is_beside_another_one(machine, first, second)
            await is_removed_and_comes_back(machine)
            await is_purged(machine)


@asynccontextmanager
async def pbx(folder: Path) -> AsyncIterator[Place]:
    os.mkdir(folder)
    devices = [{"Device": f"PJSIP/{name}"} for name in ("101", "102", "103", "104", "105", "provider")]
    async with Asterisk(devices=devices) as asterisk, EmbeddedPlanfix(pbx_token=PBX_TOKEN) as planfix:
        yield Place(asterisk, planfix, folder)


async def is_installed(machine: Booted) -> None:
    told = await machine.does(f"{OFFLINE} /root/this.deb")
    assert "ami-planfix init" in told
    assert __version__ in await machine.does("ami-planfix --version")
    asked = "from ami_planfix.calls.tracker import is_compiled; print(is_compiled())"
    assert "True" in await machine.does(f"/usr/lib/ami-planfix/bin/python3 -I -c '{asked}'")
    assert (await machine.does("stat -c '%a %U:%G' /etc/ami-planfix")).strip() == "750 root:ami-planfix"
    assert "nologin" in await machine.does("getent passwd ami-planfix")
    assert await state_of(machine, UNIT) == "inactive"
    for document in ("README.md", "config.example.yaml", "fail2ban/filter.d/ami-planfix.conf", "docs/admin/init.md"):
        assert machine.has(f"/usr/share/doc/ami-planfix/{document}"), document
    for unit in (UNIT, OFFICE):
        assert "ExecStart=/usr/bin/ami-planfix run" in await machine.does(f"systemctl cat {unit}")


async def reports_calls(machine: Booted, place: Place) -> None:
    await configured(machine, place, "config")
    assert "no errors" in await machine.does("ami-planfix check")
    await machine.does(f"systemctl enable --now {UNIT}")
    await has_a_call(place, CALL)
    assert await machine.does("ami-planfix deliveries --json") == ""
    assert (await machine.does(f"stat -c '%a %U' {STATE}")).strip() == "600 ami-planfix"


async def is_upgraded_while_reports_wait(machine: Booted, place: Place) -> None:
    """The new version delivers them, and nothing twice."""
    before = await process_of(machine, UNIT)
    place.planfix.fault_for = lambda _: refuse_token()
    await place.play(LATER)
    await waits(machine, len(expected(LATER)))
    place.planfix.fault_for = lambda _: None
    assert "ami-planfix init" not in await machine.does(f"{OFFLINE} /root/newer.deb")
    assert NEWER in await machine.does("dpkg-query --show ami-planfix")
    assert await process_of(machine, UNIT) != before
    wanted = expected(CALL) + expected(LATER)
    assert sorted(await place.heard(len(wanted))) == sorted(wanted)


async def is_beside_another_one(machine: Booted, first: Place, second: Place) -> None:
    """Two PBXs, two accounts: each daemon has its own configuration, state, socket and ports."""
    await configured(machine, second, "office")
    await machine.does(f"systemctl enable --now {OFFICE}")
    await second.logged_in()
    assert [await state_of(machine, unit) for unit in (UNIT, OFFICE)] == ["active", "active"]
    before = len(first.planfix.received)
    await has_a_call(second, ELSEWHERE)
    assert len(first.planfix.received) == before
    callid = second.planfix.taken[-1].fields["callid"]
    assert "COMPLETED" in await machine.does(f"ami-planfix explain -c office {callid}")
    assert (await machine.run(f"ami-planfix explain {callid}")).status == 1
    _, told = await machine.run("ami-planfix doctor --json -c office")
    found = {row["what"]: row["sign"] for row in map(json.loads, told.splitlines())}
    assert (found["daemon"], found["service"], found["configuration"]) == ("ok", "ok", "ok")
    assert (await machine.does("stat -c '%a %U' /var/lib/ami-planfix-office/state.db")).strip() == "600 ami-planfix"


async def is_removed_and_comes_back(machine: Booted) -> None:
    await machine.does("dpkg --remove ami-planfix")
    assert [await state_of(machine, unit) for unit in (UNIT, OFFICE)] == ["inactive", "inactive"]
    assert not machine.has("/usr/lib/ami-planfix")
    assert not machine.has("/usr/bin/ami-planfix")
    kept = await machine.does(f"cksum {STATE} /etc/ami-planfix/config.yaml")
    await machine.does(f"{OFFLINE} /root/this.deb")
    assert await machine.does(f"cksum {STATE} /etc/ami-planfix/config.yaml") == kept
    assert (await machine.does(f"systemctl is-enabled {UNIT} {OFFICE}")).split() == ["enabled", "enabled"]


async def is_purged(machine: Booted) -> None:
    """Nothing of ours is left, also not what `init` wrote beside the package."""
    await machine.does(f"systemctl start {UNIT} {OFFICE}")
    for folder in (f"/etc/systemd/system/{UNIT}.service.d", f"/etc/systemd/system/{OFFICE}.service.d"):
        await machine.does(f"install -d {folder} && touch {folder}/recordings.conf")
    await machine.does("dpkg --purge ami-planfix")
    assert await machine.does("find / -xdev -name '*ami-planfix*' -not -path '/var/log/journal/*'") == ""
    assert (await machine.run("getent passwd ami-planfix")).status != 0
    assert (await machine.run("getent group ami-planfix")).status != 0


async def configured(machine: Booted, place: Place, name: str) -> None:
    """Write its configuration, without the places that a daemon has by default."""
    sections = {**place.sections, "storage": {}, "admin": {"listen": f"127.0.0.1:{place.admin_port}"}}
    file = f"/etc/ami-planfix/{name}.yaml"
    machine.at(file).write_text(yaml.safe_dump(sections))
    await machine.does(f"chown root:ami-planfix {file} && chmod 640 {file}")


async def has_a_call(place: Place, story: str) -> None:
    await place.logged_in()
    await place.play(story)
    assert sorted(await place.heard(len(expected(story)))) == expected(story)


async def waits(machine: Booted, reports: int) -> None:
    """Wait until so many reports wait."""
    async with asyncio.timeout(LIMIT):
        while True:
            told = await machine.does("ami-planfix deliveries --json")
            if len(told.splitlines()) == reports:
                return
            await asyncio.sleep(0.1)


async def state_of(machine: Booted, unit: str) -> str:
    return (await machine.run(f"systemctl is-active {unit}")).told.strip()


async def process_of(machine: Booted, unit: str) -> str:
    return (await machine.does(f"systemctl show --property MainPID --value {unit}")).strip()
