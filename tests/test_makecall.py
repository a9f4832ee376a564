"""A click rings the employee and dials the client; a stolen token dials nothing else."""

import asyncio
import re
from collections.abc import Iterable

import pytest
import structlog

from ami_planfix.ami.wire import Message, parse
from ami_planfix.config.model import Config, Dial
from ami_planfix.config.model import MakeCall as Settings
from ami_planfix.errors import ClickRefused, NotConnected, TooManyClicks
from ami_planfix.makecall import MINUTE, REPEAT, MakeCall, read_click
from ami_planfix.numbering import Numbering

NUMBERING = Numbering(Config.model_validate({"numbering": {"extensions": r"10\d", "area_code": "495"}}))


DEFAULTS = Settings()


class Clock:
    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


class Asterisk:
    """Takes actions, or raises; `held` keeps it thinking until it is set."""

    def __init__(self) -> None:
        self.rings: list[dict[str, str]] = []
        self.variables: list[list[str]] = []
        self.states: dict[str, str] = {}
        self.fault: Exception | None = None
        self.held: asyncio.Event | None = None
        self.responses: list[asyncio.Future[Message]] = []

    async def act(
        self,
        action: str,
        headers: Iterable[tuple[str, str]] = (),
        *,
        within: float = 5.0,
        or_hang_up: bool = False,
    ) -> Message:
        if action == "Ping":
            return parse(b"Response: Success\r\nPing: Pong")
        if action == "Getvar":
            device = dict(headers)["Variable"].removeprefix("DEVICE_STATE(").removesuffix(")")
            return parse(f"Response: Success\r\nValue: {self.states[device]}".encode())
        assert action == "Originate"
        assert or_hang_up, "without an answer it must not be dialled later"
        headers = list(headers)
        self.rings.append({name: value for name, value in headers if name != "Variable"})
        self.variables.append([value for name, value in headers if name == "Variable"])
        if self.held:
            await self.held.wait()
        if self.fault:
            raise self.fault
        return parse(b"Response: Success\r\nMessage: Originate successfully queued")

    def expect(self, ident: str) -> "asyncio.Future[Message]":
        self.responses.append(asyncio.get_running_loop().create_future())
        return self.responses[-1]


async def nobody_knows(number: str, callid: str) -> str:
    return ""


def makecall(asterisk: Asterisk, clock: Clock, settings: Settings = DEFAULTS) -> MakeCall:
    return MakeCall(Config(makecall=settings), NUMBERING, asterisk, nobody_knows, clock)


