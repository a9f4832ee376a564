"""Tells people of an alert by mail, through the administrator's mail server."""

import asyncio
import re
import socket
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from email.utils import localtime
from typing import TYPE_CHECKING

from ami_planfix.alerts.message import TEST, Message
from ami_planfix.config.alerting import Mail as Section
from ami_planfix.errors import AlertNotSent, in_words
from ami_planfix.logs import REDACTED

if TYPE_CHECKING:
    from aiosmtplib import SMTP

GOODBYE = 1.0
"""Seconds for the end of a connection."""
LONGEST = 200
"""Characters of a server's words that are told."""


class Mail:
    """One server, and who gets mail."""

    name = "mail"

    def __init__(self, section: Section) -> None:
        self._section = section
        self._where = f"{section.host}:{section.port}"

    async def send(self, message: Message) -> str:
        """Send a mail; return what the server said. Raises AlertNotSent."""
        letter = written(message, self._section.sender, self._section.to)
        async with self._server() as server:
            refused, said = await server.send_message(letter, sender=self._section.sender, recipients=self._section.to)
            for address, answer in refused.items():
                said += f"; not for {address}: {answer.code} {answer.message}"
        return f"{self._where} took it: {_line(said)}"

    async def probe(self) -> str:
        """Go as far as one can without sending anything; raises AlertNotSent."""
        async with self._server() as server:
            await server.mail(self._section.sender)
            for address in self._section.to:
                await server.rcpt(address)
            await server.rset()
        return f"{self._where} takes mail from {self._section.sender} to {', '.join(self._section.to)}"

    @asynccontextmanager
    async def _server(self) -> AsyncIterator["SMTP"]:
        """Give the server, logged in; what fails with it is put into words."""
        # Only who sends a mail needs it.
        import aiosmtplib  # noqa: PLC0415

        section = self._section
        server = None
        try:
            server = aiosmtplib.SMTP(
                hostname=section.host,
                port=section.port,
                timeout=section.timeout,
                local_hostname=socket.gethostname(),
                use_tls=section.tls == "tls",
                start_tls=section.tls == "starttls",
                tls_context=ssl.create_default_context(cafile=section.ca) if section.tls != "none" else None,
                username=section.username or None,
                password=section.password.get_secret_value() or None,
            )
            async with asyncio.timeout(section.timeout):
                await server.connect()
                yield server
            with suppress(aiosmtplib.SMTPException, OSError):  # it has the mail already
                async with asyncio.timeout(GOODBYE):
                    await server.quit()
        except aiosmtplib.SMTPAuthenticationError as fault:
            raise AlertNotSent(f"{self._where} refuses the login: {self._words(fault)}", "login") from None
        except aiosmtplib.SMTPResponseException as fault:
            raise AlertNotSent(f"{self._where} refused it: {self._words(fault)}", "refused") from None
        except aiosmtplib.SMTPRecipientsRefused as fault:
            said = "; ".join(f"{one.recipient}: {_words(one)}" for one in fault.recipients)
            raise AlertNotSent(f"{self._where} refused it for all: {_line(said)}", "refused") from None
        except (aiosmtplib.SMTPException, OSError) as fault:
            raise _unreachable(self._where, fault, section.timeout) from None
        finally:
            if server is not None:
                server.close()

    def _words(self, fault: Exception) -> str:
        """Make one line of the server's words; our password, should it repeat it, is taken out."""
        name, password = self._section.username, self._section.password.get_secret_value()
        told = [password, *(b64encode(text.encode()).decode() for text in (password, f"\0{name}\0{password}"))]
        text = _words(fault)
        for secret in told if password else ():
            text = text.replace(secret, REDACTED)
        return _line(text)


def written(message: Message, sender: str, to: tuple[str, ...]) -> EmailMessage:
    """Write the mail; sent twice it has the same Message-ID, and the end of an alert answers its beginning."""
    domain = sender.rpartition("@")[2]
    letter = EmailMessage(policy=POLICY)
    letter["From"] = Address("ami-planfix", addr_spec=sender)
    letter["To"] = [Address(addr_spec=one) for one in to]
    letter["Subject"] = message.subject
    letter["Date"] = localtime()
    letter["Message-ID"] = f"<{message.id}@{domain}>"
    if message.until is not None:
        letter["In-Reply-To"] = letter["References"] = f"<{message.about}.began@{domain}>"
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answer by a machine
    if message.event != TEST:
        letter["X-Trouble"] = message.trouble
    letter.set_content(message.body + "\n")
    return letter


def _unreachable(where: str, fault: Exception, timeout: float) -> AlertNotSent:
    cause: BaseException = fault
    while not isinstance(cause, ssl.SSLError) and (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    if isinstance(cause, ssl.SSLCertVerificationError):
        return AlertNotSent(f"{where}: its certificate is not trusted: {cause.verify_message}", "tls")
    if isinstance(cause, ssl.SSLError):
        return AlertNotSent(f"{where} does not speak TLS there: {cause.reason}", "tls")
    if "STARTTLS extension not supported" in str(fault):
        return AlertNotSent(f"{where} offers no STARTTLS", "tls")
    if "AUTH extension is not supported" in str(fault):
        return AlertNotSent(f"{where} takes no login: leave out username and password", "login")
    if isinstance(fault, TimeoutError):
        return AlertNotSent(f"{where} did not answer within {timeout:g} s")
    said = re.sub(
        r"^Error connecting to \S+ on port \d+:? *", "", in_words(cause if isinstance(cause, OSError) else fault)
    )
    return AlertNotSent(f"{where} cannot be reached: {_line(said) or type(fault).__name__}")


def _words(fault: Exception) -> str:
    return f"{getattr(fault, 'code', '')} {getattr(fault, 'message', '')}".strip()


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST]
