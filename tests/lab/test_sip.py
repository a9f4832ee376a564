"""The lab's own SIP agent, phone against phone, without an Asterisk."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.lab.pbx import talk
from tests.lab.sip.call import RefusedError
from tests.lab.sip.codecs import PCMA, PCMU, decode, loudness, tone
from tests.lab.sip.digest import authorization
from tests.lab.sip.line import Phone
from tests.lab.sip.messages import Session, parse, parse_session
from tests.lab.waiting import NotInTimeError


@pytest.fixture
async def phones() -> AsyncIterator[tuple[Phone, Phone]]:
    one, other = Phone("127.0.0.1", "101", 400, "", "Ivanov"), Phone("127.0.0.1", "102", 500, "", "Petrov")
    await one.agent.open()
    await other.agent.open()
    one.agent.server, other.agent.server = other.agent.address, one.agent.address
    yield one, other
    one.agent.close()
    other.agent.close()
    assert not one.agent.failures + other.agent.failures


@pytest.mark.parametrize("payload", [PCMU, PCMA])
def test_a_tone_is_recognised_and_no_other(payload: int) -> None:
    samples = decode(payload, tone(payload, 440)[:800])
    assert loudness(samples, 440) > 0.9
    assert loudness(samples, 600) < 0.1
    assert loudness(decode(payload, tone(payload, 0)), 440) == 0


def test_digest_is_that_of_the_rfc() -> None:
    challenge = 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc"'
    answer = authorization(challenge, "GET", "/dir/index.html", "Mufasa", "Circle Of Life")
    assert 'response="670fd8c2df070c60b045671b8b24ff02"' in answer
    assert 'opaque="5ccc"' in answer


def test_a_session_description_survives_writing_and_reading() -> None:
    session = Session("127.0.0.1", 4000, (PCMA,), 96, "sendonly")
    assert parse_session(session.encode()) == session
    assert parse_session("v=0\r\n") is None


def test_a_message_survives_writing_and_reading() -> None:
    wire = b"INVITE sip:101@h SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\nVia: b\r\nContent-Length: 2\r\n\r\nhi"
    message = parse(wire)
    assert (message.method, message.request_uri, message.branch) == ("INVITE", "sip:101@h", "z9hG4bKx")
    assert (message.all("via")[1], message.body) == ("b", "hi")


async def test_two_phones_talk_hold_and_hang_up(phones: tuple[Phone, Phone]) -> None:
    one, other = phones
    call = await one.dial("102")
    part = await other.rings()
    await call.ringing()
    assert (part.caller_number, part.caller_name) == ("101", "Ivanov")
    await part.answer()
    await call.answered()
    await talk(call, part, 0)
    await call.hold()
    held = [part.held_by_far_end]
    await call.unhold()
    assert [*held, part.held_by_far_end] == [True, False]
    await part.hang_up()
    await call.ended()


async def test_a_call_given_up_stops_the_ringing(phones: tuple[Phone, Phone]) -> None:
    one, other = phones
    call = await one.dial("102")
    part = await other.rings()
    await call.ringing()
    await call.hang_up()
    await part.ended()
    assert call.status == 487


async def test_a_refused_call_tells_its_status(phones: tuple[Phone, Phone]) -> None:
    one, other = phones
    call = await one.dial("102")
    (await other.incoming()).refuse(486)
    assert await call.refused() == 486
    with pytest.raises(RefusedError, match="ended before it was answered"):
        await call.answered()


async def test_a_behaviour_is_given_each_call(phones: tuple[Phone, Phone]) -> None:
    one, other = phones
    other.behaviour = lambda part: part.answer()
    call = await one.dial("102")
    await call.answered()
    await call.hang_up()
    assert other.is_quiet()


async def test_waiting_in_vain_tells_what_for(phones: tuple[Phone, Phone]) -> None:
    with pytest.raises(NotInTimeError, match=r"waited 0\.05 s in vain for: a call for 101"):
        await phones[0].incoming(0.05)


async def test_keys_are_heard_as_events(phones: tuple[Phone, Phone]) -> None:
    one, other = phones
    call = await one.dial("102")
    part = await other.rings()
    await part.answer()
    await call.answered()
    await asyncio.gather(call.press("1#"), talk(call, part, 0))
    assert part.media.pressed == "1#"
    await call.hang_up()
