"""What administrators put in front: nginx as documented, our own TLS; asked by curl."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from ami_planfix.web.app import Listener, Tls
from ami_planfix.web.callers import Callers
from ami_planfix.web.recordings import Downloads
from tests.daemon_process import free_port
from tests.recordings.conftest import Place

pytestmark = pytest.mark.asterisk

CALLID = "1700000000.1"
SOUND = bytes(range(256)) * 2000
DOCUMENT = Path(__file__).parents[2] / "docs" / "admin" / "recordings.md"
NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate}; ssl_certificate_key {key};
        {location}
    }}
}}
"""


class Certificate(NamedTuple):
    """The files of a certificate for this machine, and of who vouches for it."""

    chain: Path
    key: Path
    authority: Path


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    made = Certificate(tmp_path / "chain.pem", tmp_path / "key.pem", tmp_path / "ca.pem")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(made.authority)
    issued.private_key_pem.write_to_path(made.key)
    for blob in issued.cert_chain_pems:
        blob.write_to_path(made.chain, append=True)
    return made


async def curl(certificate: Certificate, url: str, *arguments: str) -> tuple[str, bytes]:
    """Ask as an administrator does; tell the last status, and the body."""
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "--cacert", str(certificate.authority), "-w", "%{stderr}%{http_code}", *arguments, url,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    body, said = await process.communicate()
    return said.decode(), body


def path_of(place: Place) -> str:
    link = place.links.link(CALLID, "in-1.wav", ".wav")
    return link[link.index("/recordings/") :]


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


@asynccontextmanager
async def nginx(folder: Path, certificate: Certificate, upstream: int) -> AsyncIterator[int]:
    """Run nginx with what our documentation says."""
    text = DOCUMENT.read_text("utf-8")
    location = text[text.index("location /recordings/") :].partition("```")[0]
    port = free_port()
    settings = NGINX.format(
        folder=folder,
        port=port,
        certificate=certificate.chain,
        key=certificate.key,
        location=location.replace("127.0.0.1:8443", f"127.0.0.1:{upstream}"),
    )
    (folder / "nginx.conf").write_text(settings)
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    process = await asyncio.create_subprocess_exec(program, "-c", str(folder / "nginx.conf"))
    try:
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except ConnectionError:
                    await asyncio.sleep(0.05)
                    continue
                writer.close()
                break
        yield port
    finally:
        process.terminate()
        await process.wait()


async def test_behind_nginx_as_documented(place: Place, certificate: Certificate, tmp_path: Path) -> None:
    await place.recording("in-1.wav", SOUND)
    callers = Callers([ip_network("127.0.0.1/32")], [ip_network("127.0.0.1/32")])
    listener = Listener("server", Downloads(place.playback, callers).routes())
    upstream = await listener.open("127.0.0.1", 0)
    async with nginx(tmp_path, certificate, upstream) as port:
        await ask_for_everything(certificate, f"https://127.0.0.1:{port}", path_of(place))
    assert "/recordings/" not in (tmp_path / "access.log").read_text()
    await listener.close()