class TestWhatMayBeDialled:
    @pytest.mark.parametrize(
        "to", ["79101234567", "+79101234567", "89101234567", "9101234567", "1234567", "+74951234567"]
    )
    def test_a_number_of_an_allowed_country_however_written(self, to: str) -> None:
        click = read_click("101", to, NUMBERING, Settings(), "RU")
        assert click.extension == "101"
        assert re.fullmatch(r"7\d{10}", click.number)
        assert click.exten == click.number

    @pytest.mark.parametrize(
        "sender",
        ["", "200", "101\r\nApplication: System", "101&PJSIP/102", "101/n", "101,1", "../101", "１０１", "101 "],
    )
    def test_from_must_be_an_extension_of_the_pbx(self, sender: str) -> None:
        with pytest.raises(ClickRefused, match=r"^from: "):
            read_click(sender, "79101234567", NUMBERING, Settings(), "RU")

    def test_once_the_pbx_has_told_its_phones_from_must_be_one_of_them(self) -> None:
        numbering = Numbering(Config.model_validate({"numbering": {"employees": [{"extension": "300"}]}}))
        read_click("112", "79101234567", numbering, Settings(), "RU")
        numbering.learn([("PJSIP/101", None), ("PJSIP/abc", "102"), ("PJSIP/provider", None)])
        for known in ("101", "102", "300"):
            assert read_click(known, "79101234567", numbering, Settings(), "RU").extension == known
        with pytest.raises(ClickRefused, match=r"^from: "):
            read_click("112", "79101234567", numbering, Settings(), "RU")

    @pytest.mark.parametrize(
        "to",
        [
            "",
            "79101234567\r\nVariable: A=1",
            "79101234567\n",
            "79101234567&PJSIP/102",
            "79101234567@other-context",
            "79101234567,1,System(id)",
            "${SHELL(id)}",
            "*97",
            "#1",
            "++79101234567",
            "7 910 123-45-67",
            "７９１０１２３４５６７",
            "7" * 40,
            "112",
            "900",
        ],
    )
    def test_to_must_be_a_phone_number_and_nothing_else(self, to: str) -> None:
        with pytest.raises(ClickRefused, match=r"^to: "):
            read_click("101", to, NUMBERING, Settings(), "RU")

    def test_a_colleague_is_no_client(self) -> None:
        with pytest.raises(ClickRefused, match="an extension of this PBX"):
            read_click("101", "102", NUMBERING, Settings(), "RU")

    @pytest.mark.parametrize(
        ("to", "country"),
        [
            ("+375291234567", "BY"),
            ("+77012345678", "KZ"),
            ("810375291234567", "BY"),
            ("+18765551234", "JM"),
            ("+8821612345678", "no country"),
            ("+979123456789", "no country"),
        ],
    )
    def test_a_country_that_is_not_allowed_is_named(self, to: str, country: str) -> None:
        with pytest.raises(ClickRefused, match=f"^to: a number in {country}; makecall.countries allows RU$"):
            read_click("101", to, NUMBERING, Settings(), "RU")

    @pytest.mark.parametrize("to", ["88091234567", "+78031234567"])
    def test_a_premium_rate_number_is_not_dialled_for_a_stolen_token(self, to: str) -> None:
        with pytest.raises(ClickRefused, match=r"^to: a premium-rate number"):
            read_click("101", to, NUMBERING, Settings(), "RU")

    def test_other_countries_can_be_allowed(self) -> None:
        click = read_click("101", "+375291234567", NUMBERING, Settings(countries=("RU", "BY")), "RU")
        assert (click.number, click.exten) == ("375291234567", "375291234567")


class TestHowItIsDialled:
    SETTINGS = Settings(dial=Dial(national="8{number}", international="810{number}"), countries=("RU", "KZ", "BY"))

    @pytest.mark.parametrize(
        ("to", "exten"),
        [
            ("79101234567", "89101234567"),
            ("+77012345678", "87012345678"),
            ("+375291234567", "810375291234567"),
        ],
    )
    def test_prefixes_of_the_dialplan(self, to: str, exten: str) -> None:
        assert read_click("101", to, NUMBERING, self.SETTINGS, "RU").exten == exten

    async def test_what_asterisk_is_asked(self) -> None:
        asterisk = Asterisk()
        settings = Settings(channel="Local/{extension}@phones", context="outbound", timeout=20)
        channel_id = await makecall(asterisk, Clock(), settings).click("101", "+79101234567")
        (ring,) = asterisk.rings
        assert ring.pop("ActionID")
        assert ring == {
            "Channel": "Local/101@phones",
            "Context": "outbound",
            "Exten": "79101234567",
            "Priority": "1",
            "Timeout": "20000",
            "Async": "true",
            "ChannelId": channel_id,
            "OtherChannelId": f"{channel_id}-2",
            "CallerID": '"79101234567" <79101234567>',
        }
        assert re.fullmatch(r"planfix-\d+-[0-9a-f]{8}", channel_id)


