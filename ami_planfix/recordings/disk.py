"""Threads of their own for files: a network folder that hangs must stop recordings, and nothing else."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

THREADS = 4

T = TypeVar("T")


class Disk:
    """Runs what blocks; asyncio's own threads are left to those who look up host names."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="recordings")

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Start nothing more; what hangs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
