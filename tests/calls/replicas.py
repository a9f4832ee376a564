"""Copies of a story that happen at another time, on channels of their own."""

import re
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import fields

from ami_planfix.calls.events import Channel, Event, Linkedid, Uniqueid

IDS = frozenset({"uniqueid", "swap", "bridge", "to", "source"})
"""Fields of events that name a channel or a bridge."""
NUMBER = re.compile(r"(?<=-)[0-9a-f]{8}(?=$|;[12]$)")
"""The number of a channel in its name."""


def replica(story: Iterable[Event], tag: int, begin: float) -> Iterator[Event]:
    """Give a story's events as they would be if it had begun at `begin`; `tag` makes its ids its own."""
    first: float | None = None
    for event in story:
        first = event.at if first is None else first
        mine = copy(event)
        mine.at = begin + event.at - first
        for field in fields(event):
            value = getattr(event, field.name)
            if isinstance(value, Channel):
                setattr(mine, field.name, _channel(value, tag))
            elif field.name in IDS and value:
                setattr(mine, field.name, f"{value}-{tag}")
        yield mine


def _channel(channel: Channel, tag: int) -> Channel:
    def renumbered(found: re.Match[str]) -> str:
        return f"{(int(found[0], 16) + tag * 0x1000) & 0xFFFFFFFF:08x}"

    return channel._replace(
        uniqueid=Uniqueid(f"{channel.uniqueid}-{tag}"),
        linkedid=Linkedid(f"{channel.linkedid}-{tag}"),
        name=NUMBER.sub(renumbered, channel.name),
    )
