"""Plays copies of recorded calls, many at once, in an order that a seed decides."""

import asyncio
import heapq
import random
import time
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ami_planfix.ami.decode import decode
from ami_planfix.calls.events import Event
from tests.load.exchange import Exchange
from tests.load.recorded import Copy, Recorded, Sounded, recorded_calls


@dataclass(eq=False)
class Played:
    """A copy, and where in the stream its messages stand; fewer than it has if Asterisk died meanwhile."""

    copy: Copy
    places: "array[int]" = field(default_factory=lambda: array("L"))
    died_at: int | None = None
    """Where in the stream Asterisk died with it."""

    @property
    def is_whole(self) -> bool:
        """Tell whether it was played to its end."""
        return len(self.places) == len(self.copy)

    def told(self) -> Iterator[tuple[int, Event]]:
        """Give its events as they were told, with their places."""
        for place, (at, raw) in zip(self.places, self.copy, strict=False):
            event = decode(raw, at)
            if event is not None:
                yield place, event


@dataclass(order=True)
class _Going:
    """A call that goes on: its next message is due."""

    at: float
    tag: int
    next: Sounded = field(compare=False)
    rest: Iterator[Sounded] = field(compare=False)
    played: Played = field(compare=False)


class Player:
    """Has a PBX full of calls; `rate` of them begin in a second, `speed` times as fast as they were."""

    def __init__(
        self,
        exchange: Exchange,
        seed: int = 0,
        rate: float = 20.0,
        speed: float = 1.0,
        stories: Sequence[Recorded] = (),
    ) -> None:
        self.played: list[Played] = []
        """All calls that were begun, in that order."""
        self._exchange = exchange
        self._random = random.Random(seed)
        self._rate, self._speed = rate, speed
        self._stories = stories or recorded_calls()
        self._going: list[_Going] = []
        self._up = asyncio.Event()
        self._up.set()
        self._finishing = False

    def finish(self) -> None:
        """Begin no more calls; `play` ends with the last of those that go on."""
        self._finishing = True

    @property
    def going(self) -> int:
        """Tell how many calls go on."""
        return len(self._going)

    async def play(self, calls: int) -> None:
        """Begin so many calls, and play all of them to their end."""
        begin = time.time()
        while (calls and not self._finishing) or self._going:
            await self._up.wait()
            due = min([begin] * bool(calls) + [one.at for one in self._going[:1]])
            await asyncio.sleep(max(0.0, due - time.time()))
            if not self._up.is_set():
                continue
            now = time.time()
            while calls and begin <= now and not self._finishing:
                self._begin(begin)
                calls -= 1
                begin = max(begin, now - 1.0) + self._random.expovariate(self._rate)
            self._tell(now)

    async def kill_asterisk(self, away: float) -> None:
        """Have Asterisk crash, with all calls that go on, and come back after so many seconds."""
        self._up.clear()
        for one in self._going:
            one.played.died_at = self._exchange.told
        self._going.clear()
        await self._exchange.die()
        await asyncio.sleep(away)
        await self._exchange.start()
        self._up.set()

    def _begin(self, at: float) -> None:
        copy = self._random.choice(self._stories).copy(len(self.played) + 1, at, self._speed)
        played = Played(copy)
        self.played.append(played)
        self._push(played, iter(copy))

    def _tell(self, now: float) -> None:
        batch: list[bytes] = []
        while self._going and self._going[0].at <= now:
            one = heapq.heappop(self._going)
            one.played.places.append(self._exchange.told + len(batch))
            batch.append(one.next.raw)
            self._push(one.played, one.rest)
        self._exchange.tell(batch)

    def _push(self, played: Played, rest: Iterator[Sounded]) -> None:
        following = next(rest, None)
        if following is not None:
            heapq.heappush(self._going, _Going(following.at, played.copy.tag, following, rest, played))
