"""What is heard on a connection, told in the order of the stream: to the listener, to taps, to an observer."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple, Protocol

import structlog

from ami_planfix.ami.decode import decode_all, time_of
from ami_planfix.ami.wire import event_name, parse, stamped
from ami_planfix.calls.events import Event, Snapshot

log = structlog.get_logger("ami_planfix.ami")


class Heard(NamedTuple):
    """An event, and its message as the journal keeps it: with a `Timestamp`, without its empty line."""

    event: Event
    raw: bytes


_make_heard: Callable[[tuple[Event, bytes]], Heard] = partial(tuple.__new__, Heard)  # twice as fast as Heard()


class Listener(Protocol):
    """The one consumer; called in the order of the stream, it must neither wait nor raise."""

    def heard(self, batch: list[Heard]) -> None:
        """Take all wanted events that one read brought (a snapshot in between divides them)."""

    def connected(self, since: float) -> None:
        """Take note that Asterisk knows us; again when it says that it has finished booting.

        It was asked to `since` then (seconds since the epoch): what happened later is heard.
        """

    def resync(self, snapshot: Snapshot) -> None:
        """Take what exists at this point of the stream."""

    def lost(self, at: float) -> None:
        """Take note that nothing is heard any more since `at` (seconds since the epoch)."""


Observer = Callable[[bytes, float], None]
"""Is given every raw message, also unwanted ones, and when it came (seconds since the epoch)."""


class Ears:
    """Tells whom it concerns what came, and survives their faults."""

    def __init__(self, listener: Listener, booted: Callable[[], None]) -> None:
        self.bytes_read = 0
        self.messages_read = 0
        self.observer: Observer | None = None
        self._listener = listener
        self._booted = booted
        self._last: tuple[float, float] | None = None
        """When the last event happened, by its clock, and when it came, by the monotonic one."""
        self._taps: list[Callable[[Event], None]] = []
        self._batch: list[Heard] = []

    def take(self, messages: list[bytes], at: float, is_answer: Callable[[bytes], bool] | None) -> None:
        """Take the messages of one read; what `is_answer` takes for itself is no event to be heard.

        None if nobody waits for an answer.
        """
        self.messages_read += len(messages)
        came = time.monotonic()
        if self.observer is not None:
            for raw in messages:
                self._observe(raw, at)

        def is_for_others(raw: bytes) -> bool:
            if is_answer is not None and is_answer(raw):
                return True
            if event_name(raw) == b"FullyBooted":
                self._last = time_of(parse(raw).get("Timestamp"), at), came
                self.flush()
                self._booted()
            return False

        for event, raw in decode_all(messages, at, is_for_others, ask_always=is_answer is not None):
            self._last = event.at, came
            self._batch.append(_make_heard((event, stamped(raw, at))))
            for tap in self._taps:
                tap(event)
        self.flush()

    def now(self) -> float:
        """Tell the time by the clock that events are stamped with: Asterisk's, which may not be ours.

        Ours may be moved at any moment, so that it tells no more than how long ago the last event came.
        """
        if self._last is None:
            return time.time()
        at, came = self._last
        return at + time.monotonic() - came

    def flush(self) -> None:
        """Hand over what has been heard so far."""
        if self._batch:
            batch, self._batch = self._batch, []
            self._tell("heard", lambda: self._listener.heard(batch))

    def connected(self, since: float) -> None:
        """Say that the connection stands, for which was asked `since` then."""
        self._tell("connected", lambda: self._listener.connected(since))

    def resync(self, snapshot: Snapshot) -> None:
        """Say what exists at this point of the stream."""
        self.flush()
        self._tell("resync", lambda: self._listener.resync(snapshot))

    def lost(self, at: float) -> None:
        """Say that the connection is lost."""
        self._tell("lost", lambda: self._listener.lost(at))

    @contextmanager
    def tap(self, hear: Callable[[Event], None]) -> Iterator[None]:
        """Let `hear` take every wanted event too, before the listener does."""
        self._taps.append(hear)
        try:
            yield
        finally:
            self._taps.remove(hear)

    def _tell(self, what: str, call: Callable[[], None]) -> None:
        # A fault in there must not cost the rest of what was read, nor the connection.
        try:
            call()
        except Exception:
            log.exception("ami listener failed", told=what)

    def _observe(self, raw: bytes, at: float) -> None:
        if self.observer is None:
            return
        try:
            self.observer(raw, at)
        except Exception:
            log.exception("ami observer failed", consequence="it is told nothing more")
            self.observer = None
