"""What can be wrong, and whether it is so now: read off the parts, the outbox and our certificate."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from ami_planfix import tls
from ami_planfix.errors import StorageError
from ami_planfix.status import Board, PartState, State

ENDS_SOON = 14.0
"""Days of a certificate."""
CERTIFICATE_EVERY = 3600.0


class Trouble(StrEnum):
    """What people are told of."""

    ASTERISK = "asterisk"
    """No daemon hears this PBX."""
    TOKEN = "token"  # noqa: S105 (its name)
    """Planfix refuses our token."""
    REPORTS = "reports"
    """The oldest report has waited for too long."""
    REFUSED = "refused"
    """Planfix will not take some reports (400)."""
    STORAGE = "storage"
    SERVER = "server"
    """Planfix cannot call us."""
    FASTAGI = "fastagi"
    """The dialplan cannot ask for names."""
    RECORDINGS = "recordings"
    CERTIFICATE = "certificate"


SHARED = frozenset({Trouble.ASTERISK, Trouble.TOKEN, Trouble.REPORTS, Trouble.REFUSED})
"""What is the same for all daemons on one PBX and database; the rest is of each machine."""
_LISTENERS = (Trouble.SERVER, Trouble.FASTAGI)


class Sight(NamedTuple):
    """What was seen of one trouble; one that cannot be seen now has none."""

    trouble: Trouble
    wrong: bool
    words: str = ""
    """What was said of it."""
    since: float | None = None
    """When it began as far as is known, seconds since the epoch."""


class Unsent(NamedTuple):
    """What has not reached Planfix."""

    waiting: int
    oldest: float | None
    """When the oldest that waits was written, seconds since the epoch."""
    dead: int


class Looking:
    """Looks at everything."""

    def __init__(
        self,
        board: Board,
        unsent: Callable[[], Awaitable[Unsent]],
        others_listen: Callable[[], Awaitable[bool]],
        outbox_age: float,
        certificate: tuple[Path, Path] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`others_listen` tells whether another daemon hears this PBX; `certificate` is that of `server.tls`."""
        self.unsent = Unsent(0, None, 0)
        """As it was at the last look."""
        self._board = board
        self._ask = unsent
        self._others_listen = others_listen
        self._outbox_age = outbox_age
        self._files = certificate
        self._clock = clock
        self._certificate: Sight | None = None
        self._certificate_at = float("-inf")

    async def look(self) -> list[Sight]:
        """Tell all that can be seen now."""
        parts = {part.part: part for part in self._board.parts()}
        found = [*_simple(parts)]
        if asterisk := parts.get("asterisk"):
            found.append(await self._asterisk(asterisk))
        planfix = parts.get("planfix")
        if planfix is not None and planfix.state in (State.WELL, State.FAILED):
            found.append(_of(Trouble.TOKEN, planfix))
        found += await self._outbox(planfix)
        if self._files is not None:
            found += await self._own_certificate(self._files)
        return found

    async def _asterisk(self, part: PartState) -> Sight:
        wrong = part.state is not State.WELL
        if wrong:
            with suppress(StorageError):  # then nobody can know of the others
                wrong = not await self._others_listen()
        return Sight(Trouble.ASTERISK, wrong, part.detail, part.since)

    async def _outbox(self, planfix: PartState | None) -> list[Sight]:
        try:
            self.unsent = unsent = await self._ask()
        except StorageError:
            return []
        refused = Sight(Trouble.REFUSED, unsent.dead > 0)
        if planfix is not None and planfix.state is State.FAILED:
            return [refused]  # that they wait is no news
        late = unsent.oldest is not None and self._clock() - unsent.oldest > self._outbox_age
        words = planfix.detail if planfix is not None and planfix.state is State.WAITING else ""
        return [refused, Sight(Trouble.REPORTS, late, words, unsent.oldest)]

    async def _own_certificate(self, files: tuple[Path, Path]) -> list[Sight]:
        now = time.monotonic()
        if now - self._certificate_at >= CERTIFICATE_EVERY:
            self._certificate_at = now
            self._certificate = await asyncio.to_thread(_certificate, *files)
        return [self._certificate] if self._certificate is not None else []


def _simple(parts: dict[str, PartState]) -> Iterator[Sight]:
    for trouble in (Trouble.STORAGE, Trouble.RECORDINGS, *_LISTENERS):
        if (part := parts.get(trouble)) is not None and part.state is not State.OFF:
            yield _of(trouble, part)


def _of(trouble: Trouble, part: PartState) -> Sight:
    return Sight(trouble, part.state is State.FAILED, part.detail, part.since)


def _certificate(certificate: Path, key: Path) -> Sight | None:
    """Look at the files (blocks); that they cannot be read, the listener says."""
    try:
        found = tls.read(certificate, key)
    except ssl.SSLError as fault:
        return Sight(Trouble.CERTIFICATE, True, f"{certificate} has ended") if tls.is_expired(fault) else None
    except OSError:
        return None
    return Sight(Trouble.CERTIFICATE, found.days < ENDS_SOON, f"{certificate}: until {found.until}")
