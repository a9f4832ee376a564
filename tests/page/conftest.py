"""A daemon between embedded peers, and one Chromium for all tests of the page."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ami_planfix.demo.planfix import EmbeddedPlanfix
from tests.daemon_process import PBX_TOKEN, Place
from tests.load.exchange import Exchange
from tests.load.home import place_beside
from tests.page.browser import Browser, chromium


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


class Scene:
    """A running daemon, its peers, and the address of its page."""

    def __init__(self, place: Place, exchange: Exchange) -> None:
        self.place, self.exchange = place, exchange
        self.url = f"http://127.0.0.1:{place.admin_port}/"

    @property
    def planfix(self) -> EmbeddedPlanfix:
        return self.place.planfix


@pytest_asyncio.fixture(loop_scope="package")
async def scene(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    """Start all; a parameter is what the section `admin` has more."""
    (tmp_path / "recordings").mkdir()
    async with (
        Exchange() as exchange,
        EmbeddedPlanfix(pbx_token=PBX_TOKEN, pbx_url="https://pbx.example.com/planfix") as planfix,
    ):
        place = place_beside(exchange, planfix, tmp_path)
        place.sections["recordings"] = {"directory": f"{tmp_path}/recordings", "cache": f"{tmp_path}/cache"}
        place.sections["dids"] = [{"number": "74951230001", "name": "<b>Sales</b>"}]
        admin = place.sections["admin"]
        assert isinstance(admin, dict)
        admin |= getattr(request, "param", {})
        place.write_config()
        async with place.daemon():
            await place.logged_in()
            yield Scene(place, exchange)
