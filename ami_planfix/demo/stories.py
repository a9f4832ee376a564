"""What the demo plays: calls that a real Asterisk 22 had, and what Planfix must hear of each."""

from collections.abc import Iterator
from importlib.resources import as_file, files
from typing import NamedTuple

from ami_planfix.ami import capture


class Story(NamedTuple):
    """One call."""

    title: str
    capture: str
    """A file of `captures/`."""
    expected: tuple[str, ...]
    """`INCOMING 101`, `COMPLETED 101 Success`; in whatever order."""
    click: tuple[str, str] | None = None
    """It begins with a click in Planfix: the employee and the client's number."""


STORIES = (
    Story(
        "A client calls: three phones ring, 102 picks up",
        "ring_all_second_answers",
        (
            "INCOMING 101",
            "INCOMING 102",
            "INCOMING 103",
            "ACCEPTED 102",
            "COMPLETED 101 Canceled",
            "COMPLETED 103 Canceled",
            "COMPLETED 102 Success",
        ),
    ),
    Story(
        "Nobody picks up: one missed call",
        "ring_all_nobody",
        (
            "INCOMING 101",
            "INCOMING 102",
            "INCOMING 103",
            "COMPLETED 101 Missed",
            "COMPLETED 102 Canceled",
            "COMPLETED 103 Canceled",
        ),
    ),
    Story(
        "101 calls a client",
        "out_answered",
        ("OUTGOING 101", "ACCEPTED 101", "COMPLETED 101 Success"),
    ),
    Story(
        "101 talks and transfers the client to 102",
        "blind_refer_answered",
        (
            "INCOMING 101",
            "ACCEPTED 101",
            "INCOMING 102",
            "ACCEPTED 102",
            "COMPLETED 101 Canceled",
            "COMPLETED 102 Success",
        ),
    ),
    Story(
        "A click in Planfix rings 101, then dials the client",
        "originate_answered",
        ("OUTGOING 101", "ACCEPTED 101", "COMPLETED 101 Success"),
        click=("101", "79101234567"),
    ),
)

_CLICKED = b"planfix-1"
"""The id that the click had when `originate_answered` was recorded."""


def messages_of(story: Story, channel_id: str = "") -> Iterator[bytes]:
    """Read a story's events; `channel_id` is what the click has chosen now."""
    with as_file(files("ami_planfix.demo") / "captures" / f"{story.capture}.ami") as path:
        for raw in capture.read(path):
            yield raw.replace(_CLICKED, channel_id.encode()) if channel_id else raw
