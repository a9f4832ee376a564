"""The transition table of a part, asserted state by state."""

from typing import ClassVar

import pytest

from ami_planfix.calls.part import ENGAGED, TALKED, TRANSITIONS, Begun, Happening, Part, Reported, State
from ami_planfix.calls.reports import Extension, Stage

NOTHING: Reported = ()

# What may happen to a part that stands there: where it goes, and what is reported of it.
TABLE: dict[State, dict[Happening, tuple[State, Reported]]] = {
    State.NEW: {
        Happening.RINGS: (State.RINGING, (Begun,)),
        Happening.BRIDGED: (State.TALKING, (Begun, Stage.ACCEPTED)),
        Happening.ENDS: (State.OVER, (Begun, Stage.COMPLETED)),
    },
    State.RINGING: {
        Happening.RINGS: (State.RINGING, NOTHING),
        Happening.FALLS_SILENT: (State.HELD, NOTHING),
        Happening.BRIDGED: (State.TALKING, (Stage.ACCEPTED,)),
        Happening.ENDS: (State.OVER, (Stage.COMPLETED,)),
    },
    State.HELD: {
        Happening.RINGS: (State.RINGING, NOTHING),
        Happening.BRIDGED: (State.TALKING, (Stage.ACCEPTED,)),
        Happening.ENDS: (State.OVER, (Stage.COMPLETED,)),
    },
    State.TALKING: {
        Happening.RINGS: (State.TALKING, NOTHING),
        Happening.BRIDGED: (State.TALKING, NOTHING),
        Happening.STEPS_ASIDE: (State.AWAY, NOTHING),
        Happening.LEAVES: (State.LEFT, NOTHING),
        Happening.ENDS: (State.OVER, (Stage.COMPLETED,)),
    },
    State.AWAY: {
        Happening.RINGS: (State.AWAY, NOTHING),
        Happening.BRIDGED: (State.TALKING, NOTHING),
        Happening.LEAVES: (State.LEFT, NOTHING),
        Happening.ENDS: (State.OVER, (Stage.COMPLETED,)),
    },
    State.LEFT: {
        Happening.RINGS: (State.LEFT, NOTHING),
        Happening.BRIDGED: (State.TALKING, NOTHING),
        Happening.ENDS: (State.OVER, (Stage.COMPLETED,)),
    },
    State.OVER: {},
}


def part_in(state: State) -> Part:
    part = Part(Extension("101"), 1, reported=True)
    part.state = state
    return part


@pytest.mark.parametrize("happening", Happening)
@pytest.mark.parametrize("state", State)
def test_what_happens_to_a_part_moves_it_and_is_reported_by_the_table(state: State, happening: Happening) -> None:
    part = part_in(state)
    expected_state, expected_reports = TABLE[state].get(happening, (state, NOTHING))
    assert part.take(happening) == expected_reports
    assert part.state is expected_state


def test_the_table_has_no_other_transitions() -> None:
    assert {(state, happening) for state, row in TABLE.items() for happening in row} == set(TRANSITIONS)


def test_every_state_but_the_last_can_end_and_the_last_is_the_end() -> None:
    for state in State:
        part = part_in(state)
        part.take(Happening.ENDS)
        assert part.state is State.OVER
        assert all(part_in(State.OVER).take(happening) == NOTHING for happening in Happening)


class TestPartsLife:
    """Whole lives, with the whole state after each step."""

    LIVES: ClassVar[dict[str, list[tuple[Happening, State, Reported]]]] = {
        "answered": [
            (Happening.RINGS, State.RINGING, (Begun,)),
            (Happening.BRIDGED, State.TALKING, (Stage.ACCEPTED,)),
            (Happening.LEAVES, State.LEFT, NOTHING),
            (Happening.ENDS, State.OVER, (Stage.COMPLETED,)),
        ],
        "rings in rounds (rule 3)": [
            (Happening.RINGS, State.RINGING, (Begun,)),
            (Happening.FALLS_SILENT, State.HELD, NOTHING),
            (Happening.RINGS, State.RINGING, NOTHING),
            (Happening.FALLS_SILENT, State.HELD, NOTHING),
            (Happening.ENDS, State.OVER, (Stage.COMPLETED,)),
        ],
        "consults and hands over (rule 8)": [
            (Happening.BRIDGED, State.TALKING, (Begun, Stage.ACCEPTED)),
            (Happening.STEPS_ASIDE, State.AWAY, NOTHING),
            (Happening.LEAVES, State.LEFT, NOTHING),
            (Happening.ENDS, State.OVER, (Stage.COMPLETED,)),
        ],
        "parks, and the call comes back (rule 12)": [
            (Happening.RINGS, State.RINGING, (Begun,)),
            (Happening.BRIDGED, State.TALKING, (Stage.ACCEPTED,)),
            (Happening.LEAVES, State.LEFT, NOTHING),
            (Happening.RINGS, State.LEFT, NOTHING),
            (Happening.BRIDGED, State.TALKING, NOTHING),
            (Happening.ENDS, State.OVER, (Stage.COMPLETED,)),
        ],
    }

    @pytest.mark.parametrize("life", LIVES)
    def test_each_step_leads_where_the_rules_say(self, life: str) -> None:
        part = Part(Extension("101"), 1, reported=True)
        assert not part.is_open
        for happening, state, reported in self.LIVES[life]:
            assert part.take(happening) == reported
            assert part.state is state
            assert part.is_open is (state is not State.OVER)


def test_whoever_is_engaged_has_talked() -> None:
    assert ENGAGED < TALKED
    assert State.LEFT in TALKED
    assert {State.NEW, State.RINGING, State.HELD, State.OVER}.isdisjoint(TALKED)
