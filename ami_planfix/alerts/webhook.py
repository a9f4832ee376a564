"""Tells an address of an alert: one JSON object by HTTP, shaped as whoever listens there wants it."""

import asyncio
import json
import re
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp

from ami_planfix.alerts.message import Message
from ami_planfix.config.alerting import Webhook as Section
from ami_planfix.errors import AlertNotSent, in_words
from ami_planfix.logs import REDACTED

MOST_BYTES = 4096
"""Of an answer that are read."""
LONGEST = 200
"""Characters of an answer that are told."""
_HEADERS = {"User-Agent": "ami-planfix", "Accept-Encoding": "identity"}
_FIELD = re.compile(r"\{(\w+)\}", re.ASCII)


class Webhook:
    """One address."""

    name = "webhook"

    def __init__(self, section: Section) -> None:
        self._url = section.url.get_secret_value()
        self._host = urlsplit(self._url).hostname or ""
        self._body = {name: value.get_secret_value() for name, value in section.body.items()}
        self._token = section.token.get_secret_value()
        self._timeout = section.timeout

    async def send(self, message: Message) -> str:
        """Tell; return what came back. Raises AlertNotSent."""
        headers = {"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": message.id}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        body = json.dumps(filled(self._body, message.fields), ensure_ascii=False).encode(errors="replace")
        try:
            async with (
                asyncio.timeout(self._timeout),
                # A small answer must not unfold into a large one.
                aiohttp.ClientSession(headers=_HEADERS, auto_decompress=False) as session,
                session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                words = self._words(await answer.content.read(MOST_BYTES))
                said = f"{self._host} answered {answer.status} {words}".strip()
        except TimeoutError:
            raise AlertNotSent(f"{self._host} did not answer within {self._timeout:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            raise AlertNotSent(f"{self._host} cannot be reached: {_reason(fault)}") from None
        if not 200 <= answer.status < 300:
            raise AlertNotSent(said, "refused")
        return said

    def _words(self, body: bytes) -> str:
        """Make one line of an answer; what repeats our secrets is taken out."""
        text = body.decode(errors="replace")
        own = [value for value in self._body.values() if not _FIELD.search(value)]
        for secret in (self._url, urlsplit(self._url).path, self._token, *own):
            text = text.replace(secret, REDACTED) if len(secret) > 1 else text
        return re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in text)).strip()[:LONGEST]


def filled(body: Mapping[str, str], fields: Mapping[str, str]) -> dict[str, str]:
    """Fill fields into the body; without one, all of them are it. A `{word}` that is no field stays."""
    if not body:
        return dict(fields)
    return {name: _FIELD.sub(lambda found: fields.get(found[1], found[0]), value) for name, value in body.items()}


def _reason(fault: Exception) -> str:
    """Say what is wrong, without an address: a secret is in it."""
    if isinstance(fault, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not trusted"
    if isinstance(fault, aiohttp.ClientConnectorError):
        return in_words(fault.os_error)
    if isinstance(fault, ssl.SSLError):
        return f"TLS: {fault.reason}"
    return "it ended the connection" if isinstance(fault, aiohttp.ServerDisconnectedError) else type(fault).__name__
