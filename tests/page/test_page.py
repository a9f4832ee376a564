"""The page as a person has it: in a real Chromium, beside a running daemon."""

import asyncio

import pytest

from ami_planfix.demo.planfix import refuse
from tests.load.player import Player
from tests.page.browser import Browser, Page
from tests.page.conftest import Scene

pytestmark = [pytest.mark.chromium, pytest.mark.asyncio(loop_scope="package")]

ANSWERED = "hunt/hunt_third_answers"
OUTGOING = "outgoing/out_answered"
ALL_WELL = "document.querySelector('#verdict.well')"
HOLD = """(() => {
  const list = document.querySelector("#calls ol");
  window.held = list.children[Math.floor(list.children.length / 2)];
  held.querySelector("button").focus();
  const seen = new Set(list.children);
  window.known = () => seen.size;
  window.moved = 0;
  new MutationObserver((all) => {
    for (const node of all.flatMap((one) => [...one.addedNodes])) {
      if (seen.has(node)) moved += 1;
      seen.add(node);
    }
  }).observe(list, { childList: true });
})()"""
"""Puts the focus on a call, and counts nodes that are moved though they were there."""


def count(selector: str, at_least: int = 1) -> str:
    return f"document.querySelectorAll({selector!r}).length >= {at_least}"


def reads(selector: str, text: str) -> str:
    return f"document.querySelector({selector!r})?.innerText.includes({text!r})"


async def with_a_dead_letter(scene: Scene, browser: Browser, language: str = "en") -> Page:
    scene.planfix.fault_for = lambda fields: (
        refuse("no such <i>employee</i>") if "ACCEPTED" in fields.values() else None
    )
    page = await browser.open(scene.url, language=language)
    await scene.place.play(ANSWERED)
    await page.until(count("#outbox li.dead .what"))
    return page


