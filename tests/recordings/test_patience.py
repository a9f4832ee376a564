"""When files count as whole, for each kind of witness."""

from pathlib import Path

import pytest

from ami_planfix.recordings.patience import Again, Decision, GivenUp, Look, Seen, Whole, decide

PATH = Path("/monitor/in-1.wav")
NOW = 1000.0


def look(*fingerprints: str, complete: bool = True, finished: bool | None = None) -> Look:
    return Look(fingerprints, frozenset([PATH] if fingerprints else []), complete, finished, "" if complete else "?")


def after(seconds: float, seen: Seen, found: Look) -> Decision:
    """Look twice, so many seconds apart."""
    decide(seen, found, NOW, settle=5, patience=3600)
    return decide(seen, found, NOW + seconds, settle=5, patience=3600)


@pytest.fixture
def seen() -> Seen:
    return Seen(ended=NOW - 1, began=NOW)


@pytest.mark.parametrize(
    ("finished", "seconds"), [(True, 0.4), (None, 5.1), (False, 60.1)], ids=["says so", "cannot tell", "denies it"]
)
def test_how_long_it_must_rest_depends_on_what_its_header_says(
    seen: Seen, finished: bool | None, seconds: float
) -> None:
    assert after(seconds, seen, look("a", finished=finished)) == Whole(complete=True)


@pytest.mark.parametrize(("finished", "seconds"), [(True, 0.2), (None, 4.9), (False, 59.0)])
def test_before_that_it_is_looked_at_again(seen: Seen, finished: bool | None, seconds: float) -> None:
    decision = after(seconds, seen, look("a", finished=finished))
    assert isinstance(decision, Again)
    assert decision.at > NOW + seconds


@pytest.mark.parametrize("finished", [None, False])
def test_that_it_was_closed_counts_more_than_its_header(seen: Seen, finished: bool | None) -> None:
    seen.closed.add(PATH)
    assert after(0.4, seen, look("a", finished=finished)) == Whole(complete=True)


def test_a_change_begins_the_rest_anew(seen: Seen) -> None:
    decide(seen, look("a"), NOW, 5, 3600)
    assert isinstance(decide(seen, look("b"), NOW + 6, 5, 3600), Again)
    assert decide(seen, look("b"), NOW + 11.1, 5, 3600) == Whole(complete=True)


def test_parts_that_are_there_wait_a_minute_for_the_others(seen: Seen) -> None:
    assert isinstance(after(59, seen, look("a", complete=False, finished=True)), Again)
    assert after(60.1, seen, look("a", complete=False, finished=True)) == Whole(complete=False)


def test_what_does_not_appear_is_looked_for_ever_more_seldom_and_given_up(seen: Seen) -> None:
    nothing = look(complete=False)
    pauses = []
    now, decision = NOW, decide(seen, nothing, NOW, 5, 3600)
    while isinstance(decision, Again):
        pauses.append(round(decision.at - now, 6))
        now = decision.at
        decision = decide(seen, nothing, now, 5, 3600)
    assert decision == GivenUp()
    assert pauses == sorted(pauses)
    assert pauses[0] == 1
    assert max(pauses) <= 60
    assert 3599 <= now - NOW < 3660


def test_after_a_long_absence_it_is_still_looked_for_a_minute() -> None:
    old = Seen(ended=NOW - 1_000_000, began=NOW)
    assert isinstance(after(59, old, look(complete=False)), Again)
    assert decide(old, look(complete=False), NOW + 61, 5, 3600) == GivenUp()
