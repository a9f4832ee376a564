"""What the parts say of themselves, in one shape."""

from ami_planfix.status import Board, PartState, State


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_last_word_counts_and_since_is_when_the_state_began() -> None:
    clock = Clock()
    board = Board(clock)
    board.say("asterisk", State.WAITING, "connecting")
    clock.now = 110
    board.say("asterisk", State.WAITING, "refused")
    assert board.parts() == (PartState("asterisk", State.WAITING, "refused", 100.0),)
    clock.now = 120
    board.say("asterisk", State.WELL)
    assert board.parts() == (PartState("asterisk", State.WELL, "", 120.0),)


def test_the_summary_names_troubles_only() -> None:
    board = Board()
    board.say("asterisk", State.WELL, "22.10.0")
    board.say("clicks", State.OFF, "not configured")
    assert board.summary() == "all is well"
    board.say("planfix", State.FAILED, "token refused")
    board.say("admin", State.WAITING)
    assert board.summary() == "planfix: token refused; admin: waiting"


def test_listeners_hear_each_change_once() -> None:
    board = Board(Clock())
    heard: list[PartState] = []
    board.listen(heard.append)
    for _ in range(2):
        board.say("asterisk", State.WELL)
    board.say("asterisk", State.FAILED, "login refused")
    assert [part.state for part in heard] == [State.WELL, State.FAILED]
