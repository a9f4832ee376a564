"""CDR -> the events that AMI would have told, for the tracker (pure).

A row is a stretch of one channel with one other: rung from `start`, bridged from `answer`, over at `end`. Times are
whole seconds, so that order within a second is the order in which such things happen. What CDR does not say is not
reported: who transferred, by what cause a leg ended, and that an Originate dialled the client first.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ami_planfix.backfill.dialling import argument_for
from ami_planfix.backfill.records import Cdr
from ami_planfix.calls import events
from ami_planfix.calls.events import BridgeId, Event, Linkedid, Uniqueid

_CAUSES = {"BUSY": (17, "BUSY"), "FAILED": (0, "CHANUNAVAIL"), "CONGESTION": (34, "CONGESTION")}
_NOT_ANSWERED = (0, "NOANSWER")
_NOBODY_DIALS = "AppDial2"
_HALF = 0.5
"""Seconds that a stretch of talk is longer than its `billsec` says, on the average."""
# What happens in the same second, in this order.
_LEAVE, _LEG_ENDS, _BORN, _DIALS_LOCAL, _DIALS, _MEETS, _LEAVES_AT_ONCE, _ENDS_AT_ONCE, _ENDS = range(9)


def events_of(records: Iterable[Cdr]) -> list[Event]:
    """Tell what AMI would have said of these channels, in order."""
    rows = sorted((row for row in records if not _never_called(row)), key=lambda row: (row.start, row.sequence))
    return _Telling(rows).tell()


def _never_called(row: Cdr) -> bool:
    """Tell whether an Originate rang a phone that did not pick up: nobody was called (rule 17)."""
    return row.application == _NOBODY_DIALS and row.answer is None


class _Channel:
    """A channel, from the first row that names it to the last."""

    def __init__(self, name: str, first: Cdr, *, is_leg: bool) -> None:
        self.name = name
        self.first = first
        self.is_leg = is_leg
        self.uniqueid = first.uniqueid if not is_leg else Uniqueid(name)
        self.dies = first.end
        self.cause, self.status = 16, ""
        self.state = events.DOWN if is_leg else events.RING
        self.caller = "" if is_leg else first.caller
        self.exten = "s" if is_leg else first.exten

    @property
    def is_local(self) -> bool:
        return self.name.startswith("Local/")

    def snapshot(self, shown: str = "") -> events.Channel:
        return events.Channel(
            self.uniqueid, Linkedid(self.first.linkedid), self.name, self.state, shown or self.caller, "",
            self.first.context, self.exten,
        )  # fmt: skip


class _Timed(NamedTuple):
    """What happens, and where it belongs among all that does."""

    at: float
    phase: int
    row: int
    what: str
    channel: _Channel
    other: _Channel | None


class _Telling:
    """One telling of the rows of calls."""

    def __init__(self, rows: Sequence[Cdr]) -> None:
        self._rows = rows
        self._channels: dict[str, _Channel] = {}
        for row in rows:
            self._note(row)

    def tell(self) -> list[Event]:
        happenings = sorted(self._happenings(), key=lambda one: (one.at, one.phase, one.row))
        return [event for one in happenings for event in self._events(one)]

    def _note(self, row: Cdr) -> None:
        for name, is_leg in ((row.channel, False), (row.dstchannel, True)):
            if not name:
                continue
            channel = self._channels.get(name)
            if channel is None:
                half = name.startswith("Local/") and name.endswith(";1")
                channel = self._channels[name] = _Channel(name, row, is_leg=is_leg or half)
            if not is_leg:
                channel.uniqueid = row.uniqueid
            channel.dies = max(channel.dies, row.end)
            if is_leg and row.answer is None:
                channel.cause, channel.status = _CAUSES.get(row.disposition, _NOT_ANSWERED)
            elif row.answer is not None:
                channel.cause, channel.status = 16, "ANSWER"

    def _happenings(self) -> Iterator[_Timed]:
        begun: set[str] = set()
        for number, row in enumerate(self._rows):
            a, b = self._channels[row.channel], self._channels.get(row.dstchannel)
            for channel in filter(None, (a, b)):
                if channel.name not in begun:
                    begun.add(channel.name)
                    yield _Timed(channel.first.start, _BORN, number, "born", channel, a)
            if row.application == "Dial":
                yield _Timed(row.start, _BORN, number, "app", a, None)
            if b is None:
                continue
            if b.first is row and b.is_leg:
                yield _Timed(row.start, _DIALS_LOCAL if b.is_local else _DIALS, number, "dials", b, a)
            if row.answer is not None and not self._is_passage(number):
                yield _Timed(row.answer, _MEETS, number, "meets", a, b)
                until = min(row.end, row.answer + row.talk + _HALF)
                yield _Timed(until, _LEAVES_AT_ONCE if until <= row.answer else _LEAVE, number, "leaves", a, b)
        for channel in self._channels.values():
            at_once = channel.dies <= channel.first.start
            early = _ENDS_AT_ONCE if at_once else _LEG_ENDS
            yield _Timed(channel.dies, early if channel.is_leg else _ENDS, len(self._rows), "ends", channel, None)

    def _is_passage(self, number: int) -> bool:
        """Tell whether a row is no conversation but the way to the next: a Local channel, a call picked up."""
        row = self._rows[number]
        return (
            row.answer is not None
            and row.end - row.answer < 1
            and any(
                later.channel == row.channel and later.answer is not None and later.start - row.end < 1
                for later in self._rows[number + 1 :]
            )
        )

    def _events(self, one: _Timed) -> Iterator[Event]:
        at, channel, other = one.at, one.channel, one.other
        row = self._rows[one.row] if one.row < len(self._rows) else channel.first
        match one.what:
            case "born":
                yield events.Newchannel(at, channel.snapshot())
                if row.did and not channel.is_leg:
                    yield events.VarSet(at, channel.snapshot(), "FROM_DID", row.did)
            case "app":
                yield events.Newexten(at, channel.snapshot(), row.application, row.data)
            case "dials":
                yield from self._dial(at, row, channel, other)
            case "meets" if other is not None:
                yield from self._meet(at, one.row, row, channel, other)
            case "leaves" if other is not None:
                bridge = BridgeId(f"cdr-{one.row}")
                yield events.BridgeLeave(at, bridge, other.snapshot())
                yield events.BridgeLeave(at, bridge, channel.snapshot())
            case _:
                if channel.is_leg and channel.status != "ANSWER":
                    yield events.DialEnd(at, None, channel.snapshot(), channel.status, "")
                yield events.Hangup(at, channel.snapshot(), channel.cause, "")

    def _dial(self, at: float, row: Cdr, leg: _Channel, source: _Channel | None) -> Iterator[Event]:
        shown = source.snapshot(row.shown) if source is not None else None
        argument = argument_for(row.data, leg.name) if row.application == "Dial" else ""
        leg.caller = row.exten
        yield events.DialBegin(at, shown, leg.snapshot(), argument or row.exten)
        leg.caller = ""
        refused = row.disposition in _CAUSES and row.end <= row.start
        if not leg.is_local and not refused:
            leg.state = events.RINGING
            yield events.DialState(at, shown, leg.snapshot(), "RINGING")

    def _meet(self, at: float, number: int, row: Cdr, one: _Channel, other: _Channel) -> Iterator[Event]:
        for channel in (other, one):
            if channel.state != events.UP:
                channel.state = events.UP
                yield events.Newstate(at, channel.snapshot())
        if row.recording:
            yield events.VarSet(at, one.snapshot(), "MIXMONITOR_FILENAME", row.recording)
            yield events.MixMonitorStart(at, one.snapshot())
        bridge = BridgeId(f"cdr-{number}")
        for channel in (one, other):
            yield events.BridgeEnter(at, bridge, "", "", channel.snapshot(), None)
