"""One question, one answer: the name for the screen, the manager, and whether to ring that phone."""

import pytest

from ami_planfix.config.model import Config
from ami_planfix.contacts.answer import Answer, Contacts, Question
from ami_planfix.contacts.lookup import Lookup
from ami_planfix.numbering import Numbering
from tests.contacts.making import Hints, Planfix, contact

PHONE = "79101234567"
CONFIG: dict[str, object] = {
    "ami": {"name": "spb"},
    "numbering": {"extensions": r"10\d", "employees": [{"extension": "101", "mobiles": ["+79261110101"]}]},
    "dids": [
        {"number": "74951230001", "prefix": "Sales:"},
        {"number": "74951230002", "to_manager": False},
    ],
}


class House:
    """Planfix and Asterisk, and the answers that come of them."""

    def __init__(self, **contacts: object) -> None:
        config = Config.model_validate(CONFIG | {"contacts": contacts})
        self.planfix, self.hints, self.numbering = Planfix(), Hints(), Numbering(config)
        self.hints.states["103"] = (0, "PJSIP/103")
        self._contacts = Contacts(config, self.numbering, Lookup(self.planfix), self.hints)

    async def answer(self, phone: str = PHONE, did: str = "", callid: str = "") -> Answer:
        return await self._contacts.answer(Question(phone, did, callid))


async def test_a_known_client_with_a_manager_who_is_free() -> None:
    house = House()
    assert await house.answer("8 (910) 123-45-67", callid="1700000000.1") == Answer("Иванов Пётр", "103", True, "")
    assert house.planfix.asked == [(PHONE, "spb-1700000000.1")]


async def test_a_manager_who_is_busy_is_named_with_the_reason() -> None:
    house = House()
    house.hints.states["103"] = (1, "PJSIP/103")
    assert await house.answer() == Answer("Иванов Пётр", "103", False, "103 is in use")


async def test_a_client_without_a_manager_still_has_a_name() -> None:
    house = House()
    house.planfix.contacts[PHONE] = contact(responsible="")
    assert await house.answer() == Answer("Иванов Пётр", "", False, "the contact has no manager")
    assert house.hints.asked == []


@pytest.mark.parametrize(
    ("phone", "reason"),
    [
        ("anonymous", "the number is hidden"),
        ("", "the number is hidden"),
        ("102", "a colleague calls"),
        ("7" * 65, "that is no telephone number"),
    ],
)
async def test_who_is_no_client_is_not_asked_for(phone: str, reason: str) -> None:
    house = House()
    assert await house.answer(phone) == Answer(reason=reason)
    assert house.planfix.asked == []


async def test_an_employees_own_mobile_has_a_name_and_no_manager_to_ring() -> None:
    house = House()
    house.planfix.contacts["79261110101"] = contact("Ivanov", "103")
    assert await house.answer("89261110101") == Answer("Ivanov", "103", False, "the mobile of 101 calls")


async def test_calls_to_an_excluded_did_go_to_no_manager() -> None:
    answer = await House().answer(did="+7 495 123-00-02")
    assert (answer.manager, answer.reachable) == ("103", False)
    assert "dids.to_manager" in answer.reason


async def test_a_manager_who_is_nobody_here_is_not_dialled() -> None:
    house = House()
    house.planfix.contacts[PHONE] = contact(responsible="*97")
    assert (await house.answer()).reason == "*97 is no extension of this PBX"
    house.numbering.learn([("PJSIP/101", "101")])
    house.planfix.contacts["79101234568"] = contact(responsible="104")
    assert (await house.answer("79101234568")).reason == "104 is no extension of this PBX"


async def test_a_prefix_tells_which_number_was_dialled_even_for_strangers() -> None:
    house = House()
    assert (await house.answer(did="84951230001")).name == "Sales: Иванов Пётр"
    assert (await house.answer("74950000000", did="74951230001")).name == "Sales: 74950000000"
    assert (await house.answer("74950000000", did="74951230009")).name == ""


async def test_names_are_as_long_and_in_the_letters_that_the_phones_can_show() -> None:
    house = House(transliterate=True, name_length=8)
    assert (await house.answer()).name == "Ivanov P"


async def test_a_callid_that_is_none_is_left_out() -> None:
    house = House()
    await house.answer(callid="1\r\n2")
    assert house.planfix.asked == [(PHONE, "")]
