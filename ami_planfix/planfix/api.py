"""The way to Planfix: one kept-alive session, limits on everything, and answers sorted into three kinds.

Taken (200), refused for good (400: `ReportRefused`; 401: `TokenRefused`), or worth another attempt (all else:
`PlanfixUnreachable`). Redirects are not followed: a token goes where the administrator sent it, or nowhere.
"""

import asyncio
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import aiohttp

from ami_planfix.calls.reports import Report
from ami_planfix.errors import PlanfixError, PlanfixUnreachable, ReportRefused, TokenRefused, in_words
from ami_planfix.planfix.account import Credentials
from ami_planfix.planfix.messages import (
    DEFAULT_WORDING,
    Contact,
    Form,
    Ping,
    Wording,
    clean,
    complaint,
    contact_form,
    event_form,
    parse_contact,
    parse_ping,
    ping_form,
    record_form,
)

MOST_BYTES = 64 * 1024
"""Of an answer that are read."""
LONGEST_PAUSE = 600.0
"""Seconds that a `Retry-After` may ask for."""
KEPT_ALIVE = 55.0
"""Seconds that an idle connection is kept; servers end it after 60 or more."""


_HIDDEN = "[token]"


class _Answer(NamedTuple):
    status: int
    body: bytes
    retry_after: float | None


class PlanfixApi:
    """Calls one account's API; `credentials` is asked anew for each request, since `setup` may change them."""

    looks_on = False

    def __init__(
        self,
        credentials: Callable[[], Credentials | None],
        wording: Wording = DEFAULT_WORDING,
        timeout: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._credentials = credentials
        self._wording = wording
        self._timeout = timeout
        self._clock = clock
        self._link_in: Callable[[Report], str] = lambda report: ""
        self._session: aiohttp.ClientSession | None = None

    def send_links(self, link_in: Callable[[Report], str]) -> None:
        """Say which link to a recording goes with a report (`recordings.link: completed`); `''`: none."""
        self._link_in = link_in

    @property
    def is_set_up(self) -> bool:
        """Tell whether url and token are known."""
        return self._credentials() is not None

    async def event(self, report: Report) -> None:
        """Tell Planfix a report; raise a PlanfixError if it was not taken."""
        await self._call(event_form(report, self._wording, self._link_in(report)))

    async def record(self, callid: str, link: str, temporary: bool = False) -> None:
        """Tell Planfix where a call's recording is; `temporary`: the link serves one download."""
        await self._call(record_form(callid, link, temporary))

    async def ping(self) -> Ping:
        """Ask what Planfix has been told about us; an answer that says nothing is still an answer."""
        return parse_ping(await self._call(ping_form())) or Ping("", "")

    async def contact(self, phone: str, callid: str = "") -> Contact:
        """Ask whose a number is."""
        contact = parse_contact(await self._call(contact_form(phone, callid)))
        if contact is None:
            raise PlanfixUnreachable("Planfix answered to `contact` with what is no JSON object")
        return contact

    async def close(self) -> None:
        """Close the session; a later call opens another one."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _call(self, form: Form) -> bytes:
        credentials = self._credentials()
        if credentials is None:
            raise PlanfixUnreachable("Planfix is not set up: give planfix.url and planfix.token, or switch on")
        where = f"Planfix at {urlsplit(credentials.url).hostname}"
        body = urlencode({**form, "planfix_token": credentials.token}, errors="replace").encode()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout
        try:
            answer = await self._post(credentials.url, body, deadline)
        except TimeoutError:
            raise PlanfixUnreachable(f"{where} did not answer within {self._timeout:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            raise PlanfixUnreachable(f"{where} cannot be reached: {_reason(fault)}") from fault
        if answer.status == 200:
            return answer.body
        # Twice: a token at the end of the words would be cut, and one written in JSON's own way is not seen before.
        words = complaint(answer.body.replace(credentials.token.encode(), _HIDDEN.encode()))
        raise _sorted(where, answer, words.replace(credentials.token, _HIDDEN))

    async def _post(self, url: str, body: bytes, deadline: float) -> _Answer:
        try:
            return await self._post_once(url, body, deadline)
        except aiohttp.ServerDisconnectedError:
            # The server ended an idle connection just as we took it up again: nothing was read of it.
            return await self._post_once(url, body, deadline)

    async def _post_once(self, url: str, body: bytes, deadline: float) -> _Answer:
        async with asyncio.timeout_at(deadline):
            response = await self._opened().post(url, data=body, allow_redirects=False)
        try:
            retry_after = _pause(response.headers.get("Retry-After", ""), self._clock())
            return _Answer(response.status, await _read(response, deadline), retry_after)
        finally:
            response.release()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(keepalive_timeout=KEPT_ALIVE),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),  # asyncio.timeout_at is exact, aiohttp's is not
                headers={
                    "Content-Type": "application/x-www-form-urlencoded",
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",
                    "User-Agent": "ami-planfix",
                },
                auto_decompress=False,  # a small answer must not unfold into a large one
            )
        return self._session


async def _read(response: aiohttp.ClientResponse, deadline: float) -> bytes:
    """Read what comes of the body in time; the status has decided already, so that no fault matters here."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout_at(deadline):
            async for part in response.content.iter_any():
                parts.append(part[: MOST_BYTES - size])
                size += len(part)
                if size > MOST_BYTES:
                    response.close()
                    break
    except (TimeoutError, aiohttp.ClientError, OSError):
        response.close()
    return b"".join(parts)


def _sorted(where: str, answer: _Answer, words: str) -> PlanfixError:
    said = f"{answer.status} {words}".strip()
    if answer.status == 400:
        return ReportRefused(f"{where} refused it: {said}")
    if answer.status == 401:
        return TokenRefused(f"{where} does not know our token ({said}); compare planfix.token with Planfix")
    if answer.status == 429 or answer.status >= 500:
        return PlanfixUnreachable(f"{where} answered {said}", answer.retry_after)
    return PlanfixUnreachable(f"{where} answered {said}; is planfix.url the address that Planfix shows?")


def _reason(fault: Exception) -> str:
    if isinstance(fault, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted: {clean(str(fault.certificate_error), 200)}"
    if isinstance(fault, aiohttp.ClientResponseError):
        return "what it answers is no HTTP"  # aiohttp would quote it, with our token if that is in it
    return clean(in_words(fault.os_error if isinstance(fault, aiohttp.ClientConnectorError) else fault), 200)


def _pause(header: str, now: float) -> float | None:
    """Read `Retry-After`: seconds or a date (RFC 9110, 10.2.3)."""
    text = header.strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_PAUSE)
    try:
        until = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(until - now, 0.0), LONGEST_PAUSE)
