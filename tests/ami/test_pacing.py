"""Pauses between attempts to connect."""

from hypothesis import given
from hypothesis import strategies as st

from ami_planfix.ami.pacing import Pacing

chances = st.floats(0, 1, exclude_max=True)
counts = st.integers(1, 10**9)


def test_a_refused_login_is_tried_after_a_minute_growing_to_ten() -> None:
    assert [Pacing().after_refusal(count, 0.0) for count in range(1, 7)] == [60, 120, 240, 480, 600, 600]


def test_a_failure_is_tried_again_soon_and_then_less_often() -> None:
    pauses = [Pacing().after_failure(count, 0.0) for count in range(1, 9)]
    assert pauses == [0.25, 0.5, 1, 2, 4, 8, 15, 15]


@given(counts, chances)
def test_pauses_keep_within_their_bounds(count: int, chance: float) -> None:
    assert 0.25 <= Pacing().after_failure(count, chance) <= 30
    assert 60 <= Pacing().after_refusal(count, chance) <= 660
