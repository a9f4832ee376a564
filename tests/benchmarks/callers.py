"""Many SIP calls at once through an Asterisk of the lab, made by sipp: clients behind the provider call 101."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.lab.asterisk import HOST, Asterisk
from tests.ports import free_port

SCENARIO = Path(__file__).parent / "sipp" / "client.xml"
PROVIDER_HOST = "127.0.0.2"
DID = "74951230001"
LISTEN_WITHIN = 10.0
_STREAM = '<nop><action><exec rtp_stream="{file},-1,0"/></action></nop>'
_QUIET = ("-nostdin", "-trace_err")


def require_sipp() -> None:
    """Exit with what to do if there is no sipp."""
    if shutil.which("sipp") is None:
        raise SystemExit("sipp is missing: apt-get install sip-tester")


def asterisk_of(version: int, phone_port: int) -> Asterisk:
    """Make the lab's Asterisk whose phone 101 is where sipp answers."""
    phone = f"[101](phone)\ncallerid = Ivanov <101>\naors = 101\n[101](aor)\ncontact = sip:101@{HOST}:{phone_port}\n"
    settings = {"PHONE_SECRET": "unused", "DRIVER_MODULES": "noload => chan_sip.so", "BOTH_DEVICES": "PJSIP/101"}
    settings |= {"PJSIP_PHONES": phone, "SIP_PHONES": ""}
    for number, name in enumerate(("PROVIDER", "BACKUP", "BRANCH"), 2):
        settings |= {name: f"127.0.0.{number}:5060", f"{name}_HOST": f"127.0.0.{number}", f"{name}_PORT": "5060"}
    return Asterisk(version, "pjsip", settings)


@asynccontextmanager
async def answering(port: int, folder: Path) -> AsyncIterator[None]:
    """Have phone 101 ring and answer every call; what it hears, it says."""
    command = ("sipp", "-sn", "uas", "-i", HOST, "-p", str(port), "-rtp_echo", "-mp", "40000", *_QUIET)
    process = await _started(command, folder)
    try:
        await _listening(port)
        yield
    finally:
        process.kill()
        await process.wait()


async def call(asterisk: Asterisk, folder: Path, *, rate: float, count: int, seconds: float, audio: bool) -> bool:
    """Make so many calls, so many in a second, each of so many seconds; tell whether all went well."""
    scenario, clients, sound = folder / "client.xml", folder / "clients.csv", folder / "sound.ulaw"
    sound.write_bytes(bytes(0x80 + (place * 7) % 0x70 for place in range(8000)))
    text = SCENARIO.read_text("utf-8").replace("@AUDIO@", _STREAM.format(file=sound) if audio else "")
    scenario.write_text(text, "utf-8")
    clients.write_text("SEQUENTIAL\n" + "".join(f"7910{number:07}\n" for number in range(count)))
    host, port = asterisk.sip_address
    command = (
        "sipp", f"{host}:{port}", "-sf", str(scenario), "-inf", str(clients), "-s", DID, "-i", PROVIDER_HOST,
        "-p", "5060", "-mi", PROVIDER_HOST, "-mp", "30000",
        "-r", str(rate), "-m", str(count), "-d", str(round(1000 * seconds)), "-l", str(count), *_QUIET,
    )  # fmt: skip
    process = await _started(command, folder)
    return await process.wait() == 0


async def _started(command: tuple[str, ...], folder: Path) -> asyncio.subprocess.Process:
    nowhere = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(*command, stdin=nowhere, stdout=nowhere, stderr=nowhere, cwd=folder)


async def _listening(port: int) -> None:
    """Wait until somebody has the port; it answers nothing that we could ask."""
    async with asyncio.timeout(LISTEN_WITHIN):
        while True:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                try:
                    probe.bind((HOST, port))
                except OSError:
                    return
            await asyncio.sleep(0.05)


def phone_port() -> int:
    """Find a port for the phone."""
    return free_port(socket.SOCK_DGRAM)
