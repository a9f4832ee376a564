"""What counts as wrong, by what each part says, the outbox, and a certificate that is really read."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from ami_planfix.alerts.looking import Looking, Sight, Trouble, Unsent
from ami_planfix.errors import StorageError
from ami_planfix.status import Board, State

NOW = 1_795_440_000.0
NOTHING = Unsent(0, None, 0)


class Scene:
    """Parts that say what a test wants."""

    def __init__(self) -> None:
        self.board = Board(lambda: NOW)
        self.unsent: Unsent | None = NOTHING
        self.others = False
        self.looking = Looking(self.board, self._unsent, self._others, 600, clock=lambda: NOW)

    async def wrong(self) -> dict[Trouble, bool]:
        return {sight.trouble: sight.wrong for sight in await self.looking.look()}

    async def _unsent(self) -> Unsent:
        if self.unsent is None:
            raise StorageError("gone")
        return self.unsent

    async def _others(self) -> bool:
        if self.unsent is None:
            raise StorageError("gone")
        return self.others


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_of_what_has_not_spoken_yet_nothing_is_known(scene: Scene) -> None:
    assert await scene.wrong() == {Trouble.REFUSED: False, Trouble.REPORTS: False}


@pytest.mark.parametrize(
    ("part", "trouble"),
    [
        ("storage", Trouble.STORAGE),
        ("server", Trouble.SERVER),
        ("fastagi", Trouble.FASTAGI),
        ("recordings", Trouble.RECORDINGS),
        ("planfix", Trouble.TOKEN),
    ],
)
async def test_a_part_that_failed_is_wrong(scene: Scene, part: str, trouble: Trouble) -> None:
    scene.board.say(part, State.FAILED, "words")
    assert Sight(trouble, True, "words", NOW) in await scene.looking.look()
    scene.board.say(part, State.WELL)
    assert (await scene.wrong())[trouble] is False


@pytest.mark.parametrize("part", ["server", "recordings", "planfix"])
async def test_what_is_switched_off_is_neither(scene: Scene, part: str) -> None:
    scene.board.say(part, State.OFF)
    assert set(await scene.wrong()) == {Trouble.REFUSED, Trouble.REPORTS}


class TestAsterisk:
    async def test_it_is_gone_when_nobody_hears_it(self, scene: Scene) -> None:
        scene.board.say("asterisk", State.WAITING, "Connection refused")
        assert (await scene.wrong())[Trouble.ASTERISK] is True
        scene.others = True
        assert (await scene.wrong())[Trouble.ASTERISK] is False

    async def test_that_the_database_is_gone_as_well_hides_nothing(self, scene: Scene) -> None:
        scene.board.say("asterisk", State.WAITING, "Connection refused")
        scene.unsent = None
        assert await scene.wrong() == {Trouble.ASTERISK: True}


class TestOutbox:
    @pytest.mark.parametrize(("oldest", "late"), [(None, False), (NOW - 599, False), (NOW - 601, True)])
    async def test_reports_may_wait_for_a_while(self, scene: Scene, oldest: float | None, late: bool) -> None:
        scene.unsent = Unsent(3, oldest, 0)
        assert (await scene.wrong())[Trouble.REPORTS] is late
        assert scene.looking.unsent.waiting == 3

    async def test_the_reason_is_planfixs(self, scene: Scene) -> None:
        scene.unsent = Unsent(3, NOW - 601, 0)
        scene.board.say("planfix", State.WAITING, "did not answer within 10 s")
        assert Sight(Trouble.REPORTS, True, "did not answer within 10 s", NOW - 601) in await scene.looking.look()

    async def test_that_they_wait_is_no_news_while_the_token_is_refused(self, scene: Scene) -> None:
        scene.unsent = Unsent(3, NOW - 601, 1)
        scene.board.say("planfix", State.FAILED, "401")
        assert await scene.wrong() == {Trouble.TOKEN: True, Trouble.REFUSED: True}

    async def test_a_planfix_that_does_not_answer_says_nothing_of_our_token(self, scene: Scene) -> None:
        scene.board.say("planfix", State.WAITING, "did not answer")
        assert Trouble.TOKEN not in await scene.wrong()


class TestCertificate:
    @pytest.mark.parametrize(("days", "wrong"), [(90, False), (15, False), (13, True), (-1, True)])
    async def test_it_must_hold_for_two_weeks(self, tmp_path: Path, days: int, wrong: bool) -> None:
        ends = datetime.now(UTC) + timedelta(days=days)
        made = trustme.CA().issue_cert(
            "pbx.example.com", not_before=datetime.now(UTC) - timedelta(days=99), not_after=ends
        )
        files = tmp_path / "fullchain.pem", tmp_path / "privkey.pem"
        for one in made.cert_chain_pems:
            one.write_to_path(str(files[0]), append=True)
        made.private_key_pem.write_to_path(str(files[1]))
        (found,) = await self.look(*files)
        assert found.wrong is wrong
        assert str(files[0]) in found.words

    async def test_files_that_cannot_be_read_are_for_the_listener_to_tell(self, tmp_path: Path) -> None:
        assert await self.look(tmp_path / "none", tmp_path / "none") == []

    async def look(self, certificate: Path, key: Path) -> list[Sight]:
        scene = Scene()
        looking = Looking(scene.board, scene._unsent, scene._others, 600, (certificate, key))
        return [sight for sight in await looking.look() if sight.trouble is Trouble.CERTIFICATE]
