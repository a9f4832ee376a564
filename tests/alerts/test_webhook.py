"""A webhook, to an address that really listens: what goes there, what comes back, and no secret in any word."""

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from ami_planfix.alerts.deciding import Alert
from ami_planfix.alerts.looking import Trouble
from ami_planfix.alerts.message import Message, Place, message_of
from ami_planfix.alerts.webhook import Webhook
from ami_planfix.config.alerting import Webhook as Section
from ami_planfix.errors import AlertNotSent
from tests.alerts.receiving import Hook

MESSAGE: Message = message_of(Alert(Trouble.TOKEN, 1_795_440_000.0, "401"), Place("pbx", ""), 3, "ru")
SECRETS = ("SECRET-OF-THE-BOT", "word-for-the-hook")


def webhook(hook: Hook, **more: object) -> Webhook:
    return Webhook(Section.model_validate({"url": hook.url, **more}))


async def refused(way: Webhook) -> AlertNotSent:
    with pytest.raises(AlertNotSent) as told:
        await way.send(MESSAGE)
    assert not any(secret in str(told.value) for secret in SECRETS)
    return told.value


async def test_without_a_body_all_is_told() -> None:
    async with Hook().listening() as hook:
        await webhook(hook).send(MESSAGE)
    assert hook.received == [MESSAGE.fields]


async def test_a_telegram_bot_gets_what_it_wants() -> None:
    async with Hook().listening() as hook:
        said = await webhook(hook, body={"chat_id": "-1001234567890", "text": "{text}"}).send(MESSAGE)
    (told,) = hook.received
    assert told == {"chat_id": "-1001234567890", "text": MESSAGE.fields["text"]}
    assert "Планфикс не принимает наш ключ" in told["text"]
    assert said == '127.0.0.1 answered 200 {"ok":true}'


async def test_what_it_repeats_of_a_secret_in_the_body_is_not_told() -> None:
    async with Hook(answer="no user word-for-the-hook").listening() as hook:
        said = await webhook(hook, body={"user": "word-for-the-hook", "text": "{text}"}).send(MESSAGE)
    assert said == "127.0.0.1 answered 200 no user [redacted]"


async def test_a_small_answer_does_not_unfold_into_a_large_one() -> None:
    async with Hook().listening() as hook:
        await webhook(hook).send(MESSAGE)
    assert hook.headers[0]["Accept-Encoding"] == "identity"


async def test_what_is_no_field_stays() -> None:
    async with Hook().listening() as hook:
        await webhook(hook, body={"content": "{event}: {nothing} {} {subject}"}).send(MESSAGE)
    assert hook.received == [{"content": f"began: {{nothing}} {{}} {MESSAGE.subject}"}]


async def test_the_token_goes_into_a_header_and_an_id_tells_what_was_told_twice() -> None:
    async with Hook().listening() as hook:
        await webhook(hook, token="word-for-the-hook").send(MESSAGE)
    (headers,) = hook.headers
    assert headers["Authorization"] == "Bearer word-for-the-hook"
    assert headers["Idempotency-Key"] == MESSAGE.id


@pytest.mark.parametrize("status", [302, 400, 401, 404, 429, 500])
async def test_all_but_success_is_none(status: int) -> None:
    hook = Hook(status=status, answer='{"description": "see /bot123456:SECRET-OF-THE-BOT/sendMessage"}')
    async with hook.listening():
        fault = await refused(webhook(hook, token="word-for-the-hook"))
    assert f"answered {status}" in str(fault)
    assert fault.step == "refused"


async def test_nobody_listens() -> None:
    assert "cannot be reached: Connection refused" in str(await refused(webhook(Hook())))


async def test_it_does_not_answer() -> None:
    async with Hook(held=asyncio.Event()).listening() as hook:
        assert "did not answer within 0.2 s" in str(await refused(webhook(hook, timeout=0.2)))
        assert hook.held is not None
        hook.held.set()


async def test_its_certificate_is_not_trusted(tmp_path: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    async with Hook().listening(tls) as hook:
        way = Webhook(Section.model_validate({"url": hook.url.replace("http:", "https:")}))
        assert "its certificate is not trusted" in str(await refused(way))


async def test_it_ends_the_connection() -> None:
    hook = Hook()
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", hook.port)
    async with server:
        assert "it ended the connection" in str(await refused(webhook(hook)))
