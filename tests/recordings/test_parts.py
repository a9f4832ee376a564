"""What the configuration makes of recordings."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from ami_planfix.config.model import Config
from ami_planfix.outbox import Outbox
from ami_planfix.recordings.parts import Recordings, make_recordings
from ami_planfix.status import Board, State
from ami_planfix.storage.database import Database
from tests.recordings.conftest import PUBLIC, recorded

SERVER = {"public_url": PUBLIC, "token": "a-long-word-of-our-own"}
FILE = "/var/spool/asterisk/monitor/2023/11/14/in-1.wav"
Make = Callable[[dict[str, object]], Awaitable[Recordings | None]]


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
async def make(database: Database, board: Board, tmp_path: Path) -> AsyncIterator[Make]:
    async with AsyncExitStack() as stack:

        async def made(sections: dict[str, object]) -> Recordings | None:
            config = Config.model_validate(sections)
            outbox = Outbox(database)
            found = await make_recordings(config, database, outbox, lambda: None, lambda _: False, board)
            if found is not None:
                stack.callback(found.close)
            return found

        yield made


async def test_without_a_place_for_links_there_are_none_and_the_board_says_so(make: Make, board: Board) -> None:
    assert await make({}) is None
    assert [(part.part, part.state) for part in board.parts()] == [("recordings", State.OFF)]


class TestLinkInTheReport:
    async def link(self, make: Make, *files: str, **recordings: str) -> str:
        made = await make({"server": SERVER, "recordings": recordings})
        assert made is not None
        return made.link_in(recorded(*files))

    async def test_none_unless_the_administrator_wants_it(self, make: Make) -> None:
        assert await self.link(make, FILE) == ""

    async def test_of_a_recorded_call_it_is_signed(self, make: Make) -> None:
        link = await self.link(make, FILE, link="completed", format="original")
        made = await make({"server": SERVER})
        assert made is not None
        assert link == made.links.link("1700000000.1", FILE, ".wav")

    async def test_at_another_server_it_is_the_address_there(self, make: Make) -> None:
        link = await self.link(make, FILE, link="completed", url="https://records.example.com/{path}")
        assert link == "https://records.example.com/2023/11/14/in-1.wav"

    async def test_none_for_a_recording_that_is_nowhere(self, make: Make) -> None:
        assert await self.link(make, "/etc/passwd", link="completed") == ""
        assert await self.link(make, link="completed") == ""
