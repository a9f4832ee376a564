"""What administrators put in front: nginx as documented, our own TLS; asked by curl."""

import asyncio
from ipaddress import ip_network
from pathlib import Path

import pytest

from ami_planfix.web.app import Listener, Tls
from ami_planfix.web.callers import Callers
from ami_planfix.web.recordings import Downloads
from tests.recordings.conftest import Certificate, Place
from tests.recordings.in_front import nginx, path_of

pytestmark = pytest.mark.asterisk

SOUND = bytes(range(256)) * 2000


async def curl(certificate: Certificate, url: str, *arguments: str) -> tuple[str, bytes]:
    """Ask as an administrator does; tell the last status, and the body."""
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "--cacert", str(certificate.authority), "-w", "%{stderr}%{http_code}", *arguments, url,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    body, said = await process.communicate()
    return said.decode(), body


async def ask_for_everything(certificate: Certificate, base: str, path: str) -> None:
    url = base + path
    assert await curl(certificate, url) == ("200", SOUND)
    assert await curl(certificate, url, "-r", "1000-1999") == ("206", SOUND[1000:2000])
    assert await curl(certificate, url, "-r", "-100") == ("206", SOUND[-100:])
    status, head = await curl(certificate, url, "-I")
    assert status == "200"
    assert f"content-length: {len(SOUND)}" in head.decode().lower()
    tag = next(line.split(": ", 1)[1].strip() for line in head.decode().splitlines() if line.lower().startswith("etag"))
    assert await curl(certificate, url, "-H", f"If-None-Match: {tag}") == ("304", b"")
    wrong = url.replace(path.split("/")[2], "0" * 32)
    assert (await curl(certificate, wrong))[0] == "404"
    assert (await curl(certificate, f"{base}/recordings/", "--path-as-is"))[0] == "404"


async def test_our_own_tls(place: Place, certificate: Certificate) -> None:
    await place.recording("in-1.wav", SOUND)
    listener = Listener("server", Downloads(place.playback, Callers()).routes())
    port = await listener.open("127.0.0.1", 0, Tls(certificate.chain, certificate.key))
    await ask_for_everything(certificate, f"https://127.0.0.1:{port}", path_of(place))
    await listener.close()


async def test_behind_nginx_as_documented(place: Place, certificate: Certificate, tmp_path: Path) -> None:
    await place.recording("in-1.wav", SOUND)
    callers = Callers([ip_network("127.0.0.1/32")], [ip_network("127.0.0.1/32")])
    listener = Listener("server", Downloads(place.playback, callers).routes())
    upstream = await listener.open("127.0.0.1", 0)
    async with nginx(tmp_path, certificate, upstream) as port:
        await ask_for_everything(certificate, f"https://127.0.0.1:{port}", path_of(place))
    assert "/recordings/" not in (tmp_path / "access.log").read_text()
    await listener.close()
