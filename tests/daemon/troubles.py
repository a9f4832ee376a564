"""What befalls a daemon in the middle of calls: restarts, and connections that end or fall silent.

Daemons in different trouble stand side by side and watch the same call, next to one that nothing befalls: Planfix
must get from each what it gets from that one.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.daemon.running import Post, post
from tests.lab import Lab

SILENCE = 2
"""Seconds; the least that `ami.silence` may be."""
Step = Callable[[Post], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Trouble:
    """How it begins and how it is over."""

    begin: Step
    end: Step


async def _terminated(at_work: Post) -> None:
    await at_work.end()


async def _killed(at_work: Post) -> None:
    await at_work.end(kill=True)


async def _started(at_work: Post) -> None:
    await at_work.start()


async def _cut(at_work: Post) -> None:
    await at_work.wire.cut()


async def _frozen(at_work: Post) -> None:
    at_work.wire.freeze()
    await at_work.process.logged("ami not connected")


async def _mended(at_work: Post) -> None:
    before = at_work.wire.snapshots
    at_work.wire.mend()
    await at_work.wire.snapshot(before)


TROUBLES = {
    "terminated": Trouble(_terminated, _started),
    "killed": Trouble(_killed, _started),
    "cut": Trouble(_cut, _mended),
    "frozen": Trouble(_frozen, _mended),
}


class Crowd:
    """Daemons at the same Asterisk, each with its own trouble."""

    def __init__(self, lab: Lab, spared: Post, posts: dict[str, Post]) -> None:
        self.lab = lab
        self.spared = spared
        self._posts = posts
        self._weary: set[str] = set()

    async def renew(self) -> None:
        """Be ready for the next call; who was often without a connection would take ever longer to come back."""
        for one in (self.spared, *self._posts.values()):
            one.forget()
        weary = [self._posts[name] for name in self._weary]
        self._weary.clear()
        await asyncio.gather(*(one.end() for one in weary))
        await asyncio.gather(*(one.start() for one in weary))

    async def hear(self, *wanted: str) -> None:
        """Wait until each Planfix has heard this much, and each daemon has noted that it has.

        What is on its way as a daemon is killed is sent again: nobody can know whether it was taken.
        """
        for one in (self.spared, *self._posts.values()):
            await one.hears(*wanted)
            await one.keeps(0)

    async def suffer(self) -> None:
        """Let every trouble come and go."""
        await self._begin("terminated", "killed", "frozen")
        await self._begin("cut")  # last, since it tries again less and less often
        await self._end(*TROUBLES)

    async def miss(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        """Let something happen while those are away to whom the others are alike."""
        await self._begin("killed", "cut")
        await meanwhile()
        await self._end("killed", "cut")

    async def _begin(self, *names: str) -> None:
        self._weary |= {"cut", "frozen"}.intersection(names)
        await asyncio.gather(*(TROUBLES[name].begin(self._posts[name]) for name in names))

    async def _end(self, *names: str) -> None:
        await asyncio.gather(*(TROUBLES[name].end(self._posts[name]) for name in names))

    async def agree(self, *wanted: str, exactly: bool = True) -> None:
        """Have each Planfix hear `wanted` (`INCOMING 101`), in this order, of the same call.

        `exactly`: with the same durations; else none is longer than what the spared one says.
        """
        await self.lab.quiet()
        wrong: list[str] = []
        for name, one in {"spared": self.spared, **self._posts}.items():
            await self._complete(one, len(wanted))
            told = one.judge()
            if told != list(wanted):
                wrong += [f"{name}: {told}", one.account()]
            elif not self._agrees(one, exactly):
                wrong += [f"{name}: other callids or durations", one.account(), self.spared.account()]
        assert not wrong, "\n".join([f"wanted: {list(wanted)}", *wrong])

    async def _complete(self, one: Post, count: int) -> None:
        try:
            await one.planfix.wait_for(lambda _: len(one.told()) >= count, 10)
            await one.settle()
        except TimeoutError:
            return  # what is missing shows in the comparison

    def _agrees(self, one: Post, exactly: bool) -> bool:
        pairs = zip(one.reports(), self.spared.reports(), strict=True)
        return all(
            mine.callid == true.callid
            and (mine.duration == true.duration if exactly else mine.duration <= true.duration)
            for mine, true in pairs
        )


@asynccontextmanager
async def crowd(lab: Lab, folder: Path) -> AsyncIterator[Crowd]:
    """Start them all."""
    async with AsyncExitStack() as stack:
        posts: dict[str, Post] = {}
        for name in ("spared", *TROUBLES):
            (folder / name).mkdir()
            one = posts[name] = await stack.enter_async_context(post(lab, folder / name, start=False))
            assert isinstance(one.sections["ami"], dict)
            one.sections["ami"] |= {"silence": SILENCE, "timeout": 1}
            one.write_config()
        await asyncio.gather(*(one.start() for one in posts.values()))
        yield Crowd(lab, posts.pop("spared"), posts)
