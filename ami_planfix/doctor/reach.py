"""Goes to an https address step by step: name, connection, certificate."""

import asyncio
import socket
import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

from ami_planfix import tls
from ami_planfix.errors import in_words
from ami_planfix.tls import Certificate

WITHIN = 6.0
"""Seconds that a stranger may take to let us in."""


class Place(NamedTuple):
    """Where an address leads."""

    host: str
    port: int
    secure: bool

    @classmethod
    def of(cls, url: str) -> "Place":
        """Read an address."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        return cls(parts.hostname or "", parts.port or (443 if secure else 80), secure)


async def resolve(place: Place) -> list[str]:
    """Tell the addresses of a host; raises OSError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(WITHIN):
        found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def connect(place: Place) -> Certificate | None:
    """Connect, and read the certificate that is shown, None without TLS.

    Raises ssl.SSLError for what is wrong with TLS, and OSError or TimeoutError if nobody lets us in.
    """
    context = ssl.create_default_context() if place.secure else None
    async with asyncio.timeout(WITHIN):
        _, writer = await asyncio.open_connection(place.host, place.port, ssl=context)
    try:
        shown = writer.get_extra_info("ssl_object")
        return tls.of(shown) if shown is not None else None
    finally:
        writer.transport.abort()


def words(fault: Exception) -> str:
    """Say what went wrong, in a line."""
    if isinstance(fault, TimeoutError):
        return f"no answer within {WITHIN:g} s"
    return (getattr(fault, "verify_message", None) or in_words(fault)).splitlines()[0][:200]
