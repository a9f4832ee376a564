"""Brings each trouble about, and ends it; remembers what of it a verdict must know."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tests.load.exchange import Exchange
from tests.load.player import Player
from tests.torture.keeper import PATIENCE, Keeper
from tests.torture.place import Clock, Storage
from tests.torture.schedule import Kind, Trouble
from tests.torture.weather import Weather

ALL = 0.25
"""Share of the troubles with connections that hit those of all daemons."""
AHEAD, BEHIND = 3600.0, -3600.0
"""Seconds by which the clock is moved."""


@dataclass
class Spell:
    """A time in which something was so; seconds since the epoch."""

    kind: Kind
    begin: float
    end: float = float("inf")


@dataclass
class Troubles:
    """All that can go wrong with one daemon, or with either of several."""

    exchange: Exchange
    player: Player
    weather: Weather
    keepers: Sequence[Keeper]
    storage: Storage
    clocks: Sequence[Clock]
    chance: random.Random
    tell: Callable[[str], None]
    spells: list[Spell] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    async def go_through(self, row: Sequence[Trouble], begin: float) -> None:
        """Bring about the incidents of one field, each at its time or when the one before is over."""
        for trouble in row:
            await asyncio.sleep(begin + trouble.begin - time.time())
            self.tell(f"{trouble.kind} ({trouble.lasts:.1f} s)")
            spell = Spell(trouble.kind, time.time())
            self.spells.append(spell)
            await self._bring(trouble)
            spell.end = time.time()
            self.counts[trouble.kind] += 1

    async def _bring(self, trouble: Trouble) -> None:
        match trouble.kind:
            case Kind.CLOSED:
                self.exchange.cut(self._who())
            case Kind.RESET:
                self.exchange.cut(self._who(), hard=True)
            case Kind.FROZEN:
                self.exchange.freeze(self._who())
                await asyncio.sleep(trouble.lasts)
                self.exchange.thaw()
            case Kind.CRASHED:
                await self.player.kill_asterisk(trouble.lasts)
            case Kind.KILLED | Kind.TERMINATED | Kind.RELOADED:
                await self._end_a_daemon(trouble)
            case Kind.LOCKED:
                await self.storage.lock(trouble.lasts)
            case Kind.FULL | Kind.DATABASE_AWAY:
                await self.storage.fail(trouble.lasts)
            case Kind.CLOCK_AHEAD:
                await self._move_clock(AHEAD, trouble.lasts)
            case Kind.CLOCK_BEHIND:
                await self._move_clock(BEHIND, trouble.lasts)
            case _:
                await self.weather.become(trouble.kind)
                await asyncio.sleep(trouble.lasts)
                await self.weather.clear_up()

    async def _end_a_daemon(self, trouble: Trouble) -> None:
        """End one and start it again; return when it listens: on a busy machine it would never come to that."""
        keeper = self.chance.choice(self.keepers)
        known = len(self.exchange.listened)
        match trouble.kind:
            case Kind.KILLED:
                await keeper.kill(trouble.lasts)
            case Kind.TERMINATED:
                await keeper.restart(trouble.lasts)
            case _:
                await keeper.reload()
        name = keeper.home.folder.name
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self.exchange.until(
                    lambda: any(one.username == name and one.snapshot for one in self.exchange.listened[known:])
                )

    def _who(self) -> frozenset[str]:
        """Choose whose connections it hits: one daemon's, now and then all."""
        names = sorted(self.exchange.usernames)
        return frozenset(names if self.chance.random() < ALL else [self.chance.choice(names)])

    async def _move_clock(self, by: float, lasts: float) -> None:
        clock = self.chance.choice(self.clocks)
        clock.move(by)
        await asyncio.sleep(lasts)
        clock.move(0.0)
