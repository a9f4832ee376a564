"""`demo`: the whole product on one machine; what is shown is what the embedded Planfix received."""

from collections import defaultdict

import pytest

from ami_planfix.demo.runner import Audience, Demo
from ami_planfix.demo.stories import STORIES, messages_of
from tests.cli.running import CAPTURES, ami_planfix


def test_it_shows_every_call_and_ends_well() -> None:
    result = ami_planfix("demo")
    assert result.status == 0, result.err
    for story in STORIES:
        assert f"\n{story.title}\n" in result.out
    assert result.err.startswith(f"{len(STORIES)} calls, 25 reports, 0 calls not as they should be")
    lines = [line.split() for line in result.out.splitlines()]
    assert ["COMPLETED", "in", "102", "79101234567", "74951230002", "Success", "1"] in [line[1:] for line in lines]


def test_as_json_it_shows_the_fields_that_were_sent_and_no_token() -> None:
    result = ami_planfix("demo", "--json")
    assert result.status == 0, result.err
    assert "planfix_token" not in result.out
    by_call: dict[object, list[object]] = defaultdict(list)
    for row in result.rows:
        if row["cmd"] == "event":
            by_call[row["callid"]].append(row["event"])
    assert len(by_call) == len(STORIES)
    assert sum(map(len, by_call.values())) == sum(len(story.expected) for story in STORIES)


async def test_what_does_not_come_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    from ami_planfix.demo import runner

    monkeypatch.setattr(runner, "LIMIT", 5.0)
    story = STORIES[2]._replace(expected=(*STORIES[2].expected, "COMPLETED 999 Success"))
    heard = await Demo(Audience(), (story,), speed=0).run()
    assert sorted(heard[story.title]) == sorted(STORIES[2].expected)


def test_the_stories_are_those_of_the_captures() -> None:
    from ami_planfix.ami import capture

    for one in STORIES:
        (original,) = CAPTURES.glob(f"*/{one.capture}.ami")
        assert list(messages_of(one)) == list(capture.read(original))
