"""Two daemons on one PBX and one PostgreSQL: one of them tells, whichever of them lives."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from ami_planfix.demo.asterisk import Asterisk
from ami_planfix.demo.planfix import EmbeddedPlanfix, refuse
from tests.alerts.receiving import Hook
from tests.daemon_process import Place, Process

pytestmark = pytest.mark.postgresql

OUTGOING = "outgoing/out_answered"


class Pair:
    """Both, and who is told by them."""

    def __init__(self, asterisk: Asterisk, planfix: EmbeddedPlanfix, hook: Hook, places: list[Place]) -> None:
        self.asterisk, self.planfix, self.hook, self.places = asterisk, planfix, hook, places
        self.daemons: list[Process] = []

    async def told(self, *wanted: str) -> None:
        await self.hook.until(lambda told: len(told) >= len(wanted))
        assert [f"{one['event']} {one['trouble']}" for one in self.hook.received] == list(wanted)


@pytest.fixture
async def pair(tmp_path: Path, postgresql_url: str) -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:
        asterisk = await stack.enter_async_context(Asterisk(devices=[{"Device": "PJSIP/101"}]))
        planfix = await stack.enter_async_context(EmbeddedPlanfix())
        hook = await stack.enter_async_context(Hook().listening())
        places = []
        for name in ("one", "other"):
            (tmp_path / name / "monitor").mkdir(parents=True)
            place = Place(asterisk, planfix, tmp_path / name)
            place.sections["recordings"] = {"directory": f"{tmp_path}/{name}/monitor"}
            place.sections["storage"] = {"url": postgresql_url}
            place.sections["alerts"] = {"after": 2, "outbox_age": 600, "webhook": {"url": hook.url}}
            place.write_config()
            places.append(place)
        found = Pair(asterisk, planfix, hook, places)
        for place in places:
            found.daemons.append(await stack.enter_async_context(place.daemon()))
            await found.daemons[-1].logged("ami connected")
        yield found


async def test_one_tells_and_when_it_is_killed_the_other_tells_the_end(pair: Pair) -> None:
    pair.planfix.fault_for = lambda _: refuse("No employee has this short code")
    await pair.places[0].play(OUTGOING)
    await pair.told("began refused")
    senior, junior = pair.daemons
    await senior.logged("alert sent")
    await senior.kill()
    pair.planfix.fault_for = lambda _: None
    await pair.places[1].order("/deliveries/retry", {"ids": None})
    await pair.told("began refused", "over refused")
    await junior.logged("alert over")
    assert await junior.end() == 0
    await pair.told("began refused", "over refused")


async def test_a_pbx_that_one_of_them_hears_is_not_gone(pair: Pair) -> None:
    senior, junior = pair.daemons
    pair.places[0].sections["ami"] = {"port": pair.places[0].sections["ami"]["port"], "secret": "wrong"}  # type: ignore[call-overload]
    pair.places[0].write_config()
    await senior.kill()
    await senior.end()
    pair.planfix.fault_for = lambda _: refuse("No employee has this short code")
    async with pair.places[0].daemon() as back:
        await back.logged("ami login refused")
        await pair.places[1].play(OUTGOING)  # what is told after it has been away for longer than `after`
        await pair.told("began refused")
        await junior.logged("alert sent")
