"""Two daemons on one PBX and one database, and what has been done to them."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ami_planfix.demo.planfix import EmbeddedPlanfix
from tests.daemon_process import LIMIT, Place, Process
from tests.load.exchange import Exchange, Listening
from tests.load.home import place_beside

NAMES = ("one", "other")
NOTE_WITHIN = 1.0
"""Seconds that a daemon may take to write down what Planfix answered."""


@dataclass(eq=False)
class Twin:
    """One of the two."""

    name: str
    place: Place
    process: Process | None = None
    complaints: Counter[str] = field(default_factory=Counter)
    """Its warnings and errors."""

    async def start(self) -> None:
        """Start it, and wait until it listens."""
        heard = len(self._listened())
        self.process = await Process.start(self.place, (), None)
        await self.process.ready()
        async with asyncio.timeout(LIMIT):
            await self.place.asterisk.until(lambda: any(one.snapshot for one in self._listened()[heard:]))

    async def kill(self) -> None:
        """Kill it (-9)."""
        assert self.process is not None
        await self.process.kill()
        await self.end()

    async def end(self) -> None:
        """Let it stop in order, if it still runs."""
        process, self.process = self.process, None
        if process is not None:
            await process.end()
            for line in process.log:
                if line.get("level") in ("warning", "error"):
                    self.complaints[f"{line['event']}: {line.get('error', '')}".removesuffix(": ")] += 1

    def _listened(self) -> list[Listening]:
        exchange = self.place.asterisk
        assert isinstance(exchange, Exchange)
        return [one for one in exchange.listened if one.username == self.name]


@dataclass
class Deaths:
    """When daemons died: the circumstances of the verdict."""

    at: list[float] = field(default_factory=list)

    def note(self) -> None:
        """Take down that one dies now."""
        self.at.append(time.time())

    def forgot(self, since: float, until: float) -> bool:
        """Tell whether a daemon died that may have had no time to note an answer of `since`."""
        return any(since - 0.01 <= died <= min(since + NOTE_WITHIN, until) for died in self.at)

    def retried(self, since: float, until: float) -> bool:
        """Tell that no administrator sent anything again."""
        return False

    def age(self, at: float, until: float) -> float:
        """Tell how old something is: nobody moves a clock here."""
        return until - at


def twins(exchange: Exchange, planfix: EmbeddedPlanfix, folder: Path, url: str, level: str = "info") -> list[Twin]:
    """Make both, each with a folder, a login and listeners of its own."""
    found = []
    for name in NAMES:
        home = folder / name
        home.mkdir()
        place = place_beside(exchange, planfix, home)
        ami = place.sections["ami"]
        assert isinstance(ami, dict)
        ami["username"] = name
        place.sections |= {"storage": {"url": url}, "log": {"format": "json", "level": level}}
        place.write_config()
        found.append(Twin(name, place))
    return found
