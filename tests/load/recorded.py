"""Recorded calls multiplied: copies of a capture with channels, bridges, numbers and times of their own."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from ami_planfix.ami import capture
from ami_planfix.ami.decode import decode
from ami_planfix.calls.events import Event
from ami_planfix.calls.reports import Report
from ami_planfix.calls.tracker import Settings
from tests.calls.soak import stories_of_one_pbx
from tests.calls.story import CAPTURES, Story, heard

CLIENT, OUTSIDER = b"9101234567", b"9035550000"
"""The numbers outside that the captures know, without what may be before the area code."""
MOST_IDS = 100
"""Channels of one story."""
_TIME = re.compile(rb"\nTimestamp: ([0-9.]+)\r?")
_ID = re.compile(rb"(?m)^[A-Za-z]*(?<!Bridge)(?:Uniqueid|Linkedid): ([^\r\n;]+)")
_BRIDGE = rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_NUMBER_OF_A_CHANNEL = rb"(?<=-)[0-9a-f]{8}(?![0-9a-f-])"


class Sounded(NamedTuple):
    """One message of a copy, ready to be sent."""

    at: float
    """When it happens, seconds since the epoch."""
    raw: bytes


@dataclass(frozen=True, eq=False)
class Recorded:
    """A capture, cut before and after every word that a copy replaces by its own."""

    story: Story
    messages: tuple[tuple[float, tuple[bytes, ...]], ...]
    """Seconds since the first one, and text and word by turns."""
    ids: dict[bytes, int]
    """The Uniqueids of its channels, counted."""

    def copy(self, tag: int, begin: float, speed: float = 1.0) -> "Copy":
        """Let it happen again at `begin` (seconds since the epoch)."""
        return Copy(self, tag, begin, speed)


@dataclass(frozen=True, eq=False)
class Copy:
    """A recorded call that happens again; `tag` makes it its own, `speed` lets it last less long."""

    recorded: Recorded
    tag: int
    begin: float
    """Seconds since the epoch."""
    speed: float = 1.0
    _own: dict[bytes, bytes] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """Tell which story it is."""
        return self.recorded.story.name

    @property
    def ids(self) -> frozenset[str]:
        """Tell the Uniqueids of its channels: a callid of it is one of these."""
        return frozenset(self._word(word).decode() for word in self.recorded.ids)

    def __len__(self) -> int:
        return len(self.recorded.messages)

    def __iter__(self) -> Iterator[Sounded]:
        for after, pieces in self.recorded.messages:
            at = self.begin + after / self.speed
            texts = [self._word(piece) if number % 2 else piece for number, piece in enumerate(pieces)]
            yield Sounded(at, b"".join(texts).replace(b"\nTimestamp: ", b"\nTimestamp: %.6f" % at, 1))

    def __reduce__(self) -> tuple[object, ...]:
        return copy_of, (self.name, self.tag, self.begin, self.speed)

    def events(self) -> list[Event]:
        """Tell what the tracker could hear of it."""
        return [event for at, raw in self if (event := decode(raw, at)) is not None]

    def expected(self, settings: Settings) -> list[Report]:
        """Tell what must be reported of it if it is heard undisturbed."""
        return heard(self.recorded.story.tracker(settings), self.events())

    def _word(self, word: bytes) -> bytes:
        own = self._own.get(word)
        if own is None:
            own = self._own[word] = self._new_word(word)
        return own

    def _new_word(self, word: bytes) -> bytes:
        if word in self.recorded.ids:
            number = self.tag * MOST_IDS + self.recorded.ids[word]
            return b"planfix-%d" % number if word.startswith(b"planfix-") else b"%d.%d" % (self.begin, number)
        if word in (CLIENT, OUTSIDER):
            return word[:3] + b"%07d" % (self.tag % 10_000_000)
        if b"-" in word:
            return b"%08x" % self.tag + word[8:]
        return b"%08x" % ((int(word, 16) + self.tag * 0x1000) & 0xFFFFFFFF)


@cache
def recorded_calls() -> tuple[Recorded, ...]:
    """Read all stories that share the most common configuration."""
    return tuple(_read(story) for story in stories_of_one_pbx())


def copy_of(name: str, tag: int, begin: float, speed: float) -> Copy:
    """Make a copy of the story of that name."""
    return next(one for one in recorded_calls() if one.story.name == name).copy(tag, begin, speed)


def _read(story: Story) -> Recorded:
    raws = list(capture.read(CAPTURES / f"{story.name}.ami"))
    found = dict.fromkeys(word for raw in raws for word in _ID.findall(raw))
    ids = {word: number for number, word in enumerate(found)}
    assert 0 < len(ids) < MOST_IDS, story.name
    longest_first = sorted(map(re.escape, ids), key=len, reverse=True)
    whole = rb"(?<![0-9.])(?:" + b"|".join(longest_first) + rb")(?![0-9])"
    words = re.compile(b"(" + b"|".join([whole, _BRIDGE, CLIENT, OUTSIDER, _NUMBER_OF_A_CHANNEL]) + b")")
    messages = []
    first = _at(raws[0])
    for raw in raws:
        timeless = _TIME.sub(b"\nTimestamp: \r", raw, count=1)
        messages.append((_at(raw) - first, tuple(words.split(timeless))))
    return Recorded(story, tuple(messages), ids)


def _at(raw: bytes) -> float:
    found = _TIME.search(raw)
    assert found is not None, raw
    return float(found[1])
