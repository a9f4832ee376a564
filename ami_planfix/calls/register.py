"""Which call a channel stands for: the client's channel, or the employee's and the legs that are tried."""

from collections import Counter, OrderedDict
from collections.abc import Iterable

from ami_planfix.calls.call import Call
from ami_planfix.calls.events import Uniqueid
from ami_planfix.calls.pbx import MEMORY_OF_THE_DEAD, MOST_REMEMBERED, Channel, Group
from ami_planfix.calls.reports import CallId


class Register:
    """All calls, by the channels that stand for them, until these channels are gone."""

    def __init__(self) -> None:
        self._calls: dict[Uniqueid, Call] = {}
        self._standing: Counter[CallId] = Counter()
        """How many channels stand for the call with this callid."""
        self._recent: OrderedDict[CallId, float] = OrderedDict()
        """Callids given out or let go a moment ago."""

    def __len__(self) -> int:
        return len(self._calls)

    def claim(self, wanted: CallId, otherwise: CallId, at: float) -> CallId:
        """Give a call a callid that no other call has: lost events can make two of one Linkedid."""
        self._forget_the_old(at)
        callid, count = wanted, 1
        while callid in self._standing or callid in self._recent:
            callid = otherwise if count == 1 else CallId(f"{otherwise}-{count}")
            count += 1
        self._recent[callid] = at
        return callid

    def enter(self, channel: Channel, call: Call) -> None:
        """Let a channel stand for a call, in place of one that it stood for before."""
        before = self._calls.get(channel.uniqueid)
        self._calls[channel.uniqueid] = call
        self._standing[call.callid] += 1
        if before is not None:
            self._let_go(before)

    def remove(self, channel: Channel, at: float) -> None:
        """Forget for what a channel stood."""
        call = self._calls.pop(channel.uniqueid, None)
        if call is not None:
            self._let_go(call)
            self._recent[call.callid] = at
            self._recent.move_to_end(call.callid)
            self._forget_the_old(at)

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
        calls = self._calls
        found: dict[CallId, Call] = {}
        seen: Group | None = None
        for channel in channels:
            if channel.uniqueid in calls:
                call = calls[channel.uniqueid]
                found[call.callid] = call
            if channel.group is not seen:
                seen = channel.group
                for uniqueid in seen.living:
                    if uniqueid in calls:
                        call = calls[uniqueid]
                        found[call.callid] = call
        return list(found.values())

    def live(self) -> list[Call]:
        """Tell the calls that go on, oldest first."""
        calls = {id(call): call for call in self._calls.values() if not call.over}
        return sorted(calls.values(), key=lambda call: call.since)

    def _let_go(self, call: Call) -> None:
        self._standing[call.callid] -= 1
        if not self._standing[call.callid]:
            del self._standing[call.callid]

    def _forget_the_old(self, at: float) -> None:
        while self._recent:
            oldest, since = next(iter(self._recent.items()))
            if abs(at - since) <= MEMORY_OF_THE_DEAD or len(self._recent) <= MOST_REMEMBERED:
                break
            del self._recent[oldest]
