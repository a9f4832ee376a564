"""Keeps listeners open: one that cannot open disables its own feature, says so, and is tried again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

import structlog

from ami_planfix.errors import ListenerError
from ami_planfix.status import Board, State

log = structlog.get_logger("ami_planfix.web")

AGAIN = 30.0
"""Seconds until a listener that could not open is tried again."""


class Closable(Protocol):
    """Anything that listens."""

    @property
    def name(self) -> str:
        """Say what it is, for people."""

    async def close(self) -> None:
        """Stop listening."""


L = TypeVar("L", bound=Closable)


class Opening(Generic[L]):
    """One listener and how it is opened."""

    def __init__(
        self,
        listener: L,
        open_it: Callable[[L], Awaitable[object]],
        feature: str,
        board: Board,
    ) -> None:
        """`feature` is what does not work without it: `clicks in Planfix`."""
        self._listener = listener
        self._open = open_it
        self._feature = feature
        self._board = board
        self.again: asyncio.Task[None] | None = None
        """Tries until it is open."""

    async def start(self) -> None:
        """Open it, or say why not and go on trying."""
        fault = await self._attempt()
        if fault:
            log.error("listener not opened", reason=fault, consequence=f"no {self._feature}", again_in=AGAIN)
            self.again = asyncio.create_task(self._until_open())

    async def stop(self) -> None:
        """Close it."""
        if self.again is not None:
            self.again.cancel()
            await asyncio.gather(self.again, return_exceptions=True)
        await self._listener.close()

    async def _attempt(self) -> str:
        """Open it; tell what went wrong, `''` if nothing."""
        try:
            await self._open(self._listener)
        except ListenerError as fault:
            self._board.say(self._listener.name, State.FAILED, f"{fault}; without it: no {self._feature}")
            return str(fault)
        self._board.say(self._listener.name, State.WELL)
        return ""

    async def _until_open(self) -> None:
        while True:
            await asyncio.sleep(AGAIN)
            if not await self._attempt():
                log.info("listener opened", listener=self._listener.name)
                return
