"""The daemon as its users run it: people are told once that something is wrong, and once that it is over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ami_planfix.demo.asterisk import Asterisk
from ami_planfix.demo.planfix import EmbeddedPlanfix, refuse, refuse_token
from tests.alerts.receiving import Hook, PostOffice
from tests.daemon_process import PBX_TOKEN, Place, Process

OUTGOING = "outgoing/out_answered"
AFTER = 2.0
"""Seconds; until a daemon that starts is connected, Asterisk counts as gone."""


@dataclass
class Night:
    """A PBX at which things go wrong, and those who are told."""

    place: Place
    hook: Hook
    office: PostOffice
    daemon: Process
    stack: AsyncExitStack

    async def told(self, *wanted: str) -> None:
        """Wait until both ways have told this (`began token`), in this order, and no more."""
        await self.hook.until(lambda told: len(told) >= len(wanted))
        await self.office.until(lambda told: len(told) >= len(wanted))
        assert self.by_webhook == list(wanted)
        assert [self._of(mail) for mail in self.office.received] == list(wanted)

    @property
    def by_webhook(self) -> list[str]:
        return [f"{one['event']} {one['trouble']}" for one in self.hook.received]

    async def noted(self, stage: str) -> None:
        """Wait until the daemon knows that both ways have told."""
        for way in ("webhook", "mail"):
            await self.daemon.logged("alert sent", way=way, stage=stage)

    async def dies_and_comes_back(self) -> None:
        await self.daemon.kill()
        await self.daemon.end()
        self.daemon = await self.stack.enter_async_context(self.place.daemon())

    def _of(self, mail: Any) -> str:
        stage = "over" if mail["In-Reply-To"] else "began"
        return f"{stage} {mail['X-Trouble']}"


@pytest.fixture
async def night(tmp_path: Path) -> AsyncIterator[Night]:
    async with AsyncExitStack() as stack:
        asterisk = await stack.enter_async_context(Asterisk(devices=[{"Device": "PJSIP/101"}]))
        planfix = EmbeddedPlanfix(pbx_token=PBX_TOKEN, pbx_url="https://pbx.example.com/planfix")
        await stack.enter_async_context(planfix)
        hook = await stack.enter_async_context(Hook().listening())
        office = await stack.enter_async_context(PostOffice().open())
        place = Place(asterisk, planfix, tmp_path)
        mail = {"port": office.port, "tls": "none", "sender": "pbx@example.com", "to": ["admin@example.com"]}
        place.sections["alerts"] = {"after": AFTER, "outbox_age": 0.5, "webhook": {"url": hook.url}, "mail": mail}
        (tmp_path / "monitor").mkdir()
        place.sections["recordings"] = {"directory": str(tmp_path / "monitor")}
        place.write_config()
        daemon = await stack.enter_async_context(place.daemon())
        await place.logged_in()
        yield Night(place, hook, office, daemon, stack)


async def test_asterisk_is_gone_and_the_daemon_dies_meanwhile(night: Night) -> None:
    await night.place.asterisk.stop()
    await night.told("began asterisk")
    await night.noted("began")
    await night.dies_and_comes_back()
    await night.place.asterisk.start(port=night.place.sections["ami"]["port"])  # type: ignore[call-overload]
    await night.told("began asterisk", "over asterisk")
    await night.noted("over")
    await night.dies_and_comes_back()
    await night.daemon.logged("ami connected")
    assert await night.daemon.end() == 0
    await night.told("began asterisk", "over asterisk")


async def test_planfix_refuses_our_token_and_the_daemon_dies_meanwhile(night: Night) -> None:
    planfix = night.place.planfix
    planfix.fault_for = lambda _: refuse_token()
    await night.place.play(OUTGOING)
    await night.told("began token")
    assert "401" in night.hook.received[0]["text"]
    assert night.hook.received[0]["waiting"] == "3"
    await night.noted("began")
    await night.dies_and_comes_back()
    await night.daemon.logged("planfix refused our token")
    await night.dies_and_comes_back()
    planfix.fault_for = lambda _: None
    status, _ = await planfix.setup(night.place.url, PBX_TOKEN)
    assert status == 200
    await night.told("began token", "over token")


async def test_reports_wait_for_a_planfix_that_is_away(night: Night) -> None:
    await night.place.planfix.stop()
    await night.place.play(OUTGOING)
    await night.told("began reports")
    assert "none is lost" in night.hook.received[0]["text"]
    await night.place.planfix.start()
    await night.place.heard(2)
    await night.told("began reports", "over reports")


async def test_refused_reports_are_told_until_somebody_has_dealt_with_them(night: Night) -> None:
    night.place.planfix.fault_for = lambda _: refuse("No employee has this short code")
    await night.place.play(OUTGOING)
    await night.told("began refused")
    night.place.planfix.fault_for = lambda _: None
    await night.place.order("/deliveries/retry", {"ids": None})
    await night.told("began refused", "over refused")


async def test_a_way_that_is_away_meanwhile_tells_both_in_one(night: Night) -> None:
    night.hook.status = 503
    await night.place.asterisk.stop()
    await night.office.until(lambda told: len(told) == 1)
    await night.daemon.logged("alert not sent", way="webhook")
    await night.place.asterisk.start(port=night.place.sections["ami"]["port"])  # type: ignore[call-overload]
    await night.office.until(lambda told: len(told) == 2)
    night.hook.status = 200
    await night.hook.until(lambda told: len(told) == 1)
    assert night.by_webhook == ["over asterisk"]


async def test_who_dies_while_it_tells_tells_again_and_it_can_be_seen_that_it_is_the_same(night: Night) -> None:
    night.hook.held = asyncio.Event()
    await night.place.asterisk.stop()
    await night.hook.until(lambda told: len(told) == 1)
    await night.daemon.logged("alert sent", way="mail")
    await night.dies_and_comes_back()
    night.hook.held.set()
    first, again = await night.hook.until(lambda told: len(told) == 2)
    assert first["id"] == again["id"]
    assert len(night.office.received) == 1


async def test_no_word_of_the_log_has_a_secret(night: Night) -> None:
    night.hook.status = 401
    night.hook.answer = "unknown bot SECRET-OF-THE-BOT"
    await night.place.asterisk.stop()
    await night.daemon.logged("alert not sent", way="webhook")
    assert await night.daemon.end() == 0
    assert b"/sendMessage" not in night.daemon.raw
