import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_planfix.errors import PlanfixError, PlanfixUnreachable, ReportRefused, TokenRefused
from ami_planfix.retry import LONGEST, Again, Bury, Halt, decide

chances = st.floats(min_value=0, max_value=1, exclude_max=True)


@pytest.mark.parametrize(("attempt", "most"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (100_000, 300)])
def test_pauses_double_up_to_five_minutes(attempt: int, most: float) -> None:
    fault = PlanfixUnreachable("gone")
    assert decide(fault, attempt, 0.0) == Again(most / 2)
    latest = decide(fault, attempt, 0.999_999)
    assert isinstance(latest, Again)
    assert latest.after == pytest.approx(most, abs=0.001)


@given(attempt=st.integers(1, 10_000), chance=chances)
def test_a_network_fault_is_never_given_up(attempt: int, chance: float) -> None:
    verdict = decide(PlanfixUnreachable("gone"), attempt, chance)
    assert isinstance(verdict, Again)
    assert 0.5 <= verdict.after <= LONGEST


def test_a_pause_that_planfix_asks_for_is_kept_up_to_our_longest() -> None:
    assert decide(PlanfixUnreachable("slow down", retry_after=200), 1, 0.5) == Again(200)
    assert decide(PlanfixUnreachable("slow down", retry_after=4000), 1, 0.5) == Again(LONGEST)
    assert decide(PlanfixUnreachable("slow down", retry_after=0), 1, 0.0) == Again(0.5)


@given(attempt=st.integers(1, 10_000), chance=chances)
def test_a_refusal_is_final_and_a_refused_token_halts_all(attempt: int, chance: float) -> None:
    assert decide(ReportRefused("no"), attempt, chance) == Bury()
    assert decide(TokenRefused("who?"), attempt, chance) == Halt()


def test_what_is_unknown_is_tried_again() -> None:
    assert decide(PlanfixError("?"), 1, 0.0) == Again(0.5)
