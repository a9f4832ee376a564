"""`/contact`: the dialplan's question over HTTP, answered in one line."""

import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from ami_planfix.contacts.answer import Answer, Question
from ami_planfix.web.app import Listener
from ami_planfix.web.contact import ContactPage


class Machine:
    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.answer = Answer("Иванов Пётр", "103", False, "103 is in use")
        self.port = 0

    async def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        return self.answer

    async def get(self, query: str, **headers: str) -> tuple[int, str]:
        address = f"http://127.0.0.1:{self.port}/contact?{query}"
        async with ClientSession() as session, session.get(address, headers=headers) as answer:
            return answer.status, await answer.text()


@pytest.fixture
async def machine() -> AsyncIterator[Machine]:
    found = Machine()
    listener = Listener("admin", ContactPage(found.ask).routes())
    found.port = await listener.open("127.0.0.1", 0)
    yield found
    await listener.close()


async def test_the_answer_is_one_line_of_four_fields(machine: Machine) -> None:
    assert await machine.get("phone=79101234567&did=74951230001&callid=1.1") == (
        200,
        "Иванов Пётр|103|0|103 is in use",
    )
    assert machine.asked == [Question("79101234567", "74951230001", "1.1")]


async def test_the_name_alone_can_be_put_on_the_screen_without_cutting(machine: Machine) -> None:
    assert await machine.get("phone=79101234567&format=name") == (200, "Иванов Пётр")


async def test_who_asks_for_json_gets_it(machine: Machine) -> None:
    wanted = {"name": "Иванов Пётр", "manager": "103", "reachable": False, "reason": "103 is in use"}
    assert json.loads((await machine.get("phone=79101234567&format=json"))[1]) == wanted
    assert json.loads((await machine.get("phone=79101234567", Accept="application/json"))[1]) == wanted


async def test_a_hidden_caller_is_a_question_too(machine: Machine) -> None:
    machine.answer = Answer(reason="the number is hidden")
    assert await machine.get("phone=") == (200, "||0|the number is hidden")


@pytest.mark.parametrize("query", ["", "did=1", "phone=1&format=xml"])
async def test_a_question_that_is_none_is_refused(machine: Machine, query: str) -> None:
    assert (await machine.get(query))[0] == 400
    assert machine.asked == []
