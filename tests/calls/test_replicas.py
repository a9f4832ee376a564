"""Calls that happen at the same time have nothing to do with each other."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_planfix.calls.events import Event, Uniqueid
from ami_planfix.calls.reports import Report
from ami_planfix.calls.tracker import Settings, Tracker
from tests.calls import soak
from tests.calls.memory import left_in
from tests.calls.replicas import replica
from tests.calls.story import Story, heard

stories = st.sampled_from(soak.stories_of_one_pbx())


@given(stories, stories, st.data())
def test_two_interleaved_stories_give_the_reports_of_each_alone(one: Story, other: Story, data: st.DataObject) -> None:
    begin = 1_700_000_000.0
    first, second = list(replica(one.events, 1, begin)), list(replica(other.events, 2, begin))
    order = data.draw(st.permutations([1] * len(first) + [2] * len(second)))
    rest = {1: iter(first), 2: iter(second)}
    together = Tracker(one.directory)
    reports = heard(together, [next(rest[which]) for which in order])
    alone = [*of(one, first), *of(other, second)]
    assert Counter(reports) == Counter(alone)
    assert by_call(reports) == by_call(alone)
    assert not left_in(together)


def of(story: Story, events: Sequence[Event]) -> list[Report]:
    return heard(story.tracker(Settings()), events)


def by_call(reports: Sequence[Report]) -> dict[str, list[Report]]:
    calls: dict[str, list[Report]] = {}
    for report in reports:
        calls.setdefault(report.callid, []).append(report)
    return calls


@pytest.fixture
def short_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "WARM_UP", 100)


@pytest.mark.usefixtures("short_warm_up")
def test_a_short_soak_leaves_nothing_behind() -> None:
    result = soak.soak(400, seed=1)  # too short for the memory of the dead to have its size: `blocks_grown` is noise
    assert result.calls == 400
    assert result.left == {}
    assert result.reports == result.reports_expected > 0


@pytest.mark.usefixtures("short_warm_up")
def test_a_leak_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[object] = []
    handle = Tracker.handle

    def leaky(self: Tracker, event: Event) -> object:
        channel = self._pbx.channels.get(getattr(getattr(event, "channel", None), "uniqueid", Uniqueid("")))
        if channel is not None:
            kept.append(channel)
        return handle(self, event)

    monkeypatch.setattr(Tracker, "handle", leaky)
    result = soak.soak(200, seed=1)
    assert result.left["Channel"] > 0
    assert not result.well
