"""One running Asterisk of the lab: its folders, its configuration, its process."""

import asyncio
import contextlib
import itertools
import os
import re
import shutil
import socket
import subprocess
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from tests.lab import install
from tests.lab.ami import Ami, connect_when_up
from tests.lab.sip.codecs import PCMU, RATE, decode, samples_to_wav_data, tone
from tests.lab.waiting import within
from tests.ports import free_port

Driver = Literal["pjsip", "chan_sip"]
ASTERISKS: list[tuple[int, Driver]] = [(22, "pjsip"), (16, "pjsip"), (16, "chan_sip")]
HOST = "127.0.0.1"
TEMPLATES = Path(__file__).parent / "etc"
MUSIC = 350  # Hz, what somebody on hold hears
LEASH = ("setpriv", "--pdeathsig", "KILL")  # a killed test run leaves no Asterisk behind
STOPPING = 10.0  # seconds that an Asterisk has to stop by itself
_instances = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Account:
    """A user of AMI."""

    username: str
    secret: str


DAEMON = Account("ami-planfix", "daemon-secret")
LAB = Account("lab", "lab-secret")


class Asterisk:
    """Starts an Asterisk on free loopback ports, beside any others; stops it and takes its folders away.

    `settings` fill the templates in `etc/` (`@NAME@`); `ami_*` are of the daemon's account with least rights.
    """

    def __init__(self, version: int, driver: Driver, settings: Mapping[str, str]) -> None:
        if driver == "chan_sip" and version != 16:
            raise ValueError("chan_sip is only in Asterisk 16")
        self.version = version
        self.driver = driver
        self.ami_host = HOST
        self.ami_port = free_port()
        self.ami_username = DAEMON.username
        self.ami_secret = DAEMON.secret
        self.sip_address = (HOST, free_port(socket.SOCK_DGRAM))
        self._settings = settings
        self._root = install.root(version)
        self._inside = Path("/lab") / f"{os.getpid()}-{next(_instances)}"
        self.folder = self._root / self._inside.relative_to("/")
        self._process: asyncio.subprocess.Process | None = None

    @property
    def technology(self) -> str:
        return "PJSIP" if self.driver == "pjsip" else "SIP"

    @property
    def pid(self) -> int:
        """Tell the number of its process."""
        assert self._process, "it does not run"
        return self._process.pid

    @property
    def recordings_directory(self) -> Path:
        """Where MixMonitor writes, as seen from outside."""
        return self.folder / "spool" / "monitor"

    @property
    def asterisk_recordings_directory(self) -> Path:
        """The same folder, as Asterisk calls it."""
        return self._inside / "spool" / "monitor"

    async def __aenter__(self) -> Self:
        try:
            self._lay_out()
            await self.start()
        except BaseException:
            await self._leave()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave()

    async def start(self) -> None:
        """Start the process and wait until it is fully booted."""
        console = (self.folder / "log" / "console").open("ab")
        with console:
            self._process = await asyncio.create_subprocess_exec(
                *LEASH,
                "chroot",
                str(self._root),
                "/usr/sbin/asterisk",
                "-f",
                "-C",
                str(self._inside / "etc" / "asterisk.conf"),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                cwd="/",
            )
        ami = await self.connect()
        await ami.close()

    async def stop(self) -> None:
        """Stop the process gently, then by force."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOPPING)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def restart(self) -> None:
        """Stop and start on the same ports: all calls and AMI connections are lost."""
        await self.stop()
        await self.start()

    async def kill(self) -> None:
        """End the process as a crash would."""
        if self._process:
            self._process.kill()
            await within(STOPPING, "the end of a killed Asterisk", self._process.wait())

    async def connect(self) -> Ami:
        """Open an AMI connection with full rights, as soon as Asterisk is up."""
        try:
            return await connect_when_up(self.ami_host, self.ami_port, LAB.username, LAB.secret)
        except Exception as error:
            error.add_note(self.log()[-3000:])
            raise

    def log(self) -> str:
        """Return what Asterisk has written so far."""
        paths = (self.folder / "log" / name for name in ("console", "messages"))
        lines = (line for path in paths if path.exists() for line in path.read_text("utf-8", "replace").splitlines())
        return "\n".join(line for line in lines if "loader.c" not in line)  # Debian has more modules than we configure

    async def _leave(self) -> None:
        await self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _lay_out(self) -> None:
        self._sweep()
        for name in ("etc", "run", "log/cdr-csv", "log/cel-custom", "spool/monitor", "spool/tmp", "lib", "data/moh"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        shared = Path("/usr/share/asterisk")
        for path in (self._root / shared.relative_to("/")).iterdir():
            if path.name != "moh":
                (self.folder / "data" / path.name).symlink_to(shared / path.name)
        _write_music(self.folder / "data/moh/tone.wav")
        for template in TEMPLATES.glob("*.conf"):
            self._render(template)

    def _sweep(self) -> None:
        """Take away what killed test runs have left."""
        for folder in self.folder.parent.glob("*-*"):
            if not Path("/proc", folder.name.split("-")[0]).exists():
                shutil.rmtree(folder, ignore_errors=True)

    def _render(self, template: Path) -> None:
        driver_of = {"pjsip.conf": "pjsip", "sip.conf": "chan_sip"}
        if driver_of.get(template.name, self.driver) != self.driver:
            return
        text = _in_dialect(template.read_text("utf-8"), self.version)
        for name, value in {**self._settings, **self._own_settings()}.items():
            text = text.replace(f"@{name}@", value)
        (self.folder / "etc" / template.name).write_text(text, "utf-8")

    def _own_settings(self) -> dict[str, str]:
        modules = next(path for path in (self._root / "usr/lib").rglob("asterisk/modules") if path.is_dir())
        return {
            "INSIDE": str(self._inside),
            "MODULES": "/" + str(modules.relative_to(self._root)),
            "HOST": HOST,
            "AMI_PORT": str(self.ami_port),
            "SIP_PORT": str(self.sip_address[1]),
            "DAEMON": DAEMON.username,
            "DAEMON_SECRET": DAEMON.secret,
            "LAB": LAB.username,
            "LAB_SECRET": LAB.secret,
            "TECH": self.technology,
        }


def _in_dialect(text: str, version: int) -> str:
    """Write subroutines as the version has them: macros in 16, Gosub in 22.

    `@CALL name(arguments)@`, `@RETURN@`, `@ON_ANSWER name@` (Dial's option), `@ANSWER_RESULT@` (its variable).
    """
    macros = version == 16
    text = re.sub(
        r"@CALL ([\w-]+)\((.*)\)@",
        lambda call: f"Macro({call[1]},{call[2]})" if macros else f"Gosub(macro-{call[1]},s,1({call[2]}))",
        text,
    )
    text = re.sub(r"@ON_ANSWER ([\w-]+)@", r"M(\1)" if macros else r"U(macro-\1)", text)
    text = text.replace("@RETURN@", "MacroExit()" if macros else "Return()")
    return text.replace("@ANSWER_RESULT@", "MACRO_RESULT" if macros else "GOSUB_RESULT")


def _write_music(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples_to_wav_data(decode(PCMU, tone(PCMU, MUSIC))) * 5)
