"""What the page says when something is not as it should be, and that everybody can read it."""

from pathlib import Path

import pytest

from tests.daemon_process import PBX_TOKEN
from tests.page.browser import Browser, Page
from tests.page.office import AFTERNOON, TO_BE_SET_UP, office, rush

pytestmark = [pytest.mark.chromium, pytest.mark.asyncio(loop_scope="package")]

SHIFTS = """window.shifted = 0;
new PerformanceObserver((all) => { for (const one of all.getEntries()) shifted += one.value; })
  .observe({ type: "layout-shift", buffered: true });"""
FAINT = r"""(() => {
  const read = (colour) => (colour.match(/[\d.]+/g) || []).map(Number);
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((one) => one / 255)
      .map((one) => (one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const colour = read(getComputedStyle(one).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || !node.checkVisibility()) continue;
    const style = getComputedStyle(node);
    const [more, less] = [light(read(node.closest("svg") ? style.fill : style.color)), light(behind(node))]
      .sort((one, other) => other - one);
    if ((more + 0.05) / (less + 0.05) < 4.5) faint.push(texts.currentNode.textContent);
  }
  return faint;
})()"""
"""Texts that stand out from what is behind them by less than 4.5 to 1 (WCAG 2, AA)."""


def text_in(selector: str, text: str) -> str:
    return f"document.querySelector({selector!r})?.innerText.includes({text!r})"


def shown(selector: str) -> str:
    """Give how many of these are to be seen."""
    return f"[...document.querySelectorAll({selector!r})].filter((one) => one.checkVisibility()).length"


async def press(page: Page, key: str) -> None:
    code = {"Tab": 9, "Enter": 13, "Escape": 27}[key]
    for kind in ("keyDown", "keyUp"):
        told = {"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code}
        await page.send("Input.dispatchKeyEvent", told | ({"text": "\r"} if key == "Enter" else {}))


class TestFiftyCallsAndPlanfixDown:
    async def test_the_reason_is_said_once_and_the_rest_is_a_click_away(self, browser: Browser, tmp_path: Path) -> None:
        async with office(tmp_path) as scene:
            await scene.planfix.stop()
            await scene.talk(*rush())
            page = await browser.open(scene.url)
            await page.until("document.querySelectorAll('#calls ol li').length === 50")
            await page.until(text_in("#outbox", "Connection refused"))
            await page.until("document.querySelectorAll('#outbox li').length > 20")
            await page.until(text_in("#verdict", "Planfix does not answer"))
            told = await page.text("#outbox")
            assert told.count("cannot be reached: Connection refused") == 1
            assert (await page.text("#verdict")).count("cannot be reached") == 1
            assert await page.run(shown("#calls ol li")) == 12
            assert await page.run("document.documentElement.scrollHeight") < 2 * 1000
            await page.click("#calls .more")
            assert await page.run(shown("#calls ol li")) == 50
            assert await page.run("document.querySelector('#calls .more').getAttribute('aria-expanded')") == "true"
            assert page.complaints == []

    @pytest.mark.parametrize("dark", [False, True])
    async def test_all_can_be_read_and_nothing_jumps(self, browser: Browser, tmp_path: Path, dark: bool) -> None:
        async with office(tmp_path) as scene:
            await scene.planfix.stop()
            await scene.talk(*rush())
            page = await browser.open("about:blank", 360, 740, dark=dark, language="ru")
            await page.send("Page.addScriptToEvaluateOnNewDocument", {"source": SHIFTS})
            await page.go(scene.url)
            await page.until("document.querySelectorAll('#outbox li').length > 3")
            await page.until(text_in("#verdict", "Планфикс не отвечает"))
            assert await page.run("shifted") < 0.1  # what browsers call good
            assert await page.run(FAINT) == []
            assert await page.run("document.documentElement.scrollWidth") <= 360


class TestNotAsItShouldBe:
    async def test_a_fresh_installation_says_what_is_to_be_pasted_until_it_is(
        self, browser: Browser, tmp_path: Path
    ) -> None:
        async with office(tmp_path, day=False, planfix=TO_BE_SET_UP) as scene:
            page = await browser.open(scene.url)
            await page.until(text_in("#verdict", "Planfix does not know this PBX yet"))
            assert "https://pbx.example.com/planfix" in await page.text("#setup")
            status, _ = await scene.planfix.setup(scene.place.url, PBX_TOKEN)
            assert status == 200
            await page.until("document.querySelector('#verdict.well')")
            assert await page.run(shown("#setup")) == 0

    async def test_without_asterisk_calls_stand_still_and_say_so(self, browser: Browser, tmp_path: Path) -> None:
        async with office(tmp_path) as scene:
            await scene.talk(*AFTERNOON)
            page = await browser.open(scene.url)
            await page.until("document.querySelectorAll('#calls ol li').length === 6")
            await scene.exchange.die()
            await page.until(text_in("#verdict.waiting", "No connection to Asterisk"))
            assert "Asterisk is not heard since" in await page.text("#calls")
            assert await page.run("document.title") == "! ami-planfix"
            times = "[...document.querySelectorAll('#calls .time')].map((one) => one.innerText).join()"
            before = await page.run(times)
            await page.run("window.began = performance.now()")
            await page.until("performance.now() > began + 1500")
            assert await page.run(times) == before

    async def test_a_daemon_that_is_gone_is_no_daemon_that_is_well(self, browser: Browser, tmp_path: Path) -> None:
        async with office(tmp_path) as scene:
            page = await browser.open(scene.url)
            await page.until("document.querySelector('#verdict.well')")
            await scene.process.kill()
            await page.until(text_in("#verdict.failed", "The daemon does not answer since"))
            async with scene.place.daemon():
                await page.until("document.querySelector('#verdict.well')")
                assert await page.text("#pulse") == "live"


class TestWithoutMouseAndMotion:
    async def test_a_timeline_opens_and_closes_by_the_keyboard(self, browser: Browser, tmp_path: Path) -> None:
        async with office(tmp_path, day=False) as scene:
            await scene.talk(AFTERNOON[-1])
            page = await browser.open(scene.url)
            await page.until("document.querySelectorAll('#calls ol li').length === 1")
            for _ in range(20):
                if await page.run("document.activeElement.closest('#calls ol') !== null"):
                    break
                await press(page, "Tab")
            await press(page, "Enter")
            await page.until(text_in("#timeline", "106 rings"))
            await press(page, "Escape")
            await page.until("!document.getElementById('timeline').open")
            assert await page.run("document.activeElement.closest('#calls ol') !== null")
            moves = (
                "document.getAnimations().length + getComputedStyle(document.querySelector('#calls li')).animationName"
            )
            still = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
            await page.send("Emulation.setEmulatedMedia", still)
            assert await page.run(moves) == "0none"
