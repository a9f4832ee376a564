"""Runs the torture: sets the scene, plays the calls amid the troubles, waits until all is calm, and judges."""

import asyncio
import random
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from ami_planfix.demo.planfix import EmbeddedPlanfix
from tests.daemon_process import Place
from tests.load.exchange import Exchange
from tests.load.home import place_beside
from tests.load.player import Player
from tests.postgresql import a_postgresql
from tests.torture.evidence import Evidence
from tests.torture.keeper import Keeper
from tests.torture.place import Clock, Server, Sqlite, Storage, disk
from tests.torture.real import Real, RealResult
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
    storage: str = "sqlite"
    daemons: int = 1
    asterisk: int | None = None
    """Its version, if a part of it is to be on a real one."""
    speed: float = 1.0


class Torture:
    """One run in one folder."""

    def __init__(self, wanted: Wanted, folder: Path) -> None:
        self._wanted = wanted
        self._folder = folder
        self._begin = time.time()
        self._possible = set(Kind)
        self._impossible: list[str] = []
        self._retried_at = inf
        self._left: dict[str, int] = {}
        self._real: RealResult | None = None

    async def run(self) -> Evidence:
        """Run it."""
        names = [f"daemon{number}" for number in range(1, self._wanted.daemons + 1)]
        with ExitStack() as stack:
            storage = self._storage(stack)
            async with Exchange(*names) as exchange, EmbeddedPlanfix() as planfix:
                clocks = [Clock(self._folder / f"{name}-clock") for name in names]
                keepers = [
                    Keeper(self._home(exchange, planfix, storage, name), clock.environment, self._log(name))
                    for name, clock in zip(names, clocks, strict=True)
                ]
                return await self._amid(exchange, planfix, storage, keepers, clocks)

    def _storage(self, stack: ExitStack) -> Storage:
        if self._wanted.storage == "postgresql":
            self._possible.discard(Kind.FULL)
            return Server(stack.enter_context(a_postgresql("-c", "fsync=off")))
        self._possible.discard(Kind.DATABASE_AWAY)
        if not stack.enter_context(disk(self._folder, self._wanted.calls)):
            self._possible.discard(Kind.FULL)
            self._impossible.append("the disk is not filled: that takes root and a tmpfs")
        return Sqlite(self._folder)

    def _home(self, exchange: Exchange, planfix: EmbeddedPlanfix, storage: Storage, name: str) -> Place:
        folder = self._folder / name
        folder.mkdir()
        place = place_beside(exchange, planfix, folder, name)
        # What in a company may take a minute is noticed in seconds; all else is as users have it.
        place.sections["storage"] = {"url": storage.url}
        place.change("ami", timeout=3, silence=2)
        place.change("planfix", timeout=3)
        place.change("log", level="info")
        place.write_config()
        return place

    def _log(self, name: str) -> Path:
        return self._folder.with_name(f"{self._folder.name}-{name}.log")

    async def _amid(
        self,
        exchange: Exchange,
        planfix: EmbeddedPlanfix,
        storage: Storage,
        keepers: Sequence[Keeper],
        clocks: Sequence[Clock],
    ) -> Evidence:
        wanted = self._wanted
        player = Player(exchange, wanted.seed, wanted.rate, wanted.speed)
        weather = Weather(planfix, wanted.seed)
        chance = random.Random(wanted.seed)
        troubles = Troubles(exchange, player, weather, keepers, storage, clocks, chance, self._say)
        for keeper in keepers:
            await keeper.start()
        async with asyncio.timeout(30):
            await exchange.until(lambda: sum(bool(one.snapshot) for one in exchange.listened) == len(keepers))
        try:
            rows = schedule(wanted.seed, wanted.faults, wanted.calls / wanted.rate, frozenset(self._possible))
            begin = time.time()
            progress = asyncio.create_task(self._progress(player, planfix, troubles))
            real, on_asterisk = self._begin_real()
            await asyncio.gather(player.play(wanted.calls), *(troubles.go_through(row, begin) for row in rows))
            self._say("all calls are over, all is well again")
            if real is not None and on_asterisk is not None:
                real.finish.set()
                self._real = await on_asterisk
            await self._calm(keepers, exchange)
            progress.cancel()
        finally:
            statuses = [await keeper.stop() for keeper in keepers]
            await storage.keep(self._folder)
        return Evidence(
            seed=wanted.seed,
            played=player.played,
            told=exchange.told,
            listened=exchange.listened,
            timeline=exchange.timeline,
            received=planfix.received,
            ends={keeper.home.folder.name: keeper.ends for keeper in keepers},
            spells=troubles.spells,
            faults=troubles.counts,
            answers=weather.answers,
            impossible=self._impossible,
            left=self._left,
            retried_at=self._retried_at,
            statuses=statuses,
            seconds=round(time.time() - self._begin, 1),
            real=self._real,
        )

    def _begin_real(self) -> tuple[Real, asyncio.Task[RealResult]] | tuple[None, None]:
        """Have the part on a real Asterisk begin, if there is to be one."""
        if self._wanted.asterisk is None:
            return None, None
        folder = self._folder.with_name(f"{self._folder.name}-asterisk")
        real = Real(self._wanted.asterisk, self._wanted.seed, folder, self._say)
        return real, asyncio.create_task(real.run())

    async def _calm(self, keepers: Sequence[Keeper], exchange: Exchange) -> None:
        """Wait until nothing waits; have what was refused sent again; wait again."""
        if await self._empty(keepers, exchange):
            self._retried_at = time.time()
            told = await _command("deliveries", "retry", "--all", "-c", str(keepers[0].home.config_file))
            self._say(f"refused reports: {told}")
            await self._empty(keepers, exchange)

    async def _empty(self, keepers: Sequence[Keeper], exchange: Exchange) -> bool:
        until = time.monotonic() + CALM
        looks = 0
        while time.monotonic() < until:
            await asyncio.sleep(ASK_EVERY)
            try:
                calls = [len(_list((await keeper.home.ask("/calls"))["calls"])) for keeper in keepers]
                counts: Any = (await keepers[0].home.ask("/deliveries"))["counts"]
            except (OSError, KeyError):
                continue  # it is just being started, or its database is not there yet
            self._left = {"calls": max(calls), "reports": counts["waiting"]}
            self._say(f"calm: {max(calls)} calls live, {counts}")
            if not any(self._left.values()):
                self._left = {}
                return True
            looks += 1
            if looks == LOOKS and max(calls):
                exchange.cut()  # whoever missed an end learns of it from the snapshot
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


def _list(found: object) -> list[object]:
    assert isinstance(found, list)
    return found


async def _command(*words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ami_planfix", *words, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()
    return told.decode().strip()