class TestWhichPhoneRings:
    @staticmethod
    async def clicked(asterisk: Asterisk, name: str = "", **sections: object) -> tuple[dict[str, str], list[str]]:
        async def name_of(number: str, callid: str) -> str:
            assert number == "79101234567"
            assert callid.startswith("planfix-")
            return name

        config = Config.model_validate({"numbering": {"extensions": r"10\d"}, **sections})
        await MakeCall(config, NUMBERING, asterisk, name_of).click("101", "79101234567")
        return asterisk.rings[0], asterisk.variables[0]

    @staticmethod
    def phones(**more: object) -> dict[str, object]:
        return {"employees": [{"extension": "101", "click": ["PJSIP/101", "PJSIP/101-home", "SIP/101"], **more}]}

    @pytest.mark.parametrize(
        ("states", "rung"),
        [
            (("NOT_INUSE", "NOT_INUSE", "NOT_INUSE"), "PJSIP/101"),
            (("UNAVAILABLE", "NOT_INUSE", "NOT_INUSE"), "PJSIP/101-home"),
            (("INUSE", "UNAVAILABLE", "NOT_INUSE"), "SIP/101"),
            (("UNAVAILABLE", "INUSE", "INVALID"), "PJSIP/101-home"),
            (("UNAVAILABLE", "UNAVAILABLE", "INVALID"), "PJSIP/101"),
        ],
    )
    async def test_of_several_the_first_that_is_free(self, states: tuple[str, str, str], rung: str) -> None:
        asterisk = Asterisk()
        asterisk.states = dict(zip(("PJSIP/101", "PJSIP/101-home", "SIP/101"), states, strict=True))
        ring, _ = await self.clicked(asterisk, numbering=self.phones())
        assert ring["Channel"] == rung

    async def test_or_all_of_them_through_our_dialplan(self) -> None:
        ring, variables = await self.clicked(
            Asterisk(), numbering=self.phones(), makecall={"together": True, "timeout": 20, "auto_answer": True}
        )
        assert ring["Channel"] == "Local/101@ami-planfix-click/n"
        assert variables == [
            "PLANFIX_PHONES=PJSIP/101&PJSIP/101-home&SIP/101",
            "PLANFIX_SECONDS=20",
            "__ALERT_INFO=<http://127.0.0.1>;info=alert-autoanswer;delay=0",
            "PLANFIX_AUTO_ANSWER=1",
        ]

    async def test_only_where_it_is_wanted_is_a_phone_asked_to_answer(self) -> None:
        _, variables = await self.clicked(Asterisk())
        assert variables == []
        _, variables = await self.clicked(Asterisk(), makecall={"auto_answer": True})
        assert variables == [
            "PJSIP_HEADER(add,Call-Info)=<sip:answer>;answer-after=0",
            "PJSIP_HEADER(add,Alert-Info)=<http://127.0.0.1>;info=alert-autoanswer;delay=0",
            "PJSIP_HEADER(add,Answer-Mode)=Auto",
        ]
        _, variables = await self.clicked(Asterisk(), makecall={"auto_answer": True, "channel": "SIP/{extension}"})
        assert variables[0] == "SIPADDHEADER01=Call-Info: <sip:answer>;answer-after=0"
        _, variables = await self.clicked(Asterisk(), makecall={"auto_answer": True, "channel": "SCCP/{extension}"})
        assert variables == []

    async def test_the_display_shows_the_clients_name_and_number(self) -> None:
        ring, _ = await self.clicked(Asterisk(), "Иванов Пётр")
        assert ring["CallerID"] == '"Иванов Пётр" <79101234567>'

    @pytest.mark.parametrize(
        ("caller_id", "channel", "number"),
        [
            ("auto", "Local/{extension}@originate-skipvm", "101"),
            ("auto", "PJSIP/{extension}", "79101234567"),
            ("client", "Local/{extension}@originate-skipvm", "79101234567"),
            ("extension", "PJSIP/{extension}", "101"),
        ],
    )
    async def test_freepbx_needs_the_extension_as_the_callers_number(
        self, caller_id: str, channel: str, number: str
    ) -> None:
        ring, _ = await self.clicked(Asterisk(), makecall={"caller_id": caller_id, "channel": channel})
        assert ring["CallerID"] == f'"79101234567" <{number}>'

    async def test_the_client_sees_the_employees_number_or_the_companys(self) -> None:
        _, variables = await self.clicked(Asterisk(), makecall={"shown": "+7 495 123-00-00"})
        assert variables == ["PLANFIX_SHOWN=74951230000"]
        own = {"employees": [{"extension": "101", "shown": "84951230001"}]}
        _, variables = await self.clicked(Asterisk(), numbering=own, makecall={"shown": "+7 495 123-00-00"})
        assert variables == ["PLANFIX_SHOWN=74951230001"]


