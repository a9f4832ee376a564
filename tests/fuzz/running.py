"""Tries one input after another until the time is over; what does harm is found again alone, and written down."""

import asyncio
import gc
import hashlib
import re
import signal
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from types import FrameType

from tests.fuzz.memory import MIB, resident
from tests.fuzz.target import Target

MOST_FINDINGS = 10
"""Different ones, after which a target is left alone."""
MOST_GROWTH = 96 * MIB
"""Bytes of memory that a run may leave behind in this process."""


class HungError(Exception):
    """An input kept the whole process busy for too long."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that does harm."""

    words: str
    file: str
    """Where the input is."""


@dataclass(slots=True)
class Tally:
    """What became of a run."""

    target: str
    inputs: int = 0
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Tell how many inputs a second were tried."""
        return round(self.inputs / self.seconds, 1) if self.seconds else 0.0


Say = Callable[[str], None]


class Run:
    """One target's run; `out` is the folder for inputs that do harm."""

    def __init__(self, target: Target, seed: int, out: Path, say: Say) -> None:
        self.tally = Tally(target.name)
        self._target = target
        self._seed = seed
        self._out = out
        self._say = say
        self._known: set[str] = set()

    async def spend(self, seconds: float, most: int = 10**9) -> Tally:
        """Try inputs for so many seconds, `most` of them at the most; the first opening counts for nothing."""
        begun = time.monotonic()
        end: float | None = None
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._unhandled)
        before = resident()
        numbers = iter(range(most))
        while len(self.tally.findings) < MOST_FINDINGS:
            async with self._target:
                if end is None:
                    end = time.monotonic() + seconds
                if not await self._rounds(numbers, end):
                    break
        loop.set_exception_handler(lambda _loop, _context: None)  # what is cancelled now is nobody's fault
        gc.collect()
        grown = resident() - before
        if grown > MOST_GROWTH:
            self._find(f"memory: {grown // MIB} MiB more than before", b"")
        self.tally.seconds = round(time.monotonic() - begun, 1)
        return self.tally

    async def _rounds(self, numbers: Iterator[int], end: float) -> bool:
        """Try until the time is over; True if the target must be opened anew because it has suffered."""
        told = time.monotonic()
        while time.monotonic() < end:
            inputs = [self._make(number) for number in islice(numbers, self._target.at_once)]
            if not inputs:
                return False
            faults, suffered = await self.round(inputs)
            self.tally.inputs += len(inputs)
            for data, fault in zip(inputs, faults, strict=True):
                if fault is not None:
                    self._find(fault, data)
            if suffered is not None:
                likely = sorted(zip(faults, inputs, strict=True), key=lambda pair: pair[0] is None)
                await self._single_out([data for _, data in likely], suffered)
                return True
            if len(self.tally.findings) >= MOST_FINDINGS:
                return False
            if time.monotonic() - told >= 5:
                told = time.monotonic()
                self._say(f"{self._target.name}: {self.tally.inputs} inputs, {max(0, end - told):.0f} s to go")
        return False

    def _make(self, number: int) -> bytes:
        return self._target.make(Random(f"{self._seed}/{self._target.name}/{number}"))

    async def fault_of(self, data: bytes) -> str | None:
        """Try one input; tell what is wrong, None if nothing is."""
        try:
            with _alarm(self._target):
                async with asyncio.timeout(self._target.patience):
                    await self._target.attempt(data)
        except TimeoutError:
            return f"took longer than {self._target.patience:g} s"
        except Exception as fault:
            return _words(fault)
        return None

    async def round(self, inputs: list[bytes]) -> tuple[list[str | None], str | None]:
        """Try inputs side by side; tell what is wrong with each, and what the target or its honest users suffered."""
        faults, served = await asyncio.gather(
            asyncio.gather(*map(self.fault_of, inputs)), _complaint(self._target.meanwhile())
        )
        return faults, served or await _complaint(self._target.well())

    async def _single_out(self, inputs: list[bytes], words: str) -> None:
        """Find out which of them it was, each against a fresh target; all of them count if none does it alone."""
        guilty = inputs[:1]
        if len(inputs) > 1:
            self._say(f"{self._target.name}: {words.splitlines()[0]}; looking for the input that does it")
            await self._target.__aexit__()
            guilty = []
            for data in inputs:
                if await self._harms_alone(data):
                    guilty = [data]
                    break
            await self._target.__aenter__()
        for data in guilty or inputs:
            self._find(words if guilty else f"{words} (together with others)", data)

    async def _harms_alone(self, data: bytes) -> bool:
        async with self._target:
            _, suffered = await self.round([data])
            return suffered is not None

    def _find(self, words: str, data: bytes) -> None:
        kind = re.sub(r"\d+", "#", words.splitlines()[0])
        if kind in self._known or len(self.tally.findings) >= MOST_FINDINGS:
            return
        self._known.add(kind)
        self._out.mkdir(parents=True, exist_ok=True)
        file = self._out / f"{self._target.name}-{hashlib.sha256(data).hexdigest()[:12]}"
        file.write_bytes(data)
        self.tally.findings.append(Finding(words, str(file)))
        self._say(f"{self._target.name}: {words}\n  again: python -m tests.fuzz {self._target.name} --input {file}")

    def _unhandled(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        fault = context.get("exception")
        if isinstance(fault, OSError) and _is_of_asyncio(fault):
            return  # a peer of ours was gone before it had said all
        words = _words(fault) if isinstance(fault, Exception) else str(context.get("message"))
        self._find(f"in the event loop: {words}", b"")


async def _complaint(asked: Awaitable[None]) -> str | None:
    try:
        await asked
    except Exception as fault:
        return _words(fault)
    return None


def _words(fault: BaseException) -> str:
    """Say what was raised and where, so that the same fault has the same first line."""
    frames = traceback.extract_tb(fault.__traceback__)
    ours = [frame for frame in frames if "/ami_planfix/" in frame.filename] or frames
    where = f" in {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    return f"{type(fault).__name__}{where}: {str(fault)[:2000]}"


def _is_of_asyncio(fault: OSError) -> bool:
    return all("/asyncio/" in frame.filename for frame in traceback.extract_tb(fault.__traceback__))


@contextmanager
def _alarm(target: Target) -> Iterator[None]:
    """Interrupt even what never comes back to the event loop."""
    if target.at_once > 1:
        yield
        return

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise HungError(f"busy for more than {target.patience:g} s")

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, target.patience)  # of the processor's time: others may need it too
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
