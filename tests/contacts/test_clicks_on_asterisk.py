"""Clicks on a real Asterisk: which phones ring, what their INVITE says, and what the client sees."""

import asyncio
from pathlib import Path

import pytest

from tests.cli.running import ami_planfix
from tests.contacts.house import House, house
from tests.daemon_process import PBX_TOKEN
from tests.lab import Lab, talk
from tests.lab.pbx import CLIENT, SHOWN
from tests.lab.sip.incoming import IncomingCall

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

NAME = "Иванов Пётр"
OWN, TRUNKS = "74951230009", "74951230002"
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


async def test_a_phone_is_asked_to_answer_and_shows_who_is_called(lab: Lab, tmp_path: Path) -> None:
    clicks: dict[str, dict[str, object]] = {"makecall": {"channel": "@TECH@/{extension}", "auto_answer": True}}
    async with house(lab, tmp_path, clicks) as place:
        place.knows(NAME)
        assert (await click(place))[0] == 200
        part = await lab.phones["101"].rings()
        assert (part.caller_name, part.caller_number) == (NAME, CLIENT)
        assert auto_answer(part) == ("<sip:answer>;answer-after=0", ALERT, "Auto")
        assert await reaches_the_client(place, part) == SHOWN
        callids = {
            cmd: {one.fields.get("callid") for one in place.planfix.received if one.fields["cmd"] == cmd}
            for cmd in ("contact", "event")
        }
        assert callids["contact"] == callids["event"]

        for number, reason in (("+18765551234", "makecall.countries allows RU"), ("112", "no phone number")):
            status, body = await click(place, number=number)
            assert status == 400
            assert reason in body


async def test_several_phones_ring_together_and_the_client_sees_the_employees_number(lab: Lab, tmp_path: Path) -> None:
    phones = ["@TECH@/101", "@TECH@/102", "@TECH@/106"]
    employee = {"extension": "101", "devices": phones, "click": phones, "shown": OWN}
    clicks: dict[str, dict[str, object]] = {
        "numbering": {"extensions": r"10\d", "employees": [employee]},
        "makecall": {"together": True, "auto_answer": True, "context": "ami-planfix-dial", "shown": SHOWN},
    }
    async with house(lab, tmp_path, clicks) as place:
        place.knows(NAME)
        assert (await click(place))[0] == 200
        desk, other = await asyncio.gather(lab.phones["101"].rings(), lab.phones["102"].rings())
        for part in (desk, other):
            assert (part.caller_name, part.caller_number) == (NAME, CLIENT)
            assert auto_answer(part) == ("<sip:answer>;answer-after=0", ALERT, "Auto")
        assert await reaches_the_client(place, other) == OWN
        assert desk.has_ended
        reports = [one for one in place.planfix.events() if one.startswith(("OUTGOING", "INCOMING"))]
        assert reports == ["OUTGOING 101"]


async def test_of_several_phones_the_first_that_is_free_rings(lab: Lab, tmp_path: Path) -> None:
    employee = {"extension": "101", "click": ["@TECH@/106", "@TECH@/102"]}
    clicks: dict[str, dict[str, object]] = {
        "numbering": {"extensions": r"10\d", "employees": [employee]},
        "makecall": {"context": "ami-planfix-dial", "shown": SHOWN},
    }
    async with house(lab, tmp_path, clicks) as place:
        assert (await click(place))[0] == 200
        part = await lab.phones["102"].rings()
        assert auto_answer(part) == ("", "", "")
        assert part.caller_number == CLIENT
        assert await reaches_the_client(place, part) == SHOWN


async def test_the_client_sees_the_employees_number_or_the_trunks(lab: Lab, tmp_path: Path) -> None:
    clicks: dict[str, dict[str, object]] = {
        "numbering": {"extensions": r"10\d", "employees": [{"extension": "101", "shown": OWN}]},
        "makecall": {"channel": "@TECH@/{extension}", "context": "trunk-shows"},
    }
    async with house(lab, tmp_path, clicks) as place:
        for extension, seen in (("101", OWN), ("102", TRUNKS)):
            assert (await click(place, extension))[0] == 200
            assert await reaches_the_client(place, await lab.phones[extension].rings()) == seen
        began = [one.fields for one in place.planfix.received if one.event.startswith("OUTGOING")]
        assert [one["diversion"] for one in began] == [OWN, TRUNKS]


async def test_what_became_of_a_click_is_told(lab: Lab, tmp_path: Path) -> None:
    phones = ["@TECH@/101", "@TECH@/102"]
    clicks: dict[str, dict[str, object]] = {
        "numbering": {"extensions": r"10\d", "employees": [{"extension": "101", "click": phones}]},
        "makecall": {"channel": "@TECH@/{extension}", "together": True},
    }
    async with house(lab, tmp_path, clicks) as place:
        phones_of_101 = lab.phones["101"], lab.phones["102"]
        assert (await click(place))[0] == 200
        for part in await asyncio.gather(*(phone.rings() for phone in phones_of_101)):
            part.refuse(486)
        told = await outcome(place, "101")
        assert "not picked up" in told
        assert "101 did not pick up (cause 17), so nobody else was called (rule 17)" in told

        assert (await click(place, "106"))[0] == 200  # never registered: there is no channel of which AMI could tell
        told = await outcome(place, "106")
        assert f"{lab.device('106')}, to call {CLIENT}: not picked up: declined or busy, or not reg" in told

        assert (await click(place, "103"))[0] == 200
        await reaches_the_client(place, await lab.phones["103"].rings())
        told = await outcome(place, "103", "OriginateResponse")
        assert f"to call {CLIENT}: picked up" in told


async def outcome(place: House, extension: str, said: str = "not picked up") -> str:
    """Ask as an administrator does what became of a click, once that is on disk."""
    line = await place.process.logged("click dialled", extension=extension)
    async with asyncio.timeout(20):
        while True:
            told = await asyncio.to_thread(ami_planfix, "explain", line["call"], "-c", place.home.config_file)
            if said in told.out:
                return told.out


async def test_freepbx_rings_the_user_with_the_extension_as_caller_id(lab: Lab, tmp_path: Path) -> None:
    clicks: dict[str, dict[str, object]] = {
        "numbering": {"extensions": r"1[01]\d", "employees": [{"extension": "110", "shown": OWN}]},
        "makecall": {
            "channel": "Local/{extension}@originate-skipvm",
            "auto_answer": True,
            "dial": {"national": "07{number}"},
        },
    }
    async with house(lab, tmp_path, clicks) as place:
        place.knows(NAME)
        assert (await click(place, "110"))[0] == 200
        part = await lab.phones["104"].rings()  # where user 110 is logged in
        assert (part.caller_name, part.caller_number) == (NAME, "110")
        assert part.invite["Alert-Info"] == ALERT
        assert await reaches_the_client(place, part) == OWN
        reports = [one for one in place.planfix.events() if one.startswith(("OUTGOING", "INCOMING"))]
        assert reports == ["OUTGOING 110"]
