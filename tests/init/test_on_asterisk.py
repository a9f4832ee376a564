"""`init` on a real Asterisk: what it wrote lets a daemon in, a call is reported, a click rings, doctor is content."""

import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from ami_planfix.cli import init as command
from ami_planfix.config.load import load
from ami_planfix.demo.planfix import EmbeddedPlanfix
from ami_planfix.doctor.checkup import CHECKS, examine
from ami_planfix.doctor.patient import meet
from ami_planfix.init.machine import Machine, Ran
from tests.daemon_process import Home
from tests.init.houses import GROUP
from tests.lab import Lab, install, talk
from tests.lab.asterisk import DAEMON, LAB, Driver
from tests.ports import free_port

pytestmark = pytest.mark.asterisk


class Place:
    """A machine whose Asterisk is the lab's."""

    def __init__(self, lab: Lab, root: Path) -> None:
        self.lab, self.root = lab, root
        self.config = root / "etc/ami-planfix/config.yaml"
        (root / "etc").mkdir()
        (root / "etc/asterisk").symlink_to(lab.asterisk.folder / "etc")
        (root / "etc/passwd").write_text("ami-planfix:x:0:0::/:/usr/sbin/nologin\n")
        (root / "etc/group").write_text(f"ami-planfix:x:{GROUP}:\n")
        self.machine = Machine(root, self.run, program=Path("/usr/local/bin/ami-planfix"))

    def run(self, *words: str) -> Ran:
        """Run `asterisk` where this Asterisk lives."""
        assert words[0] == "asterisk", words
        asterisk = self.lab.asterisk
        inside = asterisk.asterisk_recordings_directory.parents[1] / "etc/asterisk.conf"
        more = () if words[1] == "-V" else ("-C", str(inside))
        done = subprocess.run(
            ["chroot", str(install.root(asterisk.version)), "/usr/sbin/asterisk", *more, *words[1:]],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout + done.stderr)

    def forget_our_user(self) -> None:
        """Take away the user that the lab has for the daemon, and what is already well in [general]."""
        file = self.lab.asterisk.folder / "etc/manager.conf"
        text = file.read_text("utf-8")
        text = text[: text.index(f"[{DAEMON.username}]")] + text[text.index(f"[{LAB.username}]") :]
        file.write_text(text.replace("timestampevents = yes", "timestampevents = no"), "utf-8")

    def init(self, *arguments: str) -> str:
        result = CliRunner().invoke(command.init, ["-c", "/etc/ami-planfix/config.yaml", *arguments], obj=self.machine)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.output

    def move_into(self, folder: Path) -> None:
        """Have the daemon keep its state where a test may."""
        text = self.config.read_text("utf-8")
        for key, value in (
            ("url: sqlite:////var/lib/ami-planfix/state.db", f"url: sqlite:///{folder}/state.db"),
            ("socket: /run/ami-planfix/control.sock", f"socket: {folder}/control.sock"),
            ("allowed_hosts: [planfix.com, planfix.ru]", "allowed_hosts: [127.0.0.1]"),
            ("cache: /var/cache/ami-planfix/recordings", f"cache: {folder}/cache"),
            ("format: auto", "format: json"),
        ):
            assert f"#{key}" in text, key
            text = text.replace(f"#{key}", value)
        self.config.write_text(text, "utf-8")


@asynccontextmanager
async def place(version: int, driver: Driver, root: Path) -> AsyncIterator[Place]:
    async with Lab(version, driver) as lab:
        yield Place(lab, root)


@pytest.mark.parametrize(("version", "driver"), [(22, "pjsip"), (16, "chan_sip")])
async def test_after_init_a_real_call_is_reported(
    version: int, driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_let_doctor_look", lambda *_: None)
    root, folder = tmp_path / "root", tmp_path / "state"
    root.mkdir()
    folder.mkdir()
    async with place(version, driver, root) as here, EmbeddedPlanfix() as planfix:
        here.forget_our_user()
        port = free_port()
        said = here.init(
            "--yes", "--public-url", f"http://127.0.0.1:{port}", "--certificate", "proxy",
            "--recordings", str(here.lab.recordings_directory),
        )  # fmt: skip
        here.move_into(folder)
        lab, config = here.lab, load(here.config)
        assert config.server is not None
        assert config.numbering.default_extension == "101"
        assert lab.device("provider") in [trunk.channel for trunk in config.trunks]
        home = Home(planfix, folder, {"secret": "unused"})
        home.config_file = here.config
        async with home.daemon() as daemon:
            await daemon.logged("phones learned")
            await switched_on(planfix, said, config.server.listen.port)
            client = await lab.client.dial("74951230001")
            part = await lab.phones["101"].rings()
            await part.answer()
            await talk(client, part, 1.2)
            await client.hang_up()
            await lab.quiet()
            assert await home.heard(3) == ["INCOMING 101", "ACCEPTED 101", "COMPLETED 101 Success"]
            faults = await found_by_doctor(here)
            assert faults <= {"phone-away", "public-away", "config-open", "unit-home"}, faults
        before = here.config.read_text("utf-8")
        assert "nothing had to be changed" in here.init("--yes")
        assert here.config.read_text("utf-8") == before


async def switched_on(planfix: EmbeddedPlanfix, said: str, port: int) -> None:
    """Paste the two lines into Planfix and switch the integration on there."""
    told = re.search(r"address of the PBX +(\S+)\n +token of the PBX +(\S+)", said)
    assert told
    assert told[1].endswith("/planfix")
    assert await planfix.setup(f"http://127.0.0.1:{port}/planfix", told[2]) == (200, "{}")
    planfix.pbx_url, planfix.pbx_token = told[1], told[2]


async def found_by_doctor(here: Place) -> set[str]:
    async with meet(here.config, load(here.config), root=here.root) as patient:
        return {told.finding.fault async for told in examine(patient, CHECKS) if told.finding.fault}


async def test_the_filter_that_it_chose_is_taken_by_this_asterisk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_let_doctor_look", lambda *_: None)
    async with place(22, "pjsip", tmp_path) as here:
        here.forget_our_user()
        here.init("--yes", "--public-url", "none")
        shown = here.run("asterisk", "-rx", "manager show user ami-planfix").output
        assert "username: ami-planfix" in shown
        assert "eventfilter" not in here.lab.asterisk.log()
