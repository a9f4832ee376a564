"""Runs the torture: sets the scene, plays the calls amid the troubles, waits until all is calm, and judges."""

import asyncio
import random
import sys
import time
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from ami_planfix.demo.planfix import EmbeddedPlanfix
from tests.load.exchange import Exchange
from tests.load.home import place_beside
from tests.load.player import Player
from tests.torture.evidence import Evidence
from tests.torture.keeper import Keeper
from tests.torture.place import Clock, Sqlite, disk
from tests.torture.schedule import Kind, schedule
from tests.torture.troubles import Troubles
from tests.torture.weather import Weather

CALM = 400.0
"""Seconds within which everything must have been sent when all is well again."""
ASK_EVERY = 1.0
LOOKS = 5
"""So often it is looked whether all calls have ended, before the daemon is made to ask what exists."""


@dataclass(frozen=True)
class Wanted:
    """What is asked for."""

    calls: int
    faults: int
    seed: int
    rate: float
    speed: float = 1.0


class Torture:
    """One run in one folder."""

    def __init__(self, wanted: Wanted, folder: Path) -> None:
        self._wanted = wanted
        self._folder = folder
        self._begin = time.time()
        self._impossible: list[str] = []
        self._retried_at = inf
        self._left: dict[str, int] = {}

    async def run(self) -> Evidence:
        """Run it."""
        with disk(self._folder, self._wanted.calls) as room:
            async with Exchange() as exchange, EmbeddedPlanfix() as planfix:
                return await self._run(exchange, planfix, room)

    async def _run(self, exchange: Exchange, planfix: EmbeddedPlanfix, room: bool) -> Evidence:
        wanted = self._wanted
        place = place_beside(exchange, planfix, self._folder)
        storage = Sqlite(self._folder)
        place.sections["storage"] = {"url": storage.url}
        _hasten(place.sections)
        place.write_config()
        clock = Clock(self._folder / "clock")
        keeper = Keeper(place, clock.environment, self._folder.with_name(f"{self._folder.name}.log"))
        player = Player(exchange, wanted.seed, wanted.rate, wanted.speed)
        weather = Weather(planfix, wanted.seed)
        troubles = Troubles(
            exchange, player, weather, [keeper], storage, [clock], random.Random(wanted.seed), self._say
        )
        possible = set(Kind)
        if not room:
            self._cannot(possible, "the disk is not filled: that takes root and a tmpfs", Kind.FULL)
        await keeper.start()
        async with asyncio.timeout(30):
            await exchange.until(lambda: any(one.snapshot for one in exchange.listened))
        try:
            rows = schedule(wanted.seed, wanted.faults, wanted.calls / wanted.rate, frozenset(possible))
            begin = time.time()
            progress = asyncio.create_task(self._progress(player, planfix, troubles))
            await asyncio.gather(player.play(wanted.calls), *(troubles.go_through(row, begin) for row in rows))
            self._say("all calls are over, all is well again")
            await self._calm(keeper, exchange)
            progress.cancel()
        finally:
            status = await keeper.stop()
        return Evidence(
            wanted.seed,
            player.played,
            exchange.told,
            exchange.listened,
            exchange.timeline,
            planfix.received,
            keeper.ends,
            troubles.spells,
            troubles.counts,
            weather.answers,
            self._impossible,
            self._left,
            self._retried_at,
            status,
            round(time.time() - self._begin, 1),
        )

    async def _calm(self, keeper: Keeper, exchange: Exchange) -> None:
        """Wait until nothing waits; have what was refused sent again; wait again."""
        if await self._empty(keeper, exchange):
            self._retried_at = time.time()
            told = await _command("deliveries", "retry", "--all", "-c", str(keeper.home.config_file))
            self._say(f"refused reports: {told}")
            await self._empty(keeper, exchange)

    async def _empty(self, keeper: Keeper, exchange: Exchange) -> bool:
        until = time.monotonic() + CALM
        looks = 0
        while time.monotonic() < until:
            await asyncio.sleep(ASK_EVERY)
            try:
                calls = (await keeper.home.ask("/calls"))["calls"]
                counts: Any = (await keeper.home.ask("/deliveries"))["counts"]
            except OSError:
                continue  # it is just being started
            self._say(f"calm: {calls and len(calls)} calls live, {counts}")  # type: ignore[arg-type]
            if not calls and not counts["waiting"]:
                return True
            looks += 1
            if looks == LOOKS and calls:
                exchange.cut()  # whoever missed an end learns of it from the snapshot
        self._left = {"calls": len(calls), **counts}  # type: ignore[arg-type]
        return False

    async def _progress(self, player: Player, planfix: EmbeddedPlanfix, troubles: Troubles) -> None:
        while True:
            await asyncio.sleep(5)
            self._say(
                f"{len(player.played)} calls, {player.going} at once; {len(planfix.received)} requests; "
                f"{troubles.counts.total()} faults"
            )

    def _say(self, text: str) -> None:
        print(f"{time.time() - self._begin:7.1f} {text}", file=sys.stderr, flush=True)

    def _cannot(self, possible: set[Kind], why: str, *kinds: Kind) -> None:
        possible.difference_update(kinds)
        self._impossible.append(why)
        self._say(why)


def _hasten(sections: dict[str, Any]) -> None:
    """Let the daemon notice in seconds what in a company may take a minute; leave everything else as it is."""
    sections["ami"] |= {"timeout": 3, "silence": 2}
    sections["planfix"]["timeout"] = 3
    sections["log"] = {"format": "json", "level": "info"}


async def _command(*words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ami_planfix", *words, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()
    return told.decode().strip()
