"""What people were told of, on the page."""

import asyncio
from pathlib import Path

import pytest

from ami_planfix.demo.planfix import EmbeddedPlanfix, refuse_token
from tests.alerts.receiving import Hook
from tests.daemon_process import PBX_TOKEN
from tests.load.exchange import Exchange
from tests.load.home import place_beside
from tests.page.browser import Browser

pytestmark = [pytest.mark.chromium, pytest.mark.asyncio(loop_scope="package")]


async def test_what_is_told_stands_there_until_it_is_over(browser: Browser, tmp_path: Path) -> None:
    planfix = EmbeddedPlanfix(pbx_token=PBX_TOKEN, pbx_url="https://pbx.example.com/planfix")
    async with Exchange() as exchange, planfix, Hook().listening() as hook:
        place = place_beside(exchange, planfix, tmp_path)
        (tmp_path / "monitor").mkdir()
        place.sections["recordings"] = {"directory": f"{tmp_path}/monitor", "cache": f"{tmp_path}/cache"}
        place.sections["alerts"] = {"after": 2, "webhook": {"url": hook.url}}
        place.write_config()
        planfix.fault_for = lambda _: refuse_token()
        async with place.daemon() as daemon:
            page = await browser.open(f"http://127.0.0.1:{place.admin_port}/", language="ru")
            await page.until("document.querySelectorAll('#alerts li').length === 1")
            assert "Планфикс не принимает наш ключ" in await page.text("#alerts")
            assert "вебхуком" in await page.text("#alerts")
            planfix.fault_for = lambda _: None
            assert (await planfix.setup(place.url, PBX_TOKEN))[0] == 200
            await asyncio.gather(daemon.logged("alert over"), page.until("document.querySelector('#alerts').hidden"))
            assert page.complaints == []
