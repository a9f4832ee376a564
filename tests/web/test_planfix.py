"""`POST /planfix` with the documented statuses and bodies, over real sockets."""

import asyncio
import hmac
from collections.abc import AsyncIterator
from ipaddress import ip_network
from urllib.parse import urlencode

import pytest
import structlog
from aiohttp import ClientSession

from ami_planfix.errors import (
    ActionRefused,
    ClickRefused,
    NotConnected,
    PlanfixUnreachable,
    SetupRefused,
    StorageError,
    TokenRefused,
    TooManyClicks,
)
from ami_planfix.planfix.messages import Setup
from ami_planfix.web import forms, planfix
from ami_planfix.web.app import BODY, Listener
from ami_planfix.web.callers import Callers
from ami_planfix.web.planfix import WRONG_TOKEN, FromPlanfix
from ami_planfix.web.visits import Knock, Visit, Visits

TOKEN = "a-long-random-token"
NOW = 1_795_440_800.0


class Phones:
    """Takes clicks and setups, and answers with the fault that a test wants."""

    def __init__(self) -> None:
        self.clicks: list[tuple[str, str]] = []
        self.setups: list[tuple[str, str]] = []
        self.fault: Exception | None = None

    async def click(self, raw_from: str, raw_to: str) -> str:
        self.clicks.append((raw_from, raw_to))
        if self.fault:
            raise self.fault
        return "planfix-1"

    async def set_up(self, setup: Setup) -> None:
        self.setups.append((setup.planfix_url, setup.planfix_token))
        if self.fault:
            raise self.fault


