"""Each fault of the ways by which people are told, caused on purpose at servers that really listen."""

import ssl
from pathlib import Path

import pytest
import trustme

from ami_planfix.doctor import alerts
from tests.alerts.receiving import Hook, PostOffice
from tests.doctor.bed import Bed

PASSWORD = "password-of-the-mail"


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return authority


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def mail(office: PostOffice, tmp_path: Path, **more: object) -> dict[str, object]:
    keys = {"port": office.port, "ca": str(tmp_path / "ca.pem"), "username": "pbx", "password": PASSWORD}
    return {"mail": {**keys, "sender": "pbx@example.com", "to": ["admin@example.com"], **more}}


async def test_nobody_is_told(bed: Bed) -> None:
    found = await bed.findings("webhook", "mail")
    assert [one.what for one in found] == ["alerts"]
    assert not found[0].fault


class TestWebhook:
    async def test_open(self, bed: Bed) -> None:
        async with Hook().listening() as hook:
            bed.sections["alerts"] = {"webhook": {"url": hook.url}}
            (found,) = await bed.findings("webhook")
        assert not found.fault
        assert "SECRET" not in found.found
        assert hook.came == 0

    async def test_closed(self, bed: Bed) -> None:
        bed.sections["alerts"] = {"webhook": {"url": Hook().url}}
        await bed.has(alerts.WEBHOOK_AWAY, "webhook")

    async def test_nobody_vouches_for_it(self, bed: Bed) -> None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
        async with Hook().listening(tls) as hook:
            bed.sections["alerts"] = {"webhook": {"url": hook.url.replace("http:", "https:")}}
            await bed.has(alerts.WEBHOOK_TLS, "webhook")


class TestMail:
    async def test_well(self, bed: Bed, tls: ssl.SSLContext, tmp_path: Path) -> None:
        async with PostOffice(password=PASSWORD).open(starttls=tls) as office:
            bed.sections["alerts"] = mail(office, tmp_path)
            (found,) = await bed.findings("mail")
        assert not found.fault
        assert office.received == []

    async def test_away(self, bed: Bed, authority: trustme.CA, tmp_path: Path) -> None:
        bed.sections["alerts"] = mail(PostOffice(), tmp_path)
        await bed.has(alerts.MAIL_AWAY, "mail")

    async def test_another_encryption(self, bed: Bed, tls: ssl.SSLContext, tmp_path: Path) -> None:
        async with PostOffice(password=PASSWORD).open(tls=tls) as office:
            bed.sections["alerts"] = mail(office, tmp_path, timeout=1)
            await bed.has(alerts.MAIL_AWAY, "mail")  # it waits for ours, we for its greeting
            bed.sections["alerts"] = mail(office, tmp_path, tls="tls")
            (found,) = await bed.findings("mail")
        assert not found.fault

    async def test_nobody_vouches_for_it(self, bed: Bed, tls: ssl.SSLContext, tmp_path: Path) -> None:
        async with PostOffice(password=PASSWORD).open(starttls=tls) as office:
            bed.sections["alerts"] = mail(office, tmp_path, ca="/etc/ssl/certs/ca-certificates.crt")
            await bed.has(alerts.MAIL_TLS, "mail")

    async def test_tls_where_none_is_spoken(self, bed: Bed, tls: ssl.SSLContext, tmp_path: Path) -> None:
        async with PostOffice(password=PASSWORD).open(starttls=tls) as office:
            bed.sections["alerts"] = mail(office, tmp_path, tls="tls")
            await bed.has(alerts.MAIL_TLS, "mail")

    async def test_a_wrong_password(self, bed: Bed, tls: ssl.SSLContext, tmp_path: Path) -> None:
        async with PostOffice(password=PASSWORD).open(starttls=tls) as office:
            bed.sections["alerts"] = mail(office, tmp_path, password="wrong")
            found = await bed.has(alerts.MAIL_LOGIN, "mail")
        assert "535" in found.found

    async def test_no_such_mailbox(self, bed: Bed, tls: ssl.SSLContext, tmp_path: Path) -> None:
        async with PostOffice(password=PASSWORD, refuses="admin@example.com").open(starttls=tls) as office:
            bed.sections["alerts"] = mail(office, tmp_path)
            await bed.has(alerts.MAIL_REFUSED, "mail")
