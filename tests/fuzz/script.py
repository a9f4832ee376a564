"""What a hostile peer does at a socket, step by step: says, waits, says half, goes, or stays and reads nothing."""

import asyncio
import json
from collections.abc import Iterable
from enum import StrEnum
from random import Random
from typing import NamedTuple

MOST_READ = 1024 * 1024


class Do(StrEnum):
    """One kind of step."""

    SAY = "say"
    WAIT = "wait"
    END = "end"
    """Say no more, but go on listening: a half-open connection."""
    RESET = "reset"


class Step(NamedTuple):
    """One step."""

    do: Do
    data: bytes = b""
    seconds: float = 0.0


def dump(steps: Iterable[Step]) -> bytes:
    """Write steps so that a person can read and change them."""
    return json.dumps([[step.do, step.data.decode("latin-1"), step.seconds] for step in steps], indent=0).encode()


def load(data: bytes) -> list[Step]:
    """Read what `dump` wrote."""
    return [Step(Do(do), text.encode("latin-1"), seconds) for do, text, seconds in json.loads(data)]


def paced(random: Random, data: bytes) -> list[Step]:
    """Say it in one piece, in several, or slowly; then end it in one of the ways there are."""
    pieces = random.choice((1, 1, 1, 2, 5))
    size = len(data) // pieces + 1
    steps = []
    for at in range(0, len(data) or 1, size):
        steps.append(Step(Do.SAY, data[at : at + size]))
        if pieces > 1:
            steps.append(Step(Do.WAIT, seconds=random.choice((0.0, 0.01, 0.05))))
    match random.randrange(6):
        case 0:
            steps.append(Step(Do.END))
        case 1:
            steps.append(Step(Do.RESET))
        case _:
            pass
    return steps


async def play(
    steps: Iterable[Step], reader: asyncio.StreamReader, writer: asyncio.StreamWriter, patience: float = 0.3
) -> bytes:
    """Do the steps; return what the other side said until it ended or had nothing to say for a while."""
    heard = b""
    try:
        await _do(steps, writer)
        while len(heard) < MOST_READ:
            async with asyncio.timeout(patience):
                piece = await reader.read(65536)
            if not piece:
                break
            heard += piece
    except (TimeoutError, OSError):
        pass
    finally:
        writer.transport.abort()
    return heard


async def _do(steps: Iterable[Step], writer: asyncio.StreamWriter) -> None:
    for step in steps:
        match step.do:
            case Do.SAY:
                writer.write(step.data)
                async with asyncio.timeout(2):
                    await writer.drain()
            case Do.WAIT:
                await asyncio.sleep(step.seconds)
            case Do.END if writer.can_write_eof():
                writer.write_eof()
            case _:
                writer.transport.abort()
