"""Ringing a phone: once, now or never."""

import asyncio

import pytest

from ami_planfix.ami.originate import Originated, OriginateRequest, Outcome, originate
from ami_planfix.demo.asterisk import Asterisk, event
from ami_planfix.errors import ActionRefused, AmiError, NotConnected, WireError
from tests.ami.conftest import PATIENCE, Diary, connected

REQUEST = OriginateRequest(
    channel="PJSIP/101",
    context="from-internal",
    exten="79101234567",
    channel_id="pbx-1",
    caller_id="79101234567",
    timeout=20,
    variables=(("A", "1"), ("__B", "x=y")),
    early_media=True,
)


def became(asterisk: Asterisk, response: str, reason: str) -> bytes:
    (sent,) = asterisk.actions("Originate")
    return event(
        "OriginateResponse",
        {
            "ActionID": sent.get("ActionID"),
            "Response": response,
            "Channel": "PJSIP/101-00000001",
            "Reason": reason,
            "Uniqueid": "pbx-1",
        },
    )


class TestTheAction:
    def test_all_is_said(self) -> None:
        assert REQUEST.headers() == [
            ("Channel", "PJSIP/101"),
            ("Context", "from-internal"),
            ("Exten", "79101234567"),
            ("Priority", "1"),
            ("Timeout", "20000"),
            ("Async", "true"),
            ("ChannelId", "pbx-1"),
            ("CallerID", "79101234567"),
            ("EarlyMedia", "true"),
            ("Variable", "A=1"),
            ("Variable", "__B=x=y"),
        ]

    def test_both_halves_of_a_local_channel_have_ids_of_ours(self) -> None:
        request = OriginateRequest("Local/101@from-internal", "c", "1", "pbx-1")
        assert ("OtherChannelId", "pbx-1-2") in request.headers()

    def test_a_function_can_be_set_like_a_variable(self) -> None:
        request = OriginateRequest("PJSIP/101", "c", "1", "i", variables=(("PJSIP_HEADER(add,Call-Info)", "<a>;b=0"),))
        assert ("Variable", "PJSIP_HEADER(add,Call-Info)=<a>;b=0") in request.headers()

    @pytest.mark.parametrize(
        ("name", "value"), [("A", "1,B=2"), ("A", '"'), ("A", "\\"), ("A,B", "1"), ("A(b", "1"), ("", "1")]
    )
    def test_a_variable_cannot_become_another(self, name: str, value: str) -> None:
        with pytest.raises(WireError):
            OriginateRequest("PJSIP/101", "c", "1", "i", variables=((name, value),)).headers()


class TestWhatBecomesOfIt:
    @pytest.mark.parametrize(
        ("response", "reason", "outcome"),
        [
            ("Success", "4", Outcome(True, 4, "pbx-1", "PJSIP/101-00000001")),
            ("Failure", "5", Outcome(False, 5, "pbx-1", "PJSIP/101-00000001")),
            ("Failure", "?", Outcome(False, 0, "pbx-1", "PJSIP/101-00000001")),
        ],
    )
    async def test_the_outcome_comes_with_its_event(
        self, asterisk: Asterisk, diary: Diary, response: str, reason: str, outcome: Outcome
    ) -> None:
        async with connected(asterisk, diary) as connection:
            originated = await originate(connection, REQUEST)
            asterisk.emit(became(asterisk, response, reason))
            assert await originated.outcome() == outcome
            assert await originated.outcome() == outcome

    async def test_a_refusal_is_raised_at_once(self, asterisk: Asterisk, diary: Diary) -> None:
        asterisk.answers["originate"] = lambda action: [
            f"Response: Error\r\nActionID: {action.get('ActionID')}\r\nMessage: Permission denied".encode()
        ]
        async with connected(asterisk, diary) as connection:
            with pytest.raises(ActionRefused, match="Permission denied"):
                await originate(connection, REQUEST)

    async def test_a_lost_connection_ends_the_waiting(self, asterisk: Asterisk, diary: Diary) -> None:
        async with connected(asterisk, diary) as connection:
            originated = await originate(connection, REQUEST)
            asterisk.cut()
            with pytest.raises(AmiError, match="not known"):
                await originated.outcome()

    async def test_nobody_need_wait_for_it(self, asterisk: Asterisk, diary: Diary) -> None:
        async with connected(asterisk, diary) as connection:
            originated: Originated | None = await originate(connection, REQUEST)
            asterisk.cut()
            await diary.until(lambda: "lost" in diary.entries)
            originated = None
        assert originated is None


class TestNowOrNever:
    async def test_without_a_connection_nothing_is_dialled_later(self, asterisk: Asterisk, diary: Diary) -> None:
        asterisk.secret = "other"
        async with connected(asterisk, diary, wait=False) as connection:
            with pytest.raises(NotConnected):
                await originate(connection, REQUEST)
            asterisk.secret = "secret"
            await diary.until(lambda: "resync" in diary.entries)
            await connection.act("Ping")
        assert asterisk.actions("Originate") == []

    async def test_what_is_not_answered_in_time_closes_the_connection_and_is_not_repeated(
        self, asterisk: Asterisk, diary: Diary
    ) -> None:
        asterisk.answers["originate"] = lambda action: []
        async with connected(asterisk, diary) as connection:
            with pytest.raises(AmiError, match="did not answer Originate"):
                await originate(connection, REQUEST, within=0.05)
            async with asyncio.timeout(PATIENCE):
                await diary.until(lambda: diary.entries.count("resync") == 2)
            await connection.act("Ping")
        assert len(asterisk.actions("Originate")) == 1
        assert asterisk.connections == 2
