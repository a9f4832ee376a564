"""When people are told: after a while, once, and once when it is over; what flaps does not spam."""

from collections.abc import Callable

import pytest

from ami_planfix.alerts.deciding import CALMEST, REMEMBERED, Alert, Judge, Stage
from ami_planfix.alerts.looking import Sight, Trouble

AFTER = 120.0
EVERY = 5.0
START = 1_795_440_000.0


class Story:
    """Looks every few seconds, and keeps what was told at which second."""

    def __init__(self, after: float = AFTER) -> None:
        self.judge = Judge(after)
        self.known: dict[Trouble, Alert] = {}
        self.now = START
        self.told: list[tuple[str, float]] = []

    def goes(self, seconds: float, wrong: bool, since: float | None = None) -> "Story":
        """Let time go by."""
        end = self.now + seconds
        while self.now < end:
            self.now += EVERY
            self.look(Sight(Trouble.ASTERISK, wrong, "Connection refused", since))
        return self

    def look(self, *sights: Sight) -> None:
        for alert in self.judge.judge(self.known, sights, self.now, EVERY):
            self.known[alert.trouble] = alert
            self.told.append((alert.stage.value, self.now - START))

    def dies(self) -> "Story":
        """Forget what is not kept in storage."""
        self.judge = Judge(AFTER)
        return self

    @property
    def stages(self) -> list[str]:
        return [stage for stage, _ in self.told]


class TestBegin:
    def test_what_is_well_tells_nobody(self) -> None:
        assert Story().goes(10_000, wrong=False).told == []

    def test_it_is_told_once_it_has_been_wrong_for_long_enough(self) -> None:
        assert Story().goes(600, wrong=True).told == [("began", AFTER)]

    def test_a_restart_of_seconds_tells_nobody(self) -> None:
        story = Story()
        for _ in range(20):
            story.goes(60, wrong=True).goes(600, wrong=False)
        assert story.told == []

    def test_it_says_since_when_it_was_so_in_truth(self) -> None:
        story = Story().goes(300, wrong=False).goes(200, wrong=True, since=START + 301)
        assert story.known[Trouble.ASTERISK].since == START + 301

    def test_what_is_away_for_half_of_the_time_is_wrong(self) -> None:
        story = Story()
        for _ in range(10):
            story.goes(30, wrong=True).goes(30, wrong=False)
        assert story.stages[:1] == ["began"]

    def test_troubles_are_told_apart(self) -> None:
        story = Story()
        for _ in range(30):
            story.now += EVERY
            story.look(Sight(Trouble.ASTERISK, True), Sight(Trouble.TOKEN, False), Sight(Trouble.REPORTS, True))
        assert set(story.known) == {Trouble.ASTERISK, Trouble.REPORTS}


class TestEnd:
    def test_it_is_told_once_it_has_been_well_for_as_long(self) -> None:
        story = Story().goes(600, wrong=True).goes(600, wrong=False)
        assert story.told == [("began", 120.0), ("over", 720.0)]
        assert story.known[Trouble.ASTERISK].until == START + 605

    def test_what_cannot_be_seen_is_neither_wrong_nor_well(self) -> None:
        story = Story().goes(600, wrong=True)
        for _ in range(1000):
            story.now += EVERY
            story.look()
        assert story.stages == ["began"]

    def test_a_restart_of_the_daemon_tells_nothing_twice(self) -> None:
        assert Story().goes(600, wrong=True).dies().goes(600, wrong=True).stages == ["began"]

    def test_a_restart_of_the_daemon_does_not_forget_the_end(self) -> None:
        assert Story().goes(600, wrong=True).dies().goes(600, wrong=False).stages == ["began", "over"]


class TestFlapping:
    @pytest.mark.parametrize("minutes", [1, 3, 5, 10, 20])
    def test_a_day_of_it_tells_a_few_times(self, minutes: int) -> None:
        story = Story()
        for _ in range(24 * 60 // (2 * minutes)):
            story.goes(60 * minutes, wrong=True).goes(60 * minutes, wrong=False)
        assert 1 <= story.stages.count("began") <= 6
        assert story.stages == (["began", "over"] * 6)[: len(story.stages)]

    def test_in_the_end_it_is_over(self) -> None:
        story = Story()
        for _ in range(50):
            story.goes(300, wrong=True).goes(300, wrong=False)
        assert story.goes(2 * CALMEST, wrong=False).stages[-1] == "over"

    def test_the_next_day_it_is_news_again(self) -> None:
        story = Story()
        for _ in range(5):
            story.goes(600, wrong=True).goes(REMEMBERED + 600, wrong=False)
        assert story.stages == ["began", "over"] * 5
        assert {alert.again for alert in story.known.values()} == {0}


class TestWays:
    ALERT = Alert(Trouble.TOKEN, START)

    def test_each_way_owes_the_beginning_until_it_has_told_it(self) -> None:
        told = self.ALERT.told("mail", Stage.BEGAN, ["mail", "webhook"])
        assert (told.owes("mail"), told.owes("webhook")) == (False, True)

    def test_when_all_have_told_the_end_it_is_settled(self) -> None:
        over = Alert(Trouble.TOKEN, START, until=START + 60, heard={"mail": Stage.BEGAN})
        once = over.told("mail", Stage.OVER, ["mail", "webhook"])
        assert (once.owes("mail"), once.owes("webhook"), once.settled) == (False, True, False)
        assert once.told("webhook", Stage.OVER, ["mail", "webhook"]).settled

    @pytest.mark.parametrize(
        ("heard", "owes"), [({"mail": Stage.BEGAN}, False), ({"mail": Stage.OVER}, True), ({}, True)]
    )
    def test_who_did_not_hear_of_its_end_need_not_hear_that_it_is_back(
        self, heard: dict[str, Stage], owes: bool
    ) -> None:
        story = Story().goes(600, wrong=True).goes(600, wrong=False)
        over = story.known[Trouble.ASTERISK]
        for way, stage in heard.items():
            over = over.told(way, stage, ["mail"])
        story.known[Trouble.ASTERISK] = over
        story.goes(600, wrong=True)
        assert story.known[Trouble.ASTERISK].owes("mail") is owes


@pytest.mark.parametrize("look", [lambda story: story.goes(60, wrong=True), lambda story: story.goes(60, wrong=False)])
def test_whatever_is_seen_began_and_over_take_turns(look: Callable[[Story], Story]) -> None:
    story = look(Story(after=2.0))
    assert story.stages in ([], ["began"])
