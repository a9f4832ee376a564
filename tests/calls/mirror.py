"""The truth about channels after any part of a history: what Asterisk would answer to a snapshot just then."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import NamedTuple

from ami_planfix.calls import events
from ami_planfix.calls.events import BridgeId, Channel, Event, Present, Snapshot, Uniqueid


class _Place(NamedTuple):
    bridge: BridgeId | None
    bridge_type: str
    technology: str


NOWHERE = _Place(None, "", "")


class Mirror:
    """Hears everything, and knows what exists."""

    def __init__(self, heard: Iterable[Event] = ()) -> None:
        self.at = 0.0
        self._channels: dict[Uniqueid, Channel] = {}
        self._created: dict[Uniqueid, float] = {}
        self._places: dict[Uniqueid, _Place] = {}
        self._applications: dict[Uniqueid, str] = {}
        for event in heard:
            self.hear(event)

    def hear(self, event: Event) -> None:
        """Take the next event of a whole history."""
        self.at = event.at
        if isinstance(event, events.Newchannel):
            self._channels[event.channel.uniqueid] = event.channel
            self._created[event.channel.uniqueid] = event.at
        for channel in channels_of(event):
            if channel.uniqueid in self._channels:
                self._channels[channel.uniqueid] = channel
        match event:
            case events.BridgeEnter():
                place = _Place(event.bridge, event.bridge_type, event.technology)
                self._places[event.channel.uniqueid] = place
            case events.BridgeLeave():
                if self._places.get(event.channel.uniqueid, NOWHERE).bridge == event.bridge:
                    del self._places[event.channel.uniqueid]
            case events.DialBegin():
                application = "AppDial" if event.channel is not None else "AppDial2"
                self._applications[event.dest.uniqueid] = application
            case events.Newexten():
                self._applications[event.channel.uniqueid] = event.application
            case events.Hangup():
                for known in (self._channels, self._created, self._places, self._applications):
                    known.pop(event.channel.uniqueid, None)
            case _:
                pass

    def snapshot(self) -> Snapshot:
        """Tell what exists now."""
        present = (
            Present(
                channel,
                *self._places.get(uniqueid, NOWHERE),
                self._applications.get(uniqueid, ""),
                self._created[uniqueid],
            )
            for uniqueid, channel in self._channels.items()
        )
        return Snapshot(self.at, tuple(present))


def channels_of(event: Event) -> Iterator[Channel]:
    """Give every channel that an event tells of."""
    for field in fields(event):
        value = getattr(event, field.name)
        if isinstance(value, Channel):
            yield value
