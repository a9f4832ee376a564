import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import trustme

from ami_planfix.calls.reports import Extension, Stage
from ami_planfix.demo import planfix as embedded
from ami_planfix.demo.planfix import EmbeddedPlanfix, Fault
from ami_planfix.errors import PlanfixUnreachable, ReportRefused, TokenRefused
from ami_planfix.planfix.account import Credentials
from ami_planfix.planfix.api import LONGEST_PAUSE, MOST_BYTES, PlanfixApi
from ami_planfix.planfix.messages import Contact, Ping
from tests.making import report

NOW = 1_700_000_000.0


@pytest.fixture
async def planfix() -> AsyncIterator[EmbeddedPlanfix]:
    async with EmbeddedPlanfix() as server:
        yield server


@pytest.fixture
async def api(planfix: EmbeddedPlanfix) -> AsyncIterator[PlanfixApi]:
    api = PlanfixApi(lambda: Credentials(planfix.url, planfix.token), timeout=5, clock=lambda: NOW)
    yield api
    await api.close()


async def failure(api: PlanfixApi) -> PlanfixUnreachable:
    with pytest.raises(PlanfixUnreachable) as caught:
        await api.event(report())
    return caught.value


async def test_a_report_arrives_with_our_token_as_a_form_in_utf8(planfix: EmbeddedPlanfix, api: PlanfixApi) -> None:
    await api.event(report(Stage.COMPLETED, data=(("name", "Ёлка & co=1"),)))
    fields = dict(planfix.taken[0].fields)
    assert fields.pop("planfix_token") == planfix.token
    assert fields["event"] == "COMPLETED"
    assert fields["data_name"] == "Ёлка & co=1"


async def test_text_that_is_no_unicode_does_not_stop_a_report(planfix: EmbeddedPlanfix, api: PlanfixApi) -> None:
    await api.event(report(Stage.COMPLETED, data=(("name", "a\udcff"),)))
    assert planfix.taken[0].fields["data_name"] == "a?"


async def test_all_other_commands_are_answered(planfix: EmbeddedPlanfix, api: PlanfixApi) -> None:
    planfix.pbx_token, planfix.pbx_url = "ours", "https://pbx/planfix"
    planfix.contacts["79101234567"] = Contact("Ёлка", Extension("103"))
    assert await api.ping() == Ping("ours", "https://pbx/planfix")
    assert await api.contact("79101234567", "1.1") == Contact("Ёлка", Extension("103"))
    assert await api.contact("74950000000") == Contact("", None)
    await api.record("1.1", "https://pbx/r")
    assert planfix.taken[-1].fields["record_link"] == "https://pbx/r"


async def test_one_connection_serves_all_requests(planfix: EmbeddedPlanfix, api: PlanfixApi) -> None:
    for _ in range(3):
        await api.event(report())
    assert len({one.peer for one in planfix.received}) == 1


async def test_400_is_a_refusal_with_planfix_words_in_one_line(planfix: EmbeddedPlanfix, api: PlanfixApi) -> None:
    planfix.faults.append(embedded.refuse("no such\r\next"))
    with pytest.raises(ReportRefused, match=r"^Planfix at 127\.0\.0\.1 refused it: 400 no such ext$"):
        await api.event(report())


async def test_401_is_about_our_token(planfix: EmbeddedPlanfix, api: PlanfixApi) -> None:
    planfix.token = "another"
    api = PlanfixApi(lambda: Credentials(planfix.url, "wrong"))
    with pytest.raises(TokenRefused, match=r"compare planfix\.token"):
        await api.ping()
    await api.close()


async def test_a_token_that_planfix_repeats_is_not_repeated_by_us(planfix: EmbeddedPlanfix, api: PlanfixApi) -> None:
    planfix.faults.append(embedded.refuse(f"bad token {planfix.token}"))
    with pytest.raises(ReportRefused) as caught:
        await api.event(report())
    assert planfix.token not in str(caught.value)
    assert "bad token [token]" in str(caught.value)


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("99999999999999", LONGEST_PAUSE),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("²", None),
        (format_datetime(datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=30), usegmt=True), 30.0),
        (format_datetime(datetime.fromtimestamp(NOW, UTC) - timedelta(days=3), usegmt=True), 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_PAUSE),
    ],
)
async def test_429_and_503_may_ask_for_a_pause(
    planfix: EmbeddedPlanfix, api: PlanfixApi, header: str, pause: float | None
) -> None:
    planfix.faults.append(embedded.too_many(header))
    planfix.faults.append(Fault(503, headers={"Retry-After": header}))
    assert (await failure(api)).retry_after == pause
    assert (await failure(api)).retry_after == pause


