"""A recorded call whose link would lead nowhere is not called recorded: Planfix would wait for it for ever."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ami_planfix.demo.asterisk import Asterisk
from ami_planfix.demo.planfix import EmbeddedPlanfix
from tests.cli.running import ami_planfix
from tests.daemon_process import CAPTURES, Place

STORY = "recording/recorded_from_the_answer_on"
URL: dict[str, object] = {"url": "https://records.example.com/{path}"}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with Asterisk() as asterisk, EmbeddedPlanfix() as planfix:
        yield Place(asterisk, planfix, tmp_path)


@pytest.mark.parametrize(
    ("server", "recordings", "said"), [(True, {}, "1"), (False, URL, "1"), (False, {}, "0")], ids=["server", "url", ""]
)
async def test_is_recorded_is_said_only_where_links_lead_somewhere(
    place: Place, server: bool, recordings: dict[str, object], said: str
) -> None:
    place.sections["recordings"] = {"directory": str(place.folder), **recordings}
    if not server:
        del place.sections["server"]
    place.write_config()
    async with place.daemon() as daemon:
        await place.logged_in()
        await place.play(STORY)
        await place.heard(3)
        (end,) = [one.fields for one in place.planfix.taken if one.event.endswith("Success")]
        told = await asyncio.to_thread(ami_planfix, "explain", end["callid"], "-c", place.config_file)
        assert await daemon.end() == 0
    assert end["is_recorded"] == said
    assert f"is_recorded={said}" in told.out
    off = [line["reason"] for line in daemon.log if line["event"] == "recordings off"]
    assert [("is_recorded=0" in reason) for reason in off] == ([True] if said == "0" else [])


async def test_an_observer_says_the_same(place: Place) -> None:
    del place.sections["server"]
    place.write_config()
    async with place.daemon("--observe") as daemon:
        await place.logged_in()
        await place.play(STORY)
        end = await daemon.logged("report observed", report="COMPLETED")
    assert end["is_recorded"] == "0"


def test_replay_tells_what_asterisk_did() -> None:
    done = ami_planfix("replay", str(CAPTURES / f"{STORY}.ami"))
    assert '"is_recorded": 1' in done.out
