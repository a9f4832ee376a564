"""Mail, by a server that really takes it: what its reader sees, how the way there is kept, what goes wrong."""

import asyncio
import email
import email.header
import ssl
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import trustme

from ami_planfix.alerts.deciding import Alert
from ami_planfix.alerts.looking import Trouble
from ami_planfix.alerts.mail import Mail
from ami_planfix.alerts.message import Place, message_of
from ami_planfix.config.alerting import Mail as Section
from ami_planfix.errors import AlertNotSent
from tests.alerts.receiving import PostOffice, text_of

BEGAN = message_of(Alert(Trouble.ASTERISK, 1_795_440_000.0, "отказано"), Place("pbx", "север"), 3, "ru")
OVER = message_of(Alert(Trouble.ASTERISK, 1_795_440_000.0, until=1_795_440_600.0), Place("pbx", "север"), 0, "ru")
PASSWORD = "password-of-the-mail"
Mailer = Callable[..., Mail]


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def mailer(authority: trustme.CA, tmp_path: Path) -> Mailer:
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))

    def make(office: PostOffice, tls: str = "none", **more: object) -> Mail:
        keys = {"host": "127.0.0.1", "port": office.port, "tls": tls, "sender": "pbx@example.com"}
        secure = {"ca": str(ca)} if tls != "none" else {}
        return Mail(Section.model_validate({**keys, "to": ["admin@example.com"], **secure, **more}))

    return make


async def refused(way: Mail) -> AlertNotSent:
    with pytest.raises(AlertNotSent) as told:
        await way.send(BEGAN)
    assert PASSWORD not in str(told.value)
    return told.value


class TestWhatItsReaderSees:
    async def test_subject_text_and_who_it_is_from(self, mailer: Mailer) -> None:
        async with PostOffice().open() as office:
            said = await mailer(office, to=["admin@example.com", "second@example.com"]).send(BEGAN)
        (mail,) = office.received
        assert mail["Subject"] == BEGAN.subject
        assert "Нет связи с Asterisk" in mail["Subject"]
        assert mail["From"] == "ami-planfix <pbx@example.com>"
        assert mail["To"] == "admin@example.com, second@example.com"
        assert text_of(mail).split() == BEGAN.body.split()
        assert office.envelopes == [("pbx@example.com", ["admin@example.com", "second@example.com"])]
        assert said == f"127.0.0.1:{office.port} took it: 2.0.0 queued as 4XyZ"

    async def test_its_bytes_are_what_every_mail_server_takes(self, mailer: Mailer) -> None:
        async with PostOffice().open() as office:
            await mailer(office).send(BEGAN)
        (raw,) = office.raw
        raw.partition(b"\r\n\r\n")[0].decode("ascii")
        assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
        assert b'charset="utf-8"' in raw
        written = email.message_from_bytes(raw)["Subject"]
        assert str(email.header.make_header(email.header.decode_header(written))) == BEGAN.subject

    async def test_it_has_a_date_and_an_id_and_no_machine_answers_it(self, mailer: Mailer) -> None:
        async with PostOffice().open() as office:
            await mailer(office).send(BEGAN)
        (mail,) = office.received
        assert abs(parsedate_to_datetime(mail["Date"]).timestamp() - time.time()) < 60
        assert mail["Message-ID"] == f"<{BEGAN.id}@example.com>"
        assert mail["Auto-Submitted"] == "auto-generated"

    async def test_the_end_answers_the_beginning(self, mailer: Mailer) -> None:
        async with PostOffice().open() as office:
            await mailer(office).send(BEGAN)
            await mailer(office).send(OVER)
        began, over = office.received
        assert over["In-Reply-To"] == began["Message-ID"] != over["Message-ID"]


class TestTheWayThere:
    @pytest.mark.parametrize("how", ["starttls", "tls"])
    async def test_encrypted_and_logged_in(self, mailer: Mailer, tls: ssl.SSLContext, how: str) -> None:
        async with PostOffice(password=PASSWORD).open(**{how: tls}) as office:
            await mailer(office, how, username="pbx", password=PASSWORD).send(BEGAN)
        assert len(office.received) == 1

    @pytest.mark.parametrize("how", ["starttls", "tls"])
    async def test_a_server_that_nobody_vouches_for_gets_nothing(
        self, mailer: Mailer, tls: ssl.SSLContext, how: str
    ) -> None:
        async with PostOffice(password=PASSWORD).open(**{how: tls}) as office:
            fault = await refused(mailer(office, how, username="pbx", password=PASSWORD, ca=None))
        assert (fault.step, office.received) == ("tls", [])
        assert "its certificate is not trusted" in str(fault)

    async def test_a_server_without_starttls_gets_no_password(self, mailer: Mailer) -> None:
        async with PostOffice(password=PASSWORD).open() as office:
            fault = await refused(mailer(office, "starttls", username="pbx", password=PASSWORD))
        assert (fault.step, office.received) == ("tls", [])

    async def test_a_password_where_none_is_taken(self, mailer: Mailer) -> None:
        async with PostOffice().open() as office:
            fault = await refused(mailer(office, username="pbx", password=PASSWORD))
        assert (fault.step, office.received) == ("login", [])

    async def test_tls_where_none_is_spoken(self, mailer: Mailer) -> None:
        async with PostOffice().open() as office:
            fault = await refused(mailer(office, "tls"))
        assert fault.step == "tls"

    async def test_a_wrong_password(self, mailer: Mailer, tls: ssl.SSLContext) -> None:
        async with PostOffice(password=PASSWORD).open(starttls=tls) as office:
            fault = await refused(mailer(office, "starttls", username="pbx", password="guessed"))
        assert (fault.step, office.received) == ("login", [])
        assert "535 5.7.8 [redacted] it is not" in str(fault)

    async def test_no_password_where_one_is_asked_for(self, mailer: Mailer, tls: ssl.SSLContext) -> None:
        async with PostOffice(password=PASSWORD).open(starttls=tls) as office:
            fault = await refused(mailer(office, "starttls"))
        assert (fault.step, office.received) == ("refused", [])


class TestWhatGoesWrong:
    async def test_nobody_listens(self, mailer: Mailer) -> None:
        fault = await refused(mailer(PostOffice()))
        assert "cannot be reached: Connection refused" in str(fault)

    async def test_a_server_that_says_nothing(self, mailer: Mailer) -> None:
        silent = asyncio.Event()

        async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await silent.wait()
            writer.close()

        office = PostOffice()
        async with await asyncio.start_server(say_nothing, "127.0.0.1", office.port):
            fault = await refused(mailer(office, timeout=0.3))
            silent.set()
        assert "did not answer within 0.3 s" in str(fault)

    async def test_no_such_mailbox(self, mailer: Mailer) -> None:
        async with PostOffice(refuses="admin@example.com").open() as office:
            fault = await refused(mailer(office))
        assert fault.step == "refused"
        assert "no such mailbox" in str(fault)

    async def test_one_of_two_has_no_mailbox(self, mailer: Mailer) -> None:
        async with PostOffice(refuses="gone@example.com").open() as office:
            said = await mailer(office, to=["gone@example.com", "admin@example.com"]).send(BEGAN)
        assert len(office.received) == 1
        assert "not for gone@example.com: 550 5.1.1 no such mailbox" in said

    async def test_a_look_sends_nothing(self, mailer: Mailer, tls: ssl.SSLContext) -> None:
        async with PostOffice(password=PASSWORD).open(starttls=tls) as office:
            said = await mailer(office, "starttls", username="pbx", password=PASSWORD).probe()
        assert office.received == []
        assert said.endswith("takes mail from pbx@example.com to admin@example.com")
