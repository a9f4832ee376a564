"""Who looks again only when something changed reports what one reports who looks at every event."""

from collections.abc import Sequence

import pytest

from ami_planfix.calls.events import Event
from ami_planfix.calls.reports import Report
from ami_planfix.calls.tracker import Tracker, is_compiled
from tests.calls.story import load, names

pytestmark = pytest.mark.skipif(is_compiled(), reason="what is compiled lets nobody in between")

STEP = 10
"""Every so many events somebody joins in the middle: there facts come in unusual order."""


class Thorough(Tracker):
    """Takes every event that touches a channel for a change."""

    def restart(self) -> None:
        """Begin anew."""
        super().restart()
        hear = self._hearing.hear

        def hear_and_look(event: Event) -> list[object]:
            touched = hear(event)
            self._pbx.changed = True
            return touched  # type: ignore[return-value]

        self._hearing.hear = hear_and_look  # type: ignore[method-assign,assignment]


def told(tracker: Tracker, events: Sequence[Event]) -> list[tuple[Report, ...]]:
    return [tracker.handle(event).reports for event in events]


@pytest.mark.parametrize("name", names())
def test_nothing_is_overlooked(name: str) -> None:
    story = load(name)
    for first in range(0, len(story.events), STEP):
        events = story.events[first:]
        assert told(story.tracker(), events) == told(Thorough(story.directory, story.settings), events)
