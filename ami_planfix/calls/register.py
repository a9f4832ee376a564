"""Which call a channel stands for: the client's channel, or the employee's and the legs that are tried."""

from collections.abc import Iterable

from ami_planfix.calls.call import Call
from ami_planfix.calls.events import Uniqueid
from ami_planfix.calls.pbx import Channel


class Register:
    """All calls, by the channels that stand for them, until these channels are gone."""

    def __init__(self) -> None:
        self._calls: dict[Uniqueid, Call] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def enter(self, channel: Channel, call: Call) -> None:
        """Let a channel stand for a call, in place of one that it stood for before."""
        self._calls[channel.uniqueid] = call

    def remove(self, channel: Channel) -> None:
        """Forget for what a channel stood."""
        self._calls.pop(channel.uniqueid, None)

    def of(self, channel: Channel) -> Call | None:
        """Find the call that a channel stands for."""
        return self._calls.get(channel.uniqueid)

    def stands_for_a_call(self, channel: Channel) -> bool:
        """Tell whether a channel stands for a call."""
        return channel.uniqueid in self._calls

    def whose_client(self, channel: Channel) -> Call | None:
        """Find the call whose client is at this channel."""
        call = self._calls.get(channel.uniqueid)
        return call if call is not None and call.client is channel else None

    def near(self, channels: Iterable[Channel]) -> list[Call]:
        """Find the calls that a change at these channels may change: those of their groups."""
        found: dict[int, Call] = {}
        seen: set[int] = set()
        for channel in channels:
            self._note(channel, found)
            if id(channel.group) not in seen:
                seen.add(id(channel.group))
                for member in channel.group.living.values():
                    self._note(member, found)
        return list(found.values())

    def live(self) -> list[Call]:
        """Tell the calls that go on, oldest first."""
        calls = {id(call): call for call in self._calls.values() if not call.over}
        return sorted(calls.values(), key=lambda call: call.since)

    def _note(self, channel: Channel, found: dict[int, Call]) -> None:
        call = self._calls.get(channel.uniqueid)
        if call is not None:
            found[id(call)] = call
