"""Begins with what the database knows: waits for a server that is away, says so, and answers whoever watches over us.

Restarting again and again would mend nothing and tell less. What happens on the PBX meanwhile comes from its own
records (`backfill`), as for any time without a daemon.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from typing import NoReturn

import structlog

from ami_planfix.config.model import Config
from ami_planfix.errors import StorageAway, StorageDamaged, StorageError
from ami_planfix.notify import ServiceManager
from ami_planfix.parts import STORAGE, Parts, make_parts
from ami_planfix.serving import while_starting
from ami_planfix.status import Board, State

log = structlog.get_logger("ami_planfix.daemon")

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 10.0
"""Seconds until the server is tried again."""
PATIENCE = 60
"""Seconds that a try may take, its pause included; systemd must not think that we hang."""


async def begin(
    config: Config, observe: bool, board: Board, manager: ServiceManager, told_to_end: Awaitable[object]
) -> tuple[Parts, AsyncExitStack] | None:
    """Make the parts and follow again the calls that went on, with what is to be closed; None if told to end before.

    Raises ConfigurationError, StorageError.
    """
    pause = FIRST_PAUSE
    ended = asyncio.ensure_future(told_to_end)
    async with AsyncExitStack() as watched:
        while not ended.done():
            try:
                return await _parts(config, observe, board)
            except StorageAway as fault:
                log.error("database away", error=str(fault), consequence="not started", again_in=pause)  # noqa: TRY400
                board.say(STORAGE, State.FAILED, str(fault))
            if pause == FIRST_PAUSE:
                opening = while_starting(config, board, _no_figures)
                watched.push_async_callback(opening.stop)
                await opening.start()
            manager.still_starting(board.summary(), PATIENCE)
            await asyncio.wait({ended}, timeout=pause)
            pause = min(2 * pause, LONGEST_PAUSE)
    return None


async def _parts(config: Config, observe: bool, board: Board) -> tuple[Parts, AsyncExitStack]:
    async with AsyncExitStack() as stack:
        parts = await make_parts(config, observe, board, stack)
        try:
            await parts.pipeline.restore()
        except StorageDamaged:
            await parts.keeping.mend()
        else:
            return parts, stack.pop_all()
    return await _parts(config, observe, board)


async def _no_figures() -> NoReturn:
    raise StorageError("no figures yet: the daemon waits for its database")
