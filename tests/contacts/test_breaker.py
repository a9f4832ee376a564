"""After some failures nobody waits, until a trial is answered."""

from ami_planfix.contacts.breaker import Breaker, Verdict
from tests.contacts.making import Clock


def broken(clock: Clock) -> Breaker:
    breaker = Breaker(clock, failures=3, pause=10)
    for _ in range(3):
        assert breaker.ask() is Verdict.ASK
        breaker.fail()
    return breaker


def test_failures_in_a_row_open_it_and_only_those() -> None:
    breaker = Breaker(Clock(), failures=3)
    assert [breaker.fail(), breaker.fail()] == [False, False]
    assert breaker.succeed() is False
    assert [breaker.fail(), breaker.fail(), breaker.fail(), breaker.fail()] == [False, False, True, False]
    assert breaker.is_open


def test_while_it_is_open_one_question_in_each_pause_is_a_trial() -> None:
    clock = Clock()
    breaker = broken(clock)
    assert breaker.ask() is Verdict.REFUSE
    clock.now += 9.9
    assert breaker.ask() is Verdict.REFUSE
    clock.now += 0.1
    assert [breaker.ask(), breaker.ask()] == [Verdict.TRY, Verdict.REFUSE]
    breaker.fail()
    clock.now += 9.9
    assert breaker.ask() is Verdict.REFUSE
    clock.now += 0.1
    assert breaker.ask() is Verdict.TRY


def test_an_answer_closes_it() -> None:
    clock = Clock()
    breaker = broken(clock)
    assert breaker.succeed() is True
    assert breaker.ask() is Verdict.ASK
    assert breaker.fail() is False
