"""Waits for what must happen, each with a time limit that tells what did not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

PATIENCE = 8.0

T = TypeVar("T")


class NotInTimeError(Exception):
    """What a story waited for did not happen within its time."""


async def within(seconds: float, what: str, awaitable: Awaitable[T]) -> T:
    """Await something, at most so many seconds; NotInTimeError says what was waited for."""
    try:
        async with asyncio.timeout(seconds):
            return await awaitable
    except TimeoutError as error:
        raise NotInTimeError(f"waited {seconds:g} s in vain for: {what}") from error


class Noticeboard:
    """Lets any number of tasks wait until something has become true."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def changed(self) -> None:
        """Let all who wait look again."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, what: str, truth: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Return as soon as `truth()` holds; it is asked again at each change."""
        await within(seconds, what, self._until(truth))

    async def _until(self, truth: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        while not truth():
            waiter = loop.create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)
