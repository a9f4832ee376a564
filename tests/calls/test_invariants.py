"""Whatever is lost, doubled or out of order: the invariants of docs/rules.md hold, and no call is forgotten."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_planfix.calls import events
from ami_planfix.calls.events import Event, Snapshot
from ami_planfix.calls.reports import Direction, Outcome, Report
from ami_planfix.calls.tracker import Settings, Tracker
from tests.calls.invariants import violations
from tests.calls.memory import left_in
from tests.calls.mirror import Mirror, channels_of
from tests.calls.story import Story, heard, load, names

History = Sequence[Event]

SETTINGS = [
    Settings(),
    Settings(transfers_each=True),
    Settings(missed_each=True),
    Settings(transfers_each=True, missed_each=True),
]


def is_long() -> bool:
    return os.environ.get("HYPOTHESIS_PROFILE") == "long"


def empty(at: float) -> Snapshot:
    return Snapshot(at, ())


def finish(tracker: Tracker, at: float) -> list[Report]:
    """All channels are gone, as a snapshot tells."""
    return list(tracker.resync(empty(at)).reports)


def last_moment(story: Story) -> float:
    return story.events[-1].at + 1


def check_lossy(story: Story, history: History, settings: Settings) -> list[Report]:
    """Let a tracker hear a damaged history and then that nothing is left."""
    tracker = story.tracker(settings)
    reports = heard(tracker, history)
    assert not violations(reports, settings, at_end=False)
    reports += finish(tracker, last_moment(story))
    assert not violations(reports, settings)
    assert not left_in(tracker)
    return reports


def check_forgotten(story: Story, history: History, reports: Sequence[Report], settings: Settings) -> None:
    """Every call that a clean run completes, and whose beginning was heard, has its one conclusion."""
    for callid, direction in whole_calls(story, settings):
        if begins(story, callid, direction, history, settings):
            assert conclusions(reports, callid, settings), f"call {callid} was forgotten"


@cache
def whole_calls(story: Story, settings: Settings) -> set[tuple[str, Direction]]:
    clean = heard(story.tracker(settings), story.events)
    return {(report.callid, report.direction) for report in clean if report.outcome is not None}


def conclusions(reports: Sequence[Report], callid: str, settings: Settings) -> int:
    """Count what stands in Planfix's history as the outcome of the call."""
    ends = [one for one in reports if one.callid == callid and one.outcome not in (None, Outcome.CANCELED)]
    if not settings.transfers_each and not settings.missed_each:
        assert len(ends) <= 1
    return len(ends)


def begins(story: Story, callid: str, direction: Direction, history: History, settings: Settings) -> bool:
    """Tell whether the history has what makes the call begin: the client's ringing in, or all until it is dialled."""
    if direction is Direction.INCOMING:
        told = [(event, one.state) for event in history for one in channels_of(event) if one.uniqueid == callid][:2]
        if told and isinstance(told[0][0], events.Newchannel) and told[0][1] == events.DOWN:  # chan_sip
            del told[0]
        return bool(told) and isinstance(told[0][0], events.Newchannel | events.Newstate) and told[0][1] == events.RING
    first = until_first_report(story, callid, settings)
    return list(history[: len(first)]) == list(first)


@cache
def until_first_report(story: Story, callid: str, settings: Settings) -> History:
    tracker = story.tracker(settings)
    for index, event in enumerate(story.events):
        if any(report.callid == callid for report in tracker.handle(event).reports):
            return story.events[: index + 1]
    raise AssertionError(f"{story.name}: no report of {callid}")


# One damage, at every place


def places(limit: int) -> list[tuple[Story, int]]:
    """Give the places of all stories; evenly spread ones, about `limit`, if there are more and the run is short."""
    everywhere = [(story, at) for story in map(load, names()) for at in range(len(story.events))]
    return everywhere if is_long() else everywhere[:: max(1, round(len(everywhere) / limit))]