class TestQuiet:
    async def test_all_is_well_and_every_empty_place_says_something(self, scene: Scene, browser: Browser) -> None:
        page = await browser.open(scene.url)
        await page.until(ALL_WELL)
        assert await page.text("#verdict") == "All is well"
        for section, said in (
            ("#calls", "It is quiet"),
            ("#outbox", "Planfix has everything"),
            ("#errors", "None since"),
            ("#today", "No call has ended"),
            ("#recordings", "No recording is waited for"),
            ("#lookups", "Nobody has asked"),
        ):
            assert said in await page.text(section)
        assert await page.text("#pulse") == "live"
        assert page.complaints == []
        assert {address.rpartition("/")[0].removesuffix("/static") for address in page.asked} == {scene.url.rstrip("/")}

    async def test_in_russian_on_a_phone_nothing_is_wider_than_the_screen(self, scene: Scene, browser: Browser) -> None:
        page = await browser.open(scene.url, 360, 740, dark=True, language="ru-RU,ru;q=0.9")
        await page.until(ALL_WELL)
        assert await page.text("#verdict") == "Всё в порядке"
        assert await page.run("document.documentElement.scrollWidth") <= 360
        assert await page.run("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
        await page.click("nav a")
        await page.until(reads("#verdict", "All is well"))


class TestCalls:
    async def test_calls_move_as_they_are_and_go_when_they_are_over(self, scene: Scene, browser: Browser) -> None:
        page = await browser.open(scene.url)
        await page.until(ALL_WELL)
        player = Player(scene.exchange, seed=3, rate=1000, speed=8)
        await player.play(20)
        await page.until(count("#today svg rect", 2))
        await page.until("document.querySelectorAll('#calls li').length === 0")
        assert "It is quiet" in await page.text("#calls")
        assert int(await page.text("#today .count")) > 5
        assert page.complaints == []

    async def test_fifty_calls_while_planfix_is_down(self, scene: Scene, browser: Browser) -> None:
        await scene.planfix.stop()
        player = Player(scene.exchange, seed=4, rate=1000, speed=0.25)
        playing = asyncio.create_task(player.play(120))
        try:
            page = await browser.open(scene.url)
            phone = await browser.open(scene.url, 390, 844, dark=True, language="ru")
            for each in (page, phone):
                await each.until(count("#calls li", 50))
            await page.until(reads("#verdict.waiting", "Planfix does not answer"))
            await page.until(reads("#verdict", "Reports wait here; none is lost"))
            await phone.until(reads("#verdict.waiting", "ни одно не потеряно"))
            assert "Планфикс не отвечает" in await phone.text("#verdict")
            assert await phone.run("document.documentElement.scrollWidth") <= 390
            await self.focus_and_scroll_stay(page, scene)
        finally:
            playing.cancel()
        assert page.complaints + phone.complaints == []

    @staticmethod
    async def focus_and_scroll_stay(page: Page, scene: Scene) -> None:
        """Hold a call in hand while others come: nothing jumps, and no node is made anew."""
        await page.click("#calls .more")
        await page.run(HOLD)
        before = await page.run("known()")
        more = asyncio.create_task(Player(scene.exchange, seed=9, rate=1000, speed=1).play(20))
        try:
            await page.until(f"known() >= {before} + 5")
        finally:
            more.cancel()
        assert await page.run("document.activeElement === held.querySelector('button')")
        assert await page.run("held.isConnected && moved === 0")

    async def test_a_callers_name_is_text_and_no_markup(self, scene: Scene, browser: Browser) -> None:
        page = await browser.open(scene.url)
        playing = asyncio.create_task(Player(scene.exchange, seed=4, rate=1000, speed=0.25).play(60))
        try:
            await page.until(reads("#calls ol", "<b>Sales</b>"))
        finally:
            playing.cancel()
        assert await page.run("document.querySelectorAll('#calls li b b').length") == 0


class TestOutbox:
    async def test_a_refused_report_is_sent_again_at_a_click(self, scene: Scene, browser: Browser) -> None:
        page = await with_a_dead_letter(scene, browser)
        assert "no such <i>employee</i>" in await page.text("#outbox")
        assert "Planfix refused some reports" in await page.text("#verdict")
        scene.planfix.fault_for = lambda _: None
        await page.click("#outbox li.dead:not(.reason) button:not(.what)")
        await page.until(reads("#outbox", "Planfix has everything"))
        await scene.planfix.wait_for(lambda _: "ACCEPTED 103" in scene.planfix.events())
        assert page.complaints == []

    async def test_a_report_is_given_up_only_at_the_second_click(self, scene: Scene, browser: Browser) -> None:
        page = await with_a_dead_letter(scene, browser, "ru")
        await page.click("#outbox li.dead:not(.reason) button:last-child")
        assert await page.text("#outbox li.dead:not(.reason) button:last-child") == "Точно отбросить?"
        assert await page.run("document.querySelectorAll('#outbox li.dead .what').length") == 1
        await page.click("#outbox li.dead:not(.reason) button:last-child")
        await page.until(reads("#outbox", "Планфикс получил всё"))
        assert "ACCEPTED 103" not in scene.planfix.events()

    async def test_what_happened_in_its_call_opens_and_closes(self, scene: Scene, browser: Browser) -> None:
        page = await with_a_dead_letter(scene, browser)
        await page.click("#outbox li.dead .what")
        await page.until(count("#timeline li"))
        told = await page.text("#timeline")
        assert "103 rings: new -> ringing (rule 1)" in told
        assert "dead: Planfix at 127.0.0.1 refused it: 400 no such <i>employee</i>" in told
        assert "an employee's phone begins to ring" in told
        await page.click("#timeline .close")
        assert not await page.run("document.getElementById('timeline').open")

    async def test_a_call_is_found_by_a_part_of_its_number(self, scene: Scene, browser: Browser) -> None:
        page = await browser.open(scene.url)
        await scene.place.play(OUTGOING)
        await scene.place.heard(3)
        await page.until(ALL_WELL)  # until it has been told all, the page is not seen, and takes no focus
        await page.run("document.querySelector('#find input').focus()")
        await page.type("910123")
        await page.until(reads("#timeline", "OUTGOING ext=101"))


class TestTroubles:
    @pytest.mark.parametrize("scene", [{"password": "a quiet evening"}], indirect=True)
    async def test_the_password_opens_the_page_and_logging_out_closes_it(self, scene: Scene, browser: Browser) -> None:
        page = await browser.open(scene.url, 390, 844)
        await page.until("document.activeElement.id === 'password'")
        await page.type("not this one")
        await page.until(reads("form", "That is not the password"))
        await page.run("document.getElementById('password').focus()")
        await page.type("a quiet evening")
        await page.until(ALL_WELL)
        await page.click("#log-out")
        await page.until("document.getElementById('password')")
        await page.go(scene.url)
        assert await page.run("location.pathname") == "/login"
