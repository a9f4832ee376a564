"""What can be wrong with what Planfix calls: caused, found, mended as advised."""

import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from aiohttp import ClientSession, web

from ami_planfix.doctor import public
from ami_planfix.doctor.finding import Sign
from tests.doctor.bed import Bed, nobody, site
from tests.ports import free_port

Certify = Callable[[trustme.LeafCert], None]


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """Have this machine trust an authority of its own, as it does the public ones."""
    found = trustme.CA()
    found.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return found


@pytest.fixture
def with_certificate(bed: Bed) -> Certify:
    """Give the daemon a certificate; it is for `localhost`."""

    def write(certificate: trustme.LeafCert) -> None:
        chain, key = bed.folder / "fullchain.pem", bed.folder / "privkey.pem"
        key.touch(0o640)
        certificate.private_key_pem.write_to_path(key)
        chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        bed.sections["server"]["public_url"] = f"https://localhost:{bed.port}"
        bed.sections["server"]["tls"] = {"certificate": str(chain), "private_key": str(key)}

    return write


def days(number: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=number)


class TestCertificate:
    async def test_a_good_one(self, bed: Bed, authority: trustme.CA, with_certificate: Certify) -> None:
        with_certificate(authority.issue_cert("localhost"))
        async with bed.daemon():
            await bed.is_well("certificate", "public address", "ports")

    async def test_nobody_stands_behind_it(self, bed: Bed, authority: trustme.CA, with_certificate: Certify) -> None:
        with_certificate(trustme.CA().issue_cert("localhost"))
        await bed.has(public.UNTRUSTED, "certificate")
        async with bed.daemon():
            await bed.has(public.TLS, "public address")
        with_certificate(authority.issue_cert("localhost"))
        async with bed.daemon():
            await bed.is_well("certificate", "public address")

    async def test_it_has_ended(self, bed: Bed, authority: trustme.CA, with_certificate: Certify) -> None:
        with_certificate(authority.issue_cert("localhost", not_after=days(-1)))
        await bed.has(public.EXPIRED, "certificate")
        with_certificate(authority.issue_cert("localhost"))
        await bed.is_well("certificate")

    async def test_it_ends_soon(self, bed: Bed, authority: trustme.CA, with_certificate: Certify) -> None:
        with_certificate(authority.issue_cert("localhost", not_after=days(9.1)))
        finding = await bed.has(public.ENDS, "certificate")
        assert finding.found.startswith("in 9 days")
        with_certificate(authority.issue_cert("localhost", not_after=days(15)))
        await bed.is_well("certificate")

    async def test_it_is_for_another_name(self, bed: Bed, authority: trustme.CA, with_certificate: Certify) -> None:
        with_certificate(authority.issue_cert("pbx.example.com"))
        finding = await bed.has(public.NAME, "certificate")
        assert "pbx.example.com" in finding.found
        bed.sections["server"]["public_url"] = "https://pbx.example.com"
        await bed.is_well("certificate")

    async def test_the_key_is_anothers(self, bed: Bed, authority: trustme.CA, with_certificate: Certify) -> None:
        right = authority.issue_cert("localhost")
        with_certificate(right)
        authority.issue_cert("localhost").private_key_pem.write_to_path(bed.folder / "privkey.pem")
        await bed.has(public.BROKEN, "certificate")
        with_certificate(right)
        await bed.is_well("certificate")

    async def test_it_is_no_certificate(self, bed: Bed, authority: trustme.CA, with_certificate: Certify) -> None:
        with_certificate(authority.issue_cert("localhost"))
        (bed.folder / "fullchain.pem").write_text("nonsense")
        await bed.has(public.BROKEN, "certificate")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
    async def test_the_daemons_user_cannot_read_its_key(
        self, bed: Bed, authority: trustme.CA, with_certificate: Certify
    ) -> None:
        with_certificate(authority.issue_cert("localhost"))
        bed.user = nobody()
        key = bed.folder / "privkey.pem"
        key.chmod(0o600)
        finding = await bed.has(public.UNREADABLE, "certificate")
        assert f"chgrp {bed.user.group} {key} && chmod 640 {key}" in finding.remedy
        os.chown(key, -1, bed.user.gid)
        key.chmod(0o640)
        await bed.is_well("certificate")


class TestAddress:
    async def test_it_leads_here(self, bed: Bed) -> None:
        async with bed.daemon():
            (finding,) = await bed.findings("public address")
        assert finding.sign is Sign.WELL
        (finding,) = await bed.findings("public address")
        assert finding.sign is Sign.UNTRIED

    async def test_a_name_that_is_not_found(self, bed: Bed) -> None:
        bed.sections["server"]["public_url"] = "https://pbx.example.invalid"
        await bed.has(public.DNS, "public address")

    async def test_an_address_that_cannot_be_reached(self, bed: Bed) -> None:
        bed.sections["server"]["public_url"] = f"http://127.0.0.1:{free_port()}"
        async with bed.daemon():
            finding = await bed.has(public.AWAY, "public address")
        assert finding.sign is Sign.WARNING

    async def test_something_else_answers(self, bed: Bed) -> None:
        async with bed.daemon(), site(web.Response(text="<html>FreePBX</html>")) as port:
            bed.sections["server"]["public_url"] = f"http://127.0.0.1:{port}"
            await bed.has(public.OTHER, "public address")
            bed.sections["server"]["public_url"] = f"http://127.0.0.1:{bed.port}"
            await bed.is_well("public address")

    async def test_another_daemon_answers(self, bed: Bed) -> None:
        async with bed.daemon():
            theirs = bed.sections["server"]["public_url"]
            bed.apart()
            async with bed.daemon():
                bed.sections["server"]["public_url"] = theirs
                finding = await bed.has(public.OTHER, "public address")
                assert "another ami-planfix" in finding.found

    async def test_a_proxy_that_is_not_named(self, bed: Bed) -> None:
        async with bed.daemon(), proxy(bed.port) as port:
            bed.sections["server"]["public_url"] = f"http://127.0.0.1:{port}"
            finding = await bed.has(public.PROXY, "public address")
            assert "[127.0.0.1]" in finding.remedy
        bed.sections["server"]["trusted_proxies"] = ["127.0.0.1"]
        async with bed.daemon(), proxy(bed.port) as port:
            bed.sections["server"]["public_url"] = f"http://127.0.0.1:{port}"
            await bed.is_well("public address")

    async def test_a_proxys_certificate_that_ends_soon(self, bed: Bed, authority: trustme.CA) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", not_after=days(3)).configure_cert(context)
        async with bed.daemon(), proxy(bed.port, context) as port:
            bed.sections["server"]["public_url"] = f"https://localhost:{port}"
            assert await bed.faults("public address") == [public.ENDS.name, public.PROXY.name]


@asynccontextmanager
async def proxy(behind: int, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Pass everything on, as nginx does."""
    async with ClientSession() as session:

        async def pass_on(request: web.Request) -> web.Response:
            headers = {"X-Forwarded-For": "198.51.100.7"}
            url = f"http://127.0.0.1:{behind}{request.rel_url}"
            async with session.request(request.method, url, headers=headers) as answer:
                return web.Response(status=answer.status, body=await answer.read())

        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", pass_on)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        try:
            yield int(runner.addresses[0][1])
        finally:
            await runner.cleanup()