class TestWhatBecomesOfIt:
    @pytest.mark.parametrize(
        ("response", "said"),
        [
            (b"Event: OriginateResponse\r\nResponse: Success\r\nReason: 4", []),
            (b"Event: OriginateResponse\r\nResponse: Failure\r\nReason: 3", ["click not picked up"]),
            (b"Event: OriginateResponse\r\nResponse: Failure\r\nReason: 99", ["click not picked up"]),
            (None, ["click outcome unknown"]),
        ],
    )
    async def test_a_phone_that_nobody_picks_up_is_logged(self, response: bytes | None, said: list[str]) -> None:
        asterisk = Asterisk()
        calls = makecall(asterisk, Clock())
        await calls.click("101", "79101234567")
        with structlog.testing.capture_logs() as lines:
            if response is None:
                asterisk.responses[0].set_exception(NotConnected("lost"))
            else:
                asterisk.responses[0].set_result(parse(response))
            for _ in range(3):
                await asyncio.sleep(0)
        assert [line["event"] for line in lines] == said
        await calls.close()


class TestRepeats:
    async def test_the_same_click_within_seconds_is_the_same_call(self) -> None:
        asterisk, clock = Asterisk(), Clock()
        calls = makecall(asterisk, clock)
        first = await calls.click("101", "79101234567")
        clock.now += REPEAT - 0.1
        assert await calls.click("101", "+79101234567") == first
        assert len(asterisk.rings) == 1

    async def test_after_that_it_is_a_call_of_its_own(self) -> None:
        asterisk, clock = Asterisk(), Clock()
        calls = makecall(asterisk, clock)
        first = await calls.click("101", "79101234567")
        clock.now += REPEAT
        assert await calls.click("101", "79101234567") != first
        assert len(asterisk.rings) == 2

    async def test_another_employee_or_number_is_another_call(self) -> None:
        asterisk = Asterisk()
        calls = makecall(asterisk, Clock())
        for sender, to in (("101", "79101234567"), ("102", "79101234567"), ("101", "79101234568")):
            await calls.click(sender, to)
        assert len(asterisk.rings) == 3

    async def test_simultaneous_ones_wait_for_the_same_answer(self) -> None:
        asterisk = Asterisk()
        asterisk.held = asyncio.Event()
        calls = makecall(asterisk, Clock())
        waiting = [asyncio.create_task(calls.click("101", "79101234567")) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()  # the client that went away takes nobody's call with it
        asterisk.held.set()
        assert await waiting[1] == await waiting[2]
        assert len(asterisk.rings) == 1

    async def test_one_that_failed_may_be_tried_again_at_once(self) -> None:
        asterisk = Asterisk()
        calls = makecall(asterisk, Clock())
        asterisk.fault = NotConnected("no connection to Asterisk")
        with pytest.raises(NotConnected):
            await calls.click("101", "79101234567")
        asterisk.fault = None
        await calls.click("101", "79101234567")
        assert len(asterisk.rings) == 2


class TestLimit:
    async def test_no_more_than_so_many_a_minute_of_all_together(self) -> None:
        asterisk, clock = Asterisk(), Clock()
        calls = makecall(asterisk, clock, Settings(per_minute=2))
        await calls.click("101", "79101234561")
        await calls.click("102", "79101234562")
        with pytest.raises(TooManyClicks, match=r"more than 2 calls a minute \(makecall.per_minute\)"):
            await calls.click("103", "79101234563")
        clock.now += MINUTE
        await calls.click("103", "79101234563")
        assert len(asterisk.rings) == 3

    async def test_repeats_and_refused_clicks_do_not_count(self) -> None:
        asterisk, clock = Asterisk(), Clock()
        calls = makecall(asterisk, clock, Settings(per_minute=2))
        for _ in range(5):
            await calls.click("101", "79101234561")
            with pytest.raises(ClickRefused):
                await calls.click("101", "112")
        await calls.click("101", "79101234562")
        assert len(asterisk.rings) == 2