@pytest.mark.parametrize("status", [404, 403, 500, 502, 504, 204])
async def test_any_other_status_is_worth_another_attempt(
    planfix: EmbeddedPlanfix, api: PlanfixApi, status: int
) -> None:
    planfix.faults.append(embedded.broken(status))
    assert f"answered {status}" in str(await failure(api))


async def test_a_redirect_is_not_followed_with_our_token(planfix: EmbeddedPlanfix, api: PlanfixApi) -> None:
    planfix.faults.append(Fault(307, headers={"Location": planfix.url}))
    assert "answered 307" in str(await failure(api))
    assert len(planfix.received) == 1


async def test_200_is_taken_whatever_the_body_says(planfix: EmbeddedPlanfix, api: PlanfixApi) -> None:
    planfix.faults.append(embedded.garbage(10 * MOST_BYTES))
    await api.event(report())
    planfix.faults.append(embedded.garbage(10 * MOST_BYTES))
    with pytest.raises(PlanfixUnreachable, match="no JSON object"):
        await api.contact("79101234567")
    planfix.faults.append(embedded.garbage(10))
    assert await api.ping() == Ping("", "")


async def test_a_body_that_unfolds_is_not_unfolded(planfix: EmbeddedPlanfix, api: PlanfixApi) -> None:
    planfix.faults.append(Fault(400, b"\x1f\x8b\x08", headers={"Content-Encoding": "gzip"}))
    with pytest.raises(ReportRefused):
        await api.event(report())


async def test_no_answer_in_time_is_a_time_out(planfix: EmbeddedPlanfix) -> None:
    api = PlanfixApi(lambda: Credentials(planfix.url, planfix.token), timeout=0.05)
    planfix.faults.append(embedded.hang())
    assert "did not answer within 0.05 s" in str(await failure(api))
    await api.close()


@asynccontextmanager
async def answering(answer: bytes, then_end: bool) -> AsyncIterator[str]:
    """Serve one answer of bytes to every request; give the address."""
    tasks: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            if not then_end:
                await reader.read()
        writer.transport.abort()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.create_task(serve(reader, writer)))

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        await asyncio.gather(*tasks)


async def test_a_body_that_never_ends_does_not_take_back_its_200() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
    async with answering(answer, then_end=False) as url:
        api = PlanfixApi(lambda: Credentials(url, "t"), timeout=0.05)
        await api.event(report())
        await api.close()


@pytest.mark.parametrize("answer", [b"", b"what?\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 50_000])
async def test_what_speaks_no_http_is_worth_another_attempt(answer: bytes) -> None:
    async with answering(answer, then_end=True) as url:
        api = PlanfixApi(lambda: Credentials(url, "t"), timeout=5)
        assert "cannot be reached" in str(await failure(api))
        await api.close()


async def test_what_speaks_no_http_is_not_quoted_with_our_token_in_it() -> None:
    async with answering(b"I know the-token-of-ours well\r\n\r\n", then_end=True) as url:
        api = PlanfixApi(lambda: Credentials(url, "the-token-of-ours"), timeout=5)
        assert str(await failure(api)) == "Planfix at 127.0.0.1 cannot be reached: what it answers is no HTTP"
        await api.close()


@pytest.mark.parametrize("words", ['"bad \\u0074he-token-of-ours"', '"' + "x" * 190 + ' the-token-of-ours"'])
async def test_however_planfix_repeats_a_token_it_is_not_repeated_by_us(planfix: EmbeddedPlanfix, words: str) -> None:
    api = PlanfixApi(lambda: Credentials(planfix.url, "the-token-of-ours"), timeout=5)
    planfix.faults.append(Fault(400, b'{"error": %s}' % words.encode()))
    with pytest.raises(ReportRefused) as caught:
        await api.event(report())
    await api.close()
    assert "the-token" not in str(caught.value)


async def test_an_idle_connection_that_the_server_ended_is_no_failure(
    planfix: EmbeddedPlanfix, api: PlanfixApi
) -> None:
    planfix.faults.append(embedded.cut())
    await api.event(report())
    assert [one.taken for one in planfix.received] == [False, True]


async def test_nobody_at_the_address_says_so(planfix: EmbeddedPlanfix, api: PlanfixApi) -> None:
    await planfix.stop()
    assert str(await failure(api)) == "Planfix at 127.0.0.1 cannot be reached: Connection refused"


async def test_without_an_account_nothing_is_sent() -> None:
    api = PlanfixApi(lambda: None)
    assert "not set up" in str(await failure(api))


async def test_a_certificate_of_nobody_known_is_not_trusted() -> None:
    certificate = trustme.CA().issue_cert("127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)

    async def never(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        raise AssertionError("a request came through")

    async with await asyncio.start_server(never, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        api = PlanfixApi(lambda: Credentials(f"https://127.0.0.1:{port}/", "t"))
        assert "certificate is not trusted" in str(await failure(api))
        await api.close()
