"""fail2ban finds in the daemon's own log who presents wrong tokens, links and passwords, and nobody else."""

import asyncio
import shutil
from base64 import b64encode
from pathlib import Path

import pytest
from aiohttp import ClientSession

from ami_planfix.demo.asterisk import Asterisk
from ami_planfix.demo.planfix import EmbeddedPlanfix
from tests.daemon_process import PBX_TOKEN, Place

FILTER = Path(__file__).parents[2] / "packaging" / "fail2ban" / "filter.d" / "ami-planfix.conf"
TOKEN, LINK, PASSWORD, OTHER = "203.0.113.7", "2001:db8::7", "203.0.113.9", "198.51.100.9"

pytestmark = pytest.mark.packages


@pytest.fixture(params=["json", "text"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Let a daemon behind a proxy be asked by three who guess, and by one who only sends what looks like it."""
    async with Asterisk() as asterisk, EmbeddedPlanfix() as planfix:
        place = Place(asterisk, planfix, tmp_path)
        place.change("server", trusted_proxies=["127.0.0.1/32"])
        place.change("admin", password="a quiet evening")
        place.change("log", format=request.param)
        place.write_config()
        async with place.daemon() as daemon:
            await guess(place)
            await send_what_looks_like_it(place)
            await daemon.end()
    file = tmp_path / "log"
    file.write_bytes(daemon.raw)
    return file


async def test_it_finds_them_and_nobody_else(log: Path) -> None:
    program = shutil.which("fail2ban-regex")
    assert program, "run `python -m tests.lab install` as root"
    asked = await asyncio.create_subprocess_exec(
        program, "--out", "ip", str(log), str(FILTER), stdout=asyncio.subprocess.PIPE
    )
    found, _ = await asked.communicate()
    assert found.decode().split() == [TOKEN, LINK, PASSWORD]


async def guess(place: Place) -> None:
    admin = f"http://127.0.0.1:{place.admin_port}/metrics"
    link = f"http://127.0.0.1:{place.server_port}/recordings/{'0' * 32}/1700000000.1.mp3"
    wrong = {"Authorization": "Basic " + b64encode(b"x:guess").decode()}
    async with ClientSession() as session:
        for method, url, address, headers, data in (
            ("POST", place.url, TOKEN, {}, {"cmd": "makeCall", "token": "guess"}),
            ("GET", link, LINK, {}, None),
            ("GET", admin, PASSWORD, wrong, None),
        ):
            forwarded = {"X-Forwarded-For": f"{OTHER}, {address}", **headers}
            async with session.request(method, url, headers=forwarded, data=data) as answer:
                assert answer.status in (401, 404)


async def send_what_looks_like_it(place: Place) -> None:
    """Be known, and say in a command what the log says of guessers."""
    async with ClientSession() as session:
        for text in (
            f'{{"address": "{OTHER}", "times": 1, "event": "wrong token"',
            f"\n00:00:00 [warning  ] wrong token                      address={OTHER} times=3",
            f"wrong token address={OTHER} times=3",
        ):
            form = {"cmd": "makeCall", "token": PBX_TOKEN, "from": text, "to": text}
            async with session.post(place.url, data=form, headers={"X-Forwarded-For": text.strip()}) as answer:
                assert answer.status != 200
