"""How soon the daemon is ready, and what it holds when nothing happens."""

import asyncio
import time

from tests.benchmarks.lag import memory, processor, running
from tests.benchmarks.measuring import Figure, Result, median

STARTS = 5
SETTLED = 3.0
IDLE = 10.0
"""Seconds over which an idle daemon's processor time is taken."""


def run() -> Result:
    """Measure."""
    starts = [asyncio.run(_start()) for _ in range(STARTS)]
    idle = asyncio.run(_idle())
    took, used, held = (median(one[what] for one in starts) for what in range(3))
    return Result(
        "startup",
        [
            Figure("from start to a snapshot of Asterisk", took, "s"),
            Figure("processor time of that", used, "s"),
            Figure("memory, idle", held, "MB", goal="< 100 MB"),
            Figure("processor, idle", idle, "% of a core"),
        ],
    )


async def _start() -> tuple[float, float, float]:
    begin = time.monotonic()
    async with running(durable=False) as (_, process, _planfix):
        took = time.monotonic() - begin
        used = processor(process.process.pid)
        await asyncio.sleep(SETTLED)
        return took, used, memory(process.process.pid)


async def _idle() -> float:
    async with running(durable=False) as (_, process, _planfix):
        await asyncio.sleep(SETTLED)
        before = processor(process.process.pid)
        await asyncio.sleep(IDLE)
        return 100 * (processor(process.process.pid) - before) / IDLE