class Pauses:
    """Stands for `asyncio.sleep`: writes down how long an answer would have waited."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


class Site:
    def __init__(self, phones: Phones, pauses: Pauses, visits: Visits, session: ClientSession, port: int) -> None:
        self.phones, self.pauses, self.visits, self.port = phones, pauses, visits, port
        self._session = session

    async def post(self, fields: dict[str, str], **headers: str) -> tuple[int, dict[str, str]]:
        async with self._session.post(
            f"http://127.0.0.1:{self.port}/planfix",
            data=urlencode(fields),
            headers={"Content-Type": "application/x-www-form-urlencoded", **headers},
        ) as answer:
            return answer.status, await answer.json()

    async def get(self, mark: str, **headers: str) -> int:
        url = f"http://127.0.0.1:{self.port}/planfix"
        async with self._session.get(url, params={"doctor": mark}, headers=headers) as answer:
            return answer.status

    async def post_raw(self, body: bytes, content_type: str) -> tuple[int, dict[str, str]]:
        async with self._session.post(
            f"http://127.0.0.1:{self.port}/planfix", data=body, headers={"Content-Type": content_type}
        ) as answer:
            return answer.status, await answer.json()


async def serve(callers: Callers) -> AsyncIterator[Site]:
    phones, pauses, visits = Phones(), Pauses(), Visits(lambda: NOW)
    site = FromPlanfix(TOKEN, phones, phones, callers, visits, pause=pauses)
    listener = Listener("server", site.routes())
    port = await listener.open("127.0.0.1", 0)
    async with ClientSession() as session:
        yield Site(phones, pauses, visits, session, port)
    await listener.close()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async for found in serve(Callers()):
        yield found


@pytest.fixture
async def behind_proxy() -> AsyncIterator[Site]:
    here = ip_network("127.0.0.1/32")
    async for found in serve(Callers(allow_from=[ip_network("203.0.113.0/24")], trusted_proxies=[here])):
        yield found


CLICK = {"cmd": "makeCall", "from": "101", "to": "79101234567", "token": TOKEN}
SETUP = {
    "cmd": "setup",
    "token": TOKEN,
    "planfix_url": "https://x.planfix.com/tel/api",
    "planfix_token": "theirs",
}


class TestMakeCall:
    async def test_a_click_is_answered_with_an_empty_object(self, site: Site) -> None:
        assert await site.post(CLICK) == (200, {})
        assert site.phones.clicks == [("101", "79101234567")]

    @pytest.mark.parametrize(
        ("fault", "status", "error"),
        [
            (ClickRefused("to: no phone number"), 400, "Invalid parameters"),
            (TooManyClicks("more than 10 calls a minute"), 429, "Too many requests"),
            (NotConnected("no connection to 127.0.0.1:5038"), 503, "Unavailable"),
            (ActionRefused("Permission denied"), 502, "Bad gateway"),
        ],
    )
    async def test_what_keeps_a_click_from_being_dialled_is_said(
        self, site: Site, fault: Exception, status: int, error: str
    ) -> None:
        site.phones.fault = fault
        found, body = await site.post(CLICK)
        assert (found, body["error"]) == (status, error)
        assert str(fault) in body["reason"]

    @pytest.mark.parametrize("missing", ["from", "to", "cmd"])
    async def test_a_missing_parameter_is_400_and_named(self, site: Site, missing: str) -> None:
        status, body = await site.post({name: value for name, value in CLICK.items() if name != missing})
        assert (status, body["error"]) == (400, "Invalid parameters")
        assert missing in body["reason"]
        assert not site.phones.clicks

    async def test_an_unknown_command_is_400(self, site: Site) -> None:
        status, body = await site.post({**CLICK, "cmd": "transfer"})
        assert (status, body["error"]) == (400, "Invalid parameters")


class TestSetup:
    async def test_a_setup_is_handed_over_and_answered_with_an_empty_object(self, site: Site) -> None:
        assert await site.post(SETUP) == (200, {})
        assert site.phones.setups == [("https://x.planfix.com/tel/api", "theirs")]

    @pytest.mark.parametrize(
        ("fault", "status"),
        [
            (SetupRefused("planfix_url: evil.example is not in planfix.allowed_hosts"), 400),
            (TokenRefused("Invalid token"), 400),
            (PlanfixUnreachable("connection refused"), 502),
            (StorageError("disk full"), 503),
        ],
    )
    async def test_whatever_is_wrong_stands_in_the_body(self, site: Site, fault: Exception, status: int) -> None:
        site.phones.fault = fault
        with structlog.testing.capture_logs() as lines:
            found, body = await site.post(SETUP)
        assert found == status
        assert str(fault) in body["reason"]
        assert [line["event"] for line in lines] == ["setup refused"]
        assert "theirs" not in str(lines)


class TestTokens:
    @pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x", TOKEN[:-1], "тоже не тот"])
    async def test_a_wrong_token_is_401_whatever_else_is_asked(self, site: Site, token: str) -> None:
        status, body = await site.post({"cmd": "no such command", "token": token})
        assert (status, body["error"]) == (401, "Invalid token")

    async def test_wrong_tokens_wait_and_a_right_one_never(self, site: Site) -> None:
        for _ in range(3):
            await site.post({**CLICK, "token": "wrong"})
        assert [pause > 0 for pause in site.pauses.taken] == [True, True, True]
        assert site.pauses.taken == sorted(site.pauses.taken)
        assert (await site.post(CLICK))[0] == 200
        assert len(site.pauses.taken) == 3

    async def test_the_log_has_the_address_and_not_the_token(self, site: Site) -> None:
        with structlog.testing.capture_logs() as lines:
            await site.post({**CLICK, "token": "a-guess"})
        assert [(line["event"], line["address"]) for line in lines] == [("wrong token", "127.0.0.1")]
        assert "a-guess" not in str(lines)

    async def test_tokens_are_compared_in_constant_time(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        compared: list[int] = []
        real = hmac.compare_digest

        def watch(one: bytes, other: bytes) -> bool:
            compared.append(len(one) - len(other))
            return real(one, other)

        monkeypatch.setattr(hmac, "compare_digest", watch)
        await site.post({**CLICK, "token": "x"})
        await site.post(CLICK)
        assert compared == [0, 0], "and both sides are equally long"

    async def test_too_many_wrong_ones_at_once_are_not_all_kept_waiting(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(planfix, "MOST_WAITING", 0)
        assert (await site.post({**CLICK, "token": "wrong"}))[0] == 429
        assert (await site.post(CLICK))[0] == 200


class TestAddresses:
    async def test_an_address_that_allow_from_does_not_name_is_403(self, behind_proxy: Site) -> None:
        status, body = await behind_proxy.post(CLICK, **{"X-Forwarded-For": "198.51.100.1"})
        assert (status, body["error"]) == (403, "Not allowed")
        assert not behind_proxy.phones.clicks

    async def test_the_address_behind_a_trusted_proxy_counts(self, behind_proxy: Site) -> None:
        assert (await behind_proxy.post(CLICK, **{"X-Forwarded-For": "203.0.113.7"}))[0] == 200


class TestBodies:
    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            ("application/json", b'{"cmd": "makeCall"}'),
            ("multipart/form-data; boundary=x", b"--x--"),
            ("text/plain", b"cmd=makeCall"),
            ("application/x-www-form-urlencoded; charset=utf-16", b"cmd=makeCall"),
        ],
    )
    async def test_another_kind_of_body_is_415(self, site: Site, content_type: str, body: bytes) -> None:
        status, answer = await site.post_raw(body, content_type)
        assert (status, answer["error"]) == (415, "Unsupported media type")

    @pytest.mark.parametrize(
        "body",
        [
            b"cmd=makeCall&token=\xff\xfe",
            b"cmd=makeCall&token=%ff%fe",
            b"token=" + TOKEN.encode() + b"&token=wrong",
            b"&".join(b"f%d=1" % n for n in range(60)),
        ],
    )
    async def test_a_form_that_cannot_be_read_one_way_is_400(self, site: Site, body: bytes) -> None:
        status, answer = await site.post_raw(body, "application/x-www-form-urlencoded")
        assert (status, answer["error"]) == (400, "Invalid parameters")

    async def test_a_body_too_large_is_413(self, site: Site) -> None:
        status, answer = await site.post({**CLICK, "to": "7" * BODY})
        assert (status, answer["error"]) == (413, "Request too large")

    async def test_a_compressed_body_is_415(self, site: Site) -> None:
        status, _ = await site.post(CLICK, **{"Content-Encoding": "gzip"})
        assert status == 415

    async def test_a_body_that_does_not_come_is_408(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(forms, "BODY_WITHIN", 0.05)
        answer = await self.raw(site, b"Content-Length: 50", b"cmd=makeCall")
        assert answer.split()[1] == b"408"
        assert b'"error": "Request timeout"' in answer

    async def test_broken_chunks_are_400(self, site: Site) -> None:
        answer = await self.raw(site, b"Transfer-Encoding: chunked", b"zz\r\nnonsense\r\n")
        assert answer.split()[1] == b"400"

    @staticmethod
    async def raw(site: Site, header: bytes, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        kind = b"Content-Type: application/x-www-form-urlencoded"
        writer.write(b"POST /planfix HTTP/1.1\r\nHost: x\r\n" + kind + b"\r\n" + header + b"\r\n\r\n" + body)
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        return answer


class TestVisits:
    """What `doctor` tells of Planfix's last command."""

    async def test_the_last_command_and_its_result_are_remembered(self, site: Site) -> None:
        await site.post(CLICK)
        assert site.visits.last == Visit(NOW, "127.0.0.1", "makeCall", 200, "") == site.visits.last_known
        site.phones.fault = ClickRefused("to: no phone number")
        await site.post(CLICK)
        assert site.visits.last == Visit(NOW, "127.0.0.1", "makeCall", 400, "to: no phone number")

    async def test_a_stranger_does_not_hide_what_planfix_did(self, site: Site) -> None:
        await site.post(CLICK)
        await site.post({"cmd": "makeCall", "token": "guessed"})
        assert site.visits.last == Visit(NOW, "127.0.0.1", "", 401, WRONG_TOKEN)
        assert site.visits.last_known == Visit(NOW, "127.0.0.1", "makeCall", 200, "")

    async def test_doctor_learns_how_its_own_request_came_in(self, site: Site, behind_proxy: Site) -> None:
        mark = "0123456789abcdef"
        assert await site.get(mark, **{"X-Forwarded-For": "203.0.113.9"}) == 405
        assert site.visits.find(mark) == Knock(mark, "127.0.0.1", "127.0.0.1", forwarded=True)
        assert await behind_proxy.get(mark, **{"X-Forwarded-For": "198.51.100.1"}) == 405
        assert behind_proxy.visits.find(mark) == Knock(mark, "198.51.100.1", "127.0.0.1", forwarded=True)
        assert site.visits.last is None

    @pytest.mark.parametrize("mark", ["", "short", "0123456789ABCDEF", "0" * 65, "<script>0123456789"])
    async def test_what_is_no_mark_is_not_kept(self, site: Site, mark: str) -> None:
        assert await site.get(mark) == 405
        assert site.visits.find(mark) is None
