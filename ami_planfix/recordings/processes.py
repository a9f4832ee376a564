"""A program that is run beside the PBX and must never disturb it: few at once, at the lowest priority, not for long."""

import asyncio
import contextlib
import os
import resource
import subprocess
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from ami_planfix.errors import RecordingError

AT_ONCE = 1
LIMIT = 300.0
"""Seconds that a program may run; it gets as many of the processor's."""
MOST_BYTES = 1 << 30
"""Of memory, and of any file that it writes."""
_WORDS = 300


class Processes:
    """Runs programs; who comes when enough run waits."""

    def __init__(self, at_once: int = AT_ONCE, limit: float = LIMIT) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._limit = limit

    async def run(self, command: Sequence[str], descriptors: Collection[int], folder: Path) -> None:
        """Run a program that inherits descriptors; raise RecordingError with its words if it fails."""
        name = Path(command[0]).name
        async with self._places:
            with tempfile.TemporaryFile() as said:
                try:
                    process = await asyncio.create_subprocess_exec(
                        *command,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=said,
                        cwd=folder,
                        env={"PATH": os.defpath, "LC_ALL": "C"},
                        pass_fds=tuple(descriptors),
                    )
                except OSError as fault:
                    raise RecordingError(f"{command[0]} cannot be run: {fault.strerror}") from fault
                status = await self._ended(process)
                if status is None:
                    raise RecordingError(f"{name} was stopped after {self._limit:g} s")
                if status != 0:
                    said.seek(0)
                    words = said.read(8 * _WORDS).decode(errors="replace").split()
                    raise RecordingError(f"{name} failed ({status}): {' '.join(words)[:_WORDS]}")

    async def _ended(self, process: asyncio.subprocess.Process) -> int | None:
        """Wait for its end; None if it took too long and was killed."""
        _restrain(process.pid, self._limit)
        try:
            async with asyncio.timeout(self._limit):
                return await process.wait()
        except TimeoutError:
            return None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


def _restrain(pid: int, seconds: float) -> None:
    # The priority of its disk accesses follows that of its computing.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.setpriority(os.PRIO_PROCESS, pid, 19)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        for limit, most in (
            (resource.RLIMIT_CPU, int(seconds) + 1),
            (resource.RLIMIT_FSIZE, MOST_BYTES),
            (resource.RLIMIT_AS, 2 * MOST_BYTES),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.prlimit(pid, limit, (most, most))
