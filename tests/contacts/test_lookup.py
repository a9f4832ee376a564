"""Nobody waits longer than the limit, nothing is asked twice, and Planfix's troubles stay its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ami_planfix.calls.reports import Extension
from ami_planfix.contacts import lookup
from ami_planfix.contacts.breaker import FAILURES, PAUSE
from ami_planfix.contacts.lookup import Limits, Lookup
from ami_planfix.demo.planfix import EmbeddedPlanfix, Fault, broken, cut, garbage, hang, refuse, refuse_token
from ami_planfix.errors import PlanfixUnreachable, ReportRefused
from ami_planfix.planfix.account import Credentials
from ami_planfix.planfix.api import PlanfixApi
from ami_planfix.planfix.messages import Contact
from tests.contacts.making import Clock, Planfix, contact

PHONE = "79101234567"
QUICK = Limits(timeout=0.05)
LONG = Limits(timeout=30)


async def until_asked(planfix: Planfix, times: int) -> None:
    await planfix.until(lambda: len(planfix.asked) >= times)


async def opened(planfix: Planfix, clock: Clock, limits: Limits = LONG) -> Lookup:
    """Make a lookup whose breaker is open, since Planfix has failed often enough."""
    found = Lookup(planfix, limits, clock)
    planfix.fault = PlanfixUnreachable("down")
    for number in range(FAILURES):
        await found.find(f"7910000000{number}")
    assert found.is_refusing
    return found


class TestCache:
    async def test_an_answer_is_kept_for_its_time(self) -> None:
        planfix, clock = Planfix(), Clock()
        found = Lookup(planfix, Limits(cache=300), clock)
        assert (await found.find(PHONE, "1.1")).contact == contact()
        clock.now += 299
        assert (await found.find(PHONE, "1.2")).contact == contact()
        assert planfix.asked == [(PHONE, "1.1")]
        clock.now += 1
        await found.find(PHONE, "1.3")
        assert planfix.asked == [(PHONE, "1.1"), (PHONE, "1.3")]

    @pytest.mark.parametrize("fault", [None, ReportRefused("Planfix at x refused it: 400 bad phone")])
    async def test_that_a_number_is_unknown_is_kept_as_well(self, fault: Exception | None) -> None:
        planfix = Planfix()
        planfix.fault = fault
        found = Lookup(planfix)
        for _ in range(3):
            answer = await found.find("74950000000")
            assert answer.contact == Contact("", None)
            assert answer.reason == (str(fault) if fault else "Planfix does not know this number")
        assert len(planfix.asked) == 1
        assert not found.is_refusing

    async def test_without_a_lifetime_nothing_is_kept(self) -> None:
        planfix = Planfix()
        found = Lookup(planfix, Limits(cache=0))
        await found.find(PHONE)
        await found.find(PHONE)
        assert len(planfix.asked) == 2

    async def test_no_answer_is_not_kept(self) -> None:
        planfix = Planfix()
        planfix.fault = PlanfixUnreachable("down")
        found = Lookup(planfix)
        assert (await found.find(PHONE)).reason == "Planfix does not answer"
        planfix.fault = None
        assert (await found.find(PHONE)).contact == contact()

    async def test_another_account_has_other_contacts(self) -> None:
        planfix = Planfix()
        found = Lookup(planfix)
        await found.find(PHONE)
        found.forget()
        await found.find(PHONE)
        assert len(planfix.asked) == 2

    async def test_it_does_not_grow_for_ever(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lookup, "MOST_KEPT", 2)
        planfix = Planfix()
        found = Lookup(planfix)
        for number in ("1", "2", "3", "1"):
            await found.find(number)
        assert [phone for phone, _ in planfix.asked] == ["1", "2", "3", "1"]

    async def test_without_an_account_nobody_is_asked(self) -> None:
        planfix = Planfix()
        planfix.is_set_up = False
        assert (await Lookup(planfix).find(PHONE)).reason == "Planfix is not set up"
        assert planfix.asked == []


class TestWaiting:
    async def test_simultaneous_questions_about_one_number_are_one(self) -> None:
        planfix = Planfix()
        planfix.held = asyncio.Event()
        found = Lookup(planfix, LONG)
        waiting = [asyncio.create_task(found.find(PHONE)) for _ in range(20)]
        await until_asked(planfix, 1)
        waiting[0].cancel()  # the caller who hangs up takes nobody's answer away
        planfix.held.set()
        answers = await asyncio.gather(*waiting[1:])
        assert {answer.contact for answer in answers} == {contact()}
        assert len(planfix.asked) == 1

    async def test_only_so_many_are_asked_at_once_and_the_others_wait_their_turn(self) -> None:
        planfix = Planfix()
        planfix.held = asyncio.Event()
        found = Lookup(planfix, Limits(timeout=30, at_once=3))
        waiting = [asyncio.create_task(found.find(f"791000000{number:02}")) for number in range(12)]
        await until_asked(planfix, 3)
        for _ in range(20):
            await asyncio.sleep(0)
        assert planfix.running == 3
        planfix.held.set()
        await asyncio.gather(*waiting)
        assert (planfix.most_running, len(planfix.asked)) == (3, 12)

    async def test_nobody_waits_longer_than_the_limit_not_even_for_what_cannot_be_cancelled(self) -> None:
        class Stubborn(Planfix):
            released = asyncio.Event()

            async def contact(self, phone: str, callid: str = "") -> Contact:
                while not self.released.is_set():
                    try:
                        await self.released.wait()
                    except asyncio.CancelledError:
                        continue
                return contact()

        planfix = Stubborn()
        found = Lookup(planfix, QUICK)
        assert (await found.find(PHONE)).reason == "Planfix does not answer"
        assert (await found.find(PHONE)).reason == "Planfix does not answer"
        planfix.released.set()
        await found.close()

    async def test_a_fault_of_our_own_is_no_answer_either(self) -> None:
        planfix = Planfix()
        planfix.fault = ZeroDivisionError()
        assert (await Lookup(planfix).find(PHONE)).reason == "Planfix does not answer"


class TestBreaker:
    async def test_after_some_failures_nobody_waits(self) -> None:
        planfix, clock = Planfix(), Clock()
        found = await opened(planfix, clock)
        planfix.held = asyncio.Event()
        assert (await found.find(PHONE)).reason == "Planfix does not answer"
        assert len(planfix.asked) == FAILURES

    async def test_not_even_the_one_whose_question_is_the_trial(self) -> None:
        planfix, clock = Planfix(), Clock()
        found = await opened(planfix, clock)
        planfix.fault, planfix.held = None, asyncio.Event()
        clock.now += PAUSE
        assert (await found.find(PHONE)).reason == "Planfix does not answer"
        assert (await found.find(PHONE)).reason == "Planfix does not answer"
        await until_asked(planfix, FAILURES + 1)
        planfix.held.set()
        await planfix.until(lambda: not planfix.running)
        await asyncio.sleep(0)
        assert not found.is_refusing
        assert (await found.find(PHONE)).contact == contact()
        assert len(planfix.asked) == FAILURES + 1

    async def test_who_watches_is_told_of_its_beginning_and_its_end(self) -> None:
        planfix, clock, told = Planfix(), Clock(), list[str]()
        found = Lookup(planfix, LONG, clock, listener=told.append)
        planfix.fault = PlanfixUnreachable("down")
        for number in range(FAILURES + 2):
            await found.find(f"7910000000{number}")
        assert told == ["down"]
        planfix.fault = None
        clock.now += PAUSE
        await found.find(PHONE)
        await planfix.until(lambda: len(planfix.asked) > FAILURES and not planfix.running)
        await asyncio.sleep(0)
        assert told == ["down", ""]

    async def test_what_is_kept_is_still_told(self) -> None:
        planfix, clock = Planfix(), Clock()
        found = Lookup(planfix, LONG, clock)
        await found.find(PHONE)
        planfix.fault = PlanfixUnreachable("down")
        for number in range(FAILURES):
            await found.find(f"7910000000{number}")
        assert (await found.find(PHONE)).contact == contact()

    async def test_those_who_wait_for_their_turn_go_on_as_soon_as_it_opens(self) -> None:
        planfix = Planfix()
        planfix.held = asyncio.Event()
        planfix.fault = PlanfixUnreachable("down")
        found = Lookup(planfix, Limits(timeout=30, at_once=FAILURES))
        waiting = [asyncio.create_task(found.find(f"791000000{number:02}")) for number in range(50)]
        await until_asked(planfix, FAILURES)
        planfix.held.set()
        assert {answer.reason for answer in await asyncio.gather(*waiting)} == {"Planfix does not answer"}
        assert len(planfix.asked) < 2 * FAILURES


@asynccontextmanager
async def asking(planfix: EmbeddedPlanfix, limit: float = 5) -> AsyncIterator[Lookup]:
    api = PlanfixApi(lambda: Credentials(planfix.url, planfix.token), timeout=limit)
    found = Lookup(api, Limits(timeout=limit))
    try:
        yield found
    finally:
        await found.close()
        await api.close()


class TestRealPlanfix:
    @pytest.mark.parametrize(
        "fault",
        [hang(), cut(), broken(), garbage(), refuse_token(), Fault(200, b"[1]"), Fault(200, b'{"contact_name":')],
    )
    async def test_whatever_it_does_there_is_an_answer_in_time(self, fault: Fault) -> None:
        async with EmbeddedPlanfix() as planfix, asking(planfix, limit=0.2) as found:
            planfix.fault_for = lambda _: fault
            assert (await found.find(PHONE)).reason == "Planfix does not answer"
            planfix.fault_for = lambda _: None
            planfix.contacts[PHONE] = Contact("Ёлка", Extension("103"))
            assert (await found.find(PHONE)).contact == Contact("Ёлка", Extension("103"))

    @pytest.mark.parametrize(
        "body", [b'{"contact_name": "A", "manager": 103}', b'{"contact_name": "A", "responsible": "103"}']
    )
    async def test_either_edition_of_the_answer_is_understood(self, body: bytes) -> None:
        async with EmbeddedPlanfix() as planfix, asking(planfix) as found:
            planfix.faults.append(Fault(200, body))
            assert (await found.find(PHONE)).contact == Contact("A", Extension("103"))

    async def test_a_number_that_planfix_refuses_is_unknown(self) -> None:
        async with EmbeddedPlanfix() as planfix, asking(planfix) as found:
            planfix.faults.append(refuse("no such phone"))
            assert "no such phone" in (await found.find(PHONE)).reason
