"""Clicks on a real Asterisk: which phones ring, what their INVITE says, and what the client sees."""

import asyncio
from pathlib import Path

import pytest

from tests.contacts.house import House, house
from tests.daemon_process import PBX_TOKEN
from tests.lab import talk
from tests.lab.asterisk import Driver
from tests.lab.pbx import CLIENT, SHOWN
from tests.lab.sip.incoming import IncomingCall

pytestmark = pytest.mark.asterisk

ASTERISKS: list[tuple[int, Driver]] = [(22, "pjsip"), (16, "pjsip"), (16, "chan_sip")]
everywhere = pytest.mark.parametrize(("version", "driver"), ASTERISKS)
NAME = "Иванов Пётр"
OWN = "74951230009"
ALERT = "<http://127.0.0.1>;info=alert-autoanswer;delay=0"


async def click(place: House, extension: str = "101", number: str = CLIENT) -> tuple[int, str]:
    return await place.planfix.make_call(place.home.url, PBX_TOKEN, extension, number)


def auto_answer(part: IncomingCall) -> tuple[str, str, str]:
    """Tell what an INVITE says of answering by itself."""
    return part.invite["Call-Info"], part.invite["Alert-Info"], part.invite["Answer-Mode"]


async def reaches_the_client(place: House, employee: IncomingCall, number: str = CLIENT) -> str:
    """Pick up, let the client answer, talk, hang up; the number that the client saw."""
    await employee.answer()
    client = await place.lab.provider.line(number).rings()
    await client.answer()
    await talk(employee, client, 0.5)
    seen = client.caller_number
    await employee.hang_up()
    await client.ended()
    await place.lab.quiet()
    return seen


@everywhere
async def test_a_phone_is_asked_to_answer_and_shows_who_is_called(version: int, driver: Driver, tmp_path: Path) -> None:
    clicks: dict[str, dict[str, object]] = {"makecall": {"channel": "@TECH@/{extension}", "auto_answer": True}}
    async with house(version, driver, tmp_path, clicks) as place:
        place.knows(NAME)
        assert (await click(place))[0] == 200
        part = await place.lab.phones["101"].rings()
        assert (part.caller_name, part.caller_number) == (NAME, CLIENT)
        assert auto_answer(part) == ("<sip:answer>;answer-after=0", ALERT, "Auto")
        assert await reaches_the_client(place, part) == SHOWN

        for number, reason in (("+18765551234", "makecall.countries allows RU"), ("112", "no phone number")):
            status, body = await click(place, number=number)
            assert status == 400
            assert reason in body


@everywhere
async def test_several_phones_ring_together_and_the_client_sees_the_employees_number(
    version: int, driver: Driver, tmp_path: Path
) -> None:
    phones = ["@TECH@/101", "@TECH@/102", "@TECH@/106"]
    employee = {"extension": "101", "devices": phones, "click": phones, "shown": OWN}
    clicks: dict[str, dict[str, object]] = {
        "numbering": {"extensions": r"10\d", "employees": [employee]},
        "makecall": {"together": True, "auto_answer": True, "context": "ami-planfix-dial", "shown": SHOWN},
    }
    async with house(version, driver, tmp_path, clicks) as place:
        place.knows(NAME)
        assert (await click(place))[0] == 200
        desk, other = await asyncio.gather(place.lab.phones["101"].rings(), place.lab.phones["102"].rings())
        for part in (desk, other):
            assert (part.caller_name, part.caller_number) == (NAME, CLIENT)
            assert auto_answer(part) == ("<sip:answer>;answer-after=0", ALERT, "Auto")
        assert await reaches_the_client(place, other) == OWN
        assert desk.has_ended
        reports = [one for one in place.planfix.events() if one.startswith(("OUTGOING", "INCOMING"))]
        assert reports == ["OUTGOING 101"]


@everywhere
async def test_of_several_phones_the_first_that_is_free_rings(version: int, driver: Driver, tmp_path: Path) -> None:
    employee = {"extension": "101", "click": ["@TECH@/106", "@TECH@/102"]}
    clicks: dict[str, dict[str, object]] = {
        "numbering": {"extensions": r"10\d", "employees": [employee]},
        "makecall": {"context": "ami-planfix-dial", "shown": SHOWN},
    }
    async with house(version, driver, tmp_path, clicks) as place:
        assert (await click(place))[0] == 200
        part = await place.lab.phones["102"].rings()
        assert auto_answer(part) == ("", "", "")
        assert part.caller_number == CLIENT
        assert await reaches_the_client(place, part) == SHOWN


@everywhere
async def test_freepbx_rings_the_user_with_the_extension_as_caller_id(
    version: int, driver: Driver, tmp_path: Path
) -> None:
    clicks: dict[str, dict[str, object]] = {
        "numbering": {"extensions": r"1[01]\d"},
        "makecall": {
            "channel": "Local/{extension}@originate-skipvm",
            "auto_answer": True,
            "dial": {"national": "07{number}"},
        },
    }
    async with house(version, driver, tmp_path, clicks) as place:
        place.knows(NAME)
        assert (await click(place, "110"))[0] == 200
        part = await place.lab.phones["104"].rings()  # where user 110 is logged in
        assert (part.caller_name, part.caller_number) == (NAME, "110")
        assert part.invite["Alert-Info"] == ALERT
        assert await reaches_the_client(place, part) == SHOWN
        reports = [one for one in place.planfix.events() if one.startswith(("OUTGOING", "INCOMING"))]
        assert reports == ["OUTGOING 110"]
