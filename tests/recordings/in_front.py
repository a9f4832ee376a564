"""What administrators put in front of the daemon, and what a link is there."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.ports import free_port
from tests.recordings.conftest import Certificate, Place

CALLID = "1700000000.1"
DOCUMENT = Path(__file__).parents[2] / "docs" / "admin" / "nginx.md"
NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {server}
}}
"""


def path_of(place: Place) -> str:
    link = place.links.link(CALLID, "in-1.wav", ".wav")
    return link[link.index("/recordings/") :]


@asynccontextmanager
async def nginx(folder: Path, certificate: Certificate, upstream: int) -> AsyncIterator[int]:
    """Run nginx with what our documentation says."""
    text = DOCUMENT.read_text("utf-8")
    server = text[text.index("server {") :].partition("```")[0]
    port = free_port()
    for documented, here in (
        ("listen 443", f"listen 127.0.0.1:{port}"),
        ("/etc/letsencrypt/live/pbx.example.com/fullchain.pem", str(certificate.chain)),
        ("/etc/letsencrypt/live/pbx.example.com/privkey.pem", str(certificate.key)),
        ("127.0.0.1:8443", f"127.0.0.1:{upstream}"),
    ):
        assert documented in server
        server = server.replace(documented, here)
    settings = NGINX.format(folder=folder, server=server)
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
