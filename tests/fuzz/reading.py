"""Targets that read what Asterisk says: the bytes, the messages, and the calls that come of them."""

from random import Random
from zlib import crc32

from ami_planfix.ami.capture import redacted
from ami_planfix.ami.decode import decode
from ami_planfix.ami.wire import LINE_LIMIT, Splitter, encode, event_name, parse, stamped
from ami_planfix.errors import WireError
from tests.calls import test_invariants as invariants
from tests.calls.story import load
from tests.fuzz.corpus import a_story, damaged_history, joined
from tests.fuzz.mutation import damaged
from tests.fuzz.target import Target

ARRIVAL = 1_795_000_000.25
WORDS = (
    b"Event: ",
    b"Response: Success",
    b"ActionID: ",
    b"Uniqueid: ",
    b"Timestamp: ",
    b"Asterisk Call Manager/",
    b": ",
)


class Wire(Target):
    """Bytes become messages, and messages events, in whatever pieces they come."""

    name = "wire"
    about = "bytes from Asterisk: cut into messages, parsed, decoded, redacted"

    def make(self, random: Random) -> bytes:
        """Damage a piece of a capture, once as bytes."""
        history = damaged_history(random, a_story(random).name)
        first = random.randrange(len(history)) if history else 0
        return damaged(random, joined(history[first : first + random.choice((1, 3, 20))]), WORDS)

    async def attempt(self, data: bytes) -> None:
        """Read it whole and in pieces: never a fault, and always the same."""
        for lf in (True, False):
            whole = _split([data], lf)
            assert whole == _split(_pieces(data), lf), "the messages depend on how the stream was cut"
            for raw in whole:
                _read(raw)


def _split(pieces: list[bytes], lf: bool) -> list[bytes]:
    splitter = Splitter(lf=lf)
    found = [message for piece in pieces for message in splitter.feed(piece)]
    rest = splitter.rest()
    return [*found, rest] if rest else found


def _pieces(data: bytes) -> list[bytes]:
    random = Random(crc32(data))
    longest = random.choice((1, 3, 50, 1000)) if len(data) < 20_000 else 1000
    pieces = []
    at = 0
    while at < len(data):
        length = random.randint(1, longest)
        pieces.append(data[at : at + length])
        at += length
    return pieces


def _read(raw: bytes) -> None:
    event_name(raw)
    event = decode(raw, ARRIVAL)
    if event is not None:
        again = decode(stamped(raw, event.at), event.at)
        assert again == event, f"the journal would replay another event: {event} is not {again}"
        assert "\\x00" not in repr(event), "PostgreSQL takes no NUL"
    secretless = redacted(raw)
    assert redacted(secretless) == secretless, "what was redacted is not when it is read again"
    message = parse(raw)
    try:
        line = encode("Ping", message.headers)
    except WireError:
        return
    assert line.count(b"\n") == len(message.headers) + 2, "an action with a line too many"
    assert all(len(one) <= LINE_LIMIT for one in line.split(b"\n"))


class Stream(Target):
    """What a damaged stream says of calls still obeys the invariants of docs/rules.md."""

    name = "stream"
    about = "damaged messages: decoded, tracked; the invariants hold, nothing stays in memory"

    def make(self, random: Random) -> bytes:
        """Damage a story's messages; the first line says which story it is."""
        story = a_story(random).name
        return story.encode() + b"\n" + joined(damaged_history(random, story))

    async def attempt(self, data: bytes) -> None:
        """Hear it under one of the settings."""
        name, _, stream = data.partition(b"\n")
        story = load(name.decode())
        found = [decode(raw, ARRIVAL) for raw in Splitter().feed(stream)]
        history = [event for event in found if event is not None]
        invariants.check_lossy(story, history, invariants.SETTINGS[crc32(data) % len(invariants.SETTINGS)])


class Calls(Target):
    """Events of any kind in any order, drawn by the strategies of the property tests from the input's bytes."""

    name = "tracker"
    about = "events that are nonsense, damaged, lost, doubled, out of order, with snapshots between"
    _properties = (
        invariants.test_many_damages_break_no_invariant_and_forget_no_call,
        invariants.test_after_a_gap_the_snapshot_tells_and_the_rest_is_heard_whole,
        invariants.test_a_resync_with_the_truth_where_nothing_was_lost_changes_no_report,
        invariants.test_garbage_between_the_events_breaks_no_invariant,
        invariants.test_nothing_but_garbage_breaks_no_invariant,
    )

    def make(self, random: Random) -> bytes:
        """Make bytes from which hypothesis draws."""
        return random.randbytes(random.choice((512, 2048, 8192)))

    async def attempt(self, data: bytes) -> None:
        """Let one of the properties draw from it."""
        found = self._properties[data[0] % len(self._properties)]
        found.hypothesis.fuzz_one_input(data[1:])  # type: ignore[attr-defined]