Damage = Callable[[History, int], History]

DAMAGES: dict[str, Damage] = {
    "lost": lambda whole, at: [*whole[:at], *whole[at + 1 :]],
    "all lost from here on": lambda whole, at: whole[:at],
    "all lost until here": lambda whole, at: whole[at:],
    "doubled": lambda whole, at: [*whole[: at + 1], *whole[at:]],
    "heard again much later": lambda whole, at: [*whole, whole[at]],
    "swapped with the next": lambda whole, at: [*whole[:at], *whole[at : at + 2][::-1], *whole[at + 2 :]],
    "late": lambda whole, at: [*whole[:at], *whole[at + 1 : at + 5], whole[at], *whole[at + 5 :]],
    "everything from here on heard twice": lambda whole, at: [*whole, *whole[at:]],
    "an hour back": lambda whole, at: [*whole[:at], *(replace(event, at=event.at - 3600) for event in whole[at:])],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_one_damage_at_any_place_of_any_story_costs_no_call_its_one_conclusion(damage: str) -> None:
    for story, at in places(1200):
        history = DAMAGES[damage](story.events, at)
        reports = check_lossy(story, history, Settings())
        check_forgotten(story, history, reports, Settings())


# Many damages


@st.composite
def damaged(draw: st.DrawFn, whole: History) -> list[Event]:
    history = list(whole)
    for _ in range(draw(st.integers(1, 8))):
        if not history:
            break
        at = draw(st.integers(0, len(history) - 1))
        match draw(st.sampled_from(("lose", "lose some", "double", "move", "turn", "time"))):
            case "lose":
                del history[at]
            case "lose some":
                del history[at : at + draw(st.integers(2, 12))]
            case "double":
                history.insert(draw(st.integers(0, len(history))), history[at])
            case "move":
                event = history.pop(at)
                history.insert(draw(st.integers(0, len(history))), event)
            case "turn":
                end = at + draw(st.integers(2, 6))
                history[at:end] = history[at:end][::-1]
            case _:
                by = draw(st.floats(-4000, 4000))
                history[at] = replace(history[at], at=history[at].at + by)
    return history


stories = st.sampled_from(names()).map(load)


@given(st.data(), stories, st.sampled_from(SETTINGS))
def test_many_damages_break_no_invariant_and_forget_no_call(
    data: st.DataObject, story: Story, settings: Settings
) -> None:
    history = data.draw(damaged(story.events))
    reports = check_lossy(story, history, settings)
    check_forgotten(story, history, reports, settings)


@given(st.data(), stories, st.sampled_from(SETTINGS))
def test_after_a_gap_the_snapshot_tells_and_the_rest_is_heard_whole(
    data: st.DataObject, story: Story, settings: Settings
) -> None:
    cut = data.draw(st.integers(0, len(story.events) - 1))
    before, after = story.events[:cut], story.events[cut:]
    history = data.draw(damaged(before)) if before else []
    check_gap(story, history, before, after, settings)


def check_gap(story: Story, history: History, before: History, after: History, settings: Settings) -> None:
    tracker = story.tracker(settings)
    reports = heard(tracker, history)
    truth = Mirror(before).snapshot()
    reports += tracker.resync(truth).reports
    assert len(tracker.channels()) == len(truth.channels)
    assert not violations(reports, settings, at_end=False)
    reports += heard(tracker, after)
    reports += finish(tracker, last_moment(story))
    assert not violations(reports, settings)
    assert not left_in(tracker)
    check_forgotten(story, history, reports, settings)


def test_a_gap_of_any_length_anywhere_costs_no_call_its_one_conclusion() -> None:
    for story, cut in places(1200):
        for lost in {2, 6, cut}:
            history = story.events[: max(0, cut - lost)]
            check_gap(story, history, story.events[:cut], story.events[cut:], Settings())


@given(st.data(), stories)
def test_a_resync_with_the_truth_where_nothing_was_lost_changes_no_report(data: st.DataObject, story: Story) -> None:
    cut = data.draw(st.integers(0, len(story.events)))
    tracker = story.tracker()
    reports = heard(tracker, story.events[:cut])
    # It may tell a moment early what the next events tell as well: which phone rings, who has met whom.
    reports += tracker.resync(Mirror(story.events[:cut]).snapshot()).reports
    reports += heard(tracker, story.events[cut:])
    assert sorted(map(gist, reports)) == sorted(map(gist, story.clean_run()))
    assert not left_in(tracker)


def gist(report: Report) -> tuple[str, str, int, str, str, int, bool]:
    """What Planfix hears, but not when and by which rule."""
    number, outcome = report.part, str(report.outcome)
    return (report.callid, report.extension, number, report.stage, outcome, report.duration, report.recorded)


# Garbage

KINDS: tuple[type[Event], ...] = get_args(Event)
WORDS = ("", "101", "PJSIP/101-0000001a", "Local/101@x-00000001;1", "Local/101@x-00000001;2", "s", "\x00", "я")
TELLING = ("Success", "RINGING", "ANSWER", "Bridge", "App", "Dial", "FROM_DID", "holding_bridge", "79101234567")
words = st.sampled_from(WORDS + TELLING)


def garbage_channels(story: Story) -> st.SearchStrategy[events.Channel]:
    real = [channel for event in story.events for channel in channels_of(event)]
    ids = sorted({channel.uniqueid for channel in real} | {events.Uniqueid("1.1")})
    made = st.builds(
        events.Channel,
        uniqueid=st.sampled_from(ids),
        linkedid=st.sampled_from(ids).map(events.Linkedid),
        name=st.sampled_from(sorted({channel.name for channel in real})) | words,
        state=st.integers(-1, 9),
        caller=words,
        connected=words,
        context=words,
        exten=words,
    )
    return st.sampled_from(real) | made


def garbage(story: Story) -> st.SearchStrategy[Event]:
    """One event of any kind, about channels that exist or do not, with anything in it."""
    channels = garbage_channels(story)
    bridges = {event.bridge for event in story.events if isinstance(event, events.BridgeEnter)}
    some_bridge = st.sampled_from(sorted(bridges | {events.BridgeId("no bridge")}))
    some_id = channels.map(lambda channel: channel.uniqueid)
    at = st.sampled_from([event.at for event in story.events]).flatmap(lambda at: st.floats(at - 50, at + 50))
    values: dict[object, st.SearchStrategy[object]] = {
        float: at,
        events.Channel: channels,
        events.Channel | None: st.none() | channels,
        events.BridgeId: some_bridge,
        events.BridgeId | None: st.none() | some_bridge,
        events.Uniqueid: some_id,
        events.Uniqueid | None: st.none() | some_id,
        int: st.integers(-1, 200),
        int | None: st.none() | st.integers(-1, 200),
        bool: st.booleans(),
        str: words,
        tuple[tuple[str, str], ...]: st.lists(st.tuples(words, words), max_size=3).map(tuple),
    }
    return st.sampled_from(KINDS).flatmap(
        lambda kind: st.builds(kind, **{name: values[hint] for name, hint in get_type_hints(kind).items()})
    )


@given(st.data(), stories, st.sampled_from(SETTINGS))
def test_garbage_between_the_events_breaks_no_invariant(data: st.DataObject, story: Story, settings: Settings) -> None:
    history = list(story.events)
    for event in data.draw(st.lists(garbage(story), min_size=1, max_size=12)):
        history.insert(data.draw(st.integers(0, len(history))), event)
    check_lossy(story, history, settings)


@given(st.data(), stories, st.sampled_from(SETTINGS))
def test_nothing_but_garbage_breaks_no_invariant(data: st.DataObject, story: Story, settings: Settings) -> None:
    check_lossy(story, data.draw(st.lists(garbage(story), max_size=40)), settings)
