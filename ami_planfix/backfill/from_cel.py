"""CEL -> the events that AMI would have told, for the tracker (pure).

CEL says what became of channels and bridges, and by whom they were transferred. It does not say who dials a leg, which
is found by the Dial that names it, nor that a phone rings: a leg that is made rings, unless it is refused so fast
that no person can have done it.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from ami_planfix.backfill.dialling import argument_for
from ami_planfix.backfill.records import Cel
from ami_planfix.calls import events
from ami_planfix.calls.causes import ended_by_itself
from ami_planfix.calls.events import BridgeId, Event, Uniqueid

BY_A_MACHINE = 0.1
"""Seconds within which only a machine refuses a call."""
_NAMERS = frozenset({"dial", "retrydial"})
"""Applications that name whom they dial."""
_DIALLERS = _NAMERS | {"queue", "followme", "page"}
_LEGS = frozenset({"appdial", "appdial2", "appqueue"})
_NOBODY_DIALS = "appdial2"
_TRANSFER = "Success"
_FORWARDED = 23
"""The hangup cause of a leg that sent the call on."""
_NOTHING: Mapping[str, str] = MappingProxyType({})
_A_MOMENT = 1.5
"""Seconds within which a forward and its Local channel are told of, where times are whole seconds."""


def events_of(
    records: Iterable[Cel], dids: Mapping[str, str] = _NOTHING, recordings: Mapping[str, str] = _NOTHING
) -> list[Event]:
    """Tell what AMI would have said of these channels, in order.

    `dids` and `recordings` are what CDR knows beside it, by Uniqueid (FreePBX).
    """
    rows = sorted(records, key=lambda row: row.at)
    return _Telling(rows, dids, recordings).tell()


_ENDS = ("CHAN_END", "HANGUP")


class _Known:
    """A channel: what its records say of it as a whole, and how it stands."""

    def __init__(self, first: Cel) -> None:
        self.first = first
        self.now = first
        self.state = events.DOWN
        self.apps: set[str] = set()
        self.callers: list[str] = []
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self.cause = 0
        self.dial_status = ""
        self.dials = ""
        """Data of the Dial or Queue that runs on it."""
        self.names_whom = False
        self.source: _Known | None = None
        self.alive = False
        self.forwarded = False
        self.hung_up = False

    @property
    def is_local(self) -> bool:
        return self.first.channel.startswith("Local/")

    @property
    def is_leg(self) -> bool:
        """Tell whether somebody dialled it."""
        if self.is_local:
            return self.first.channel.endswith(";1")
        return bool(self.apps & _LEGS) or str(self.first.linkedid) != self.first.uniqueid

    @property
    def rang(self) -> bool:
        if self.answered_at is not None or self.ended_at is None:
            return True
        refused = ended_by_itself(self.cause, forwarded=False)
        return not refused or self.ended_at - self.first.at > BY_A_MACHINE

    def snapshot(self) -> events.Channel:
        row = self.now
        caller = row.caller
        if self.is_leg and not caller and self.callers:
            caller = self.callers[0]
        return events.Channel(row.uniqueid, row.linkedid, row.channel, self.state, caller, "", row.context, row.exten)


class _Telling:
    """One telling of records, from the first to the last."""

    def __init__(self, rows: list[Cel], dids: Mapping[str, str], recordings: Mapping[str, str]) -> None:
        self._rows = rows
        self._dids = dids
        self._recordings = recordings
        self._events: list[Event] = []
        self._channels: dict[Uniqueid, _Known] = {}
        self._forwards = [row for row in rows if row.kind == "FORWARD"]
        for row in rows:
            self._survey(row)

    def tell(self) -> list[Event]:
        for row in self._rows:
            channel = self._channels[row.uniqueid]
            if not channel.alive:
                if channel.state == events.UP or row.kind in _ENDS or channel.now is not channel.first:
                    continue
                self._begin(channel)
            self._note_changes(channel, row)
            tell = _TELL.get(row.kind)
            if tell is not None:
                tell(self, channel, row)
        return self._events

    def _survey(self, row: Cel) -> None:
        channel = self._channels.setdefault(row.uniqueid, _Known(row))
        if row.application:
            channel.apps.add(row.application.casefold())
        if row.caller:
            channel.callers.append(row.caller)
        match row.kind:
            case "ANSWER":
                channel.answered_at = channel.answered_at or row.at
            case "HANGUP":
                channel.cause = _number(row.extra.get("hangupcause"))
                channel.dial_status = row.extra.get("dialstatus", "")
                channel.ended_at = row.at
            case "CHAN_END":
                channel.ended_at = row.at
            case _:
                pass

    def _say(self, event: Event) -> None:
        self._events.append(event)

    def _begin(self, channel: _Known) -> None:
        row = channel.first
        channel.alive = True
        channel.state = events.DOWN if channel.is_leg else events.RING
        self._say(events.Newchannel(row.at, channel.snapshot()))
        self._add_from_cdr(channel)
        forward = self._forward_to(channel) if channel.is_local else None
        if not channel.is_leg:
            if forward is not None and (by := self._forwarder(forward)) is not None:
                self._say(events.VarSet(row.at, channel.snapshot(), "FORWARDERNAME", by.first.channel))
            return
        source, argument = self._dialler(channel)
        if forward is not None:
            source = self._other(forward.uniqueid)
        channel.source = source
        if source is None and not (channel.apps & {_NOBODY_DIALS}):
            if channel.is_local:
                return
            source = channel.source = self._root(channel)
        shown = source.snapshot() if source is not None else None
        self._say(events.DialBegin(row.at, shown, channel.snapshot(), argument))
        if channel.rang and not channel.is_local and not self._sends_on_at_once(channel):
            channel.state = events.RINGING
            self._say(events.DialState(row.at, shown, channel.snapshot(), "RINGING"))

    def _add_from_cdr(self, channel: _Known) -> None:
        row = channel.first
        if (did := self._dids.get(row.uniqueid)) and not channel.is_leg:
            self._say(events.VarSet(row.at, channel.snapshot(), "FROM_DID", did))
        if (file := self._recordings.get(row.uniqueid)) and "mixmonitor" not in channel.apps:
            self._record(channel, row.at, file)

    def _dialler(self, leg: _Known) -> tuple[_Known | None, str]:
        """Find who dials a leg, and what exactly it was told to dial."""
        near = [
            one
            for one in self._channels.values()
            if one.alive and one.dials and one is not leg and one.now.linkedid == leg.first.linkedid
        ]
        for one in reversed(near):
            if one.names_whom and (argument := argument_for(one.dials, leg.first.channel)):
                return one, argument
        others = [one for one in near if not one.names_whom]
        return (others[-1] if others and not leg.apps & {_NOBODY_DIALS} else None), ""

    def _forward_to(self, half: _Known) -> Cel | None:
        """Find the forward for which a Local channel was made: it is told of a moment later."""
        first = half.first
        return next(
            (
                row
                for row in self._forwards
                if row.linkedid == first.linkedid
                and abs(row.at - first.at) < _A_MOMENT
                and first.channel.startswith(f"Local/{row.extra.get('forward', '').partition('@')[0]}@")
            ),
            None,
        )

    def _sends_on_at_once(self, leg: _Known) -> bool:
        """Tell whether a leg is forwarded before anybody can have heard it ring."""
        by = leg.source.first.uniqueid if leg.source is not None else None
        return any(
            row.uniqueid == by and row.at - leg.first.at <= BY_A_MACHINE and self._forwarder(row) is leg
            for row in self._forwards
        )

    def _forwarder(self, forward: Cel) -> _Known | None:
        """Find the leg that forwarded: it ends then and there."""
        legs = [
            one
            for one in self._channels.values()
            if one.source is not None
            and one.source.first.uniqueid == forward.uniqueid
            and one.answered_at is None
            and abs((one.ended_at or 0.0) - forward.at) < _A_MOMENT
        ]
        return next((leg for leg in legs if leg.cause == _FORWARDED), legs[0] if legs else None)

    def _root(self, leg: _Known) -> _Known | None:
        """Guess who dials, where applications are not recorded: the newest Local half, else the first channel."""
        halves = [
            one
            for one in self._channels.values()
            if one.alive and one.first.channel.endswith(";2") and one.now.linkedid == leg.first.linkedid
        ]
        root = halves[-1] if halves else self._channels.get(Uniqueid(leg.first.linkedid))
        return root if root is not leg and root is not None and root.alive else None

    def _note_changes(self, channel: _Known, row: Cel) -> None:
        before, channel.now = channel.now, row
        if row.channel and row.channel != before.channel:
            self._say(events.Rename(row.at, row.uniqueid, row.channel))
        if row.caller != before.caller and row.kind != "CHAN_START":
            self._say(events.NewCallerid(row.at, channel.snapshot()))

    def _other(self, uniqueid: str | None) -> _Known | None:
        return self._channels.get(Uniqueid(uniqueid)) if uniqueid else None

    def _snapshot(self, uniqueid: str | None) -> events.Channel | None:
        other = self._other(uniqueid)
        return other.snapshot() if other is not None else None

    # One kind of records each

    def _answer(self, channel: _Known, row: Cel) -> None:
        channel.state = events.UP
        self._say(events.Newstate(row.at, channel.snapshot()))

    def _start_app(self, channel: _Known, row: Cel) -> None:
        application = row.application.casefold()
        if application in _DIALLERS:
            channel.dials, channel.names_whom = row.data or row.application, application in _NAMERS
        if application in ("dial", "queue", "monitor"):
            self._say(events.Newexten(row.at, channel.snapshot(), row.application.title(), row.data))
        if application == "mixmonitor":
            self._record(channel, row.at, row.data.partition(",")[0])

    def _record(self, channel: _Known, at: float, file: str) -> None:
        self._say(events.VarSet(at, channel.snapshot(), "MIXMONITOR_FILENAME", file))
        self._say(events.MixMonitorStart(at, channel.snapshot()))

    def _end_app(self, channel: _Known, row: Cel) -> None:
        if row.application.casefold() in _DIALLERS:
            channel.dials = ""
        elif row.application.casefold() == "stopmixmonitor":
            self._say(events.MixMonitorStop(row.at, channel.snapshot()))

    def _enter(self, channel: _Known, row: Cel) -> None:
        bridge, technology = BridgeId(row.extra.get("bridge_id", "")), row.extra.get("bridge_technology", "")
        self._say(events.BridgeEnter(row.at, bridge, "", technology, channel.snapshot(), None))

    def _leave(self, channel: _Known, row: Cel) -> None:
        self._say(events.BridgeLeave(row.at, BridgeId(row.extra.get("bridge_id", "")), channel.snapshot()))

    def _blind(self, channel: _Known, row: Cel) -> None:
        extra = row.extra
        transferee = self._snapshot(extra.get("transferee_channel_uniqueid"))
        bridge = BridgeId(extra.get("bridge_id", ""))
        self._say(
            events.BlindTransfer(
                row.at, channel.snapshot(), transferee, bridge, extra.get("context", ""), extra.get("extension", "")
            )
        )

    def _attended(self, channel: _Known, row: Cel) -> None:
        extra = row.extra
        second = self._snapshot(extra.get("channel2_uniqueid")) or channel.snapshot()
        self._say(
            events.AttendedTransfer(
                row.at,
                _TRANSFER,
                channel.snapshot(),
                second,
                self._snapshot(extra.get("transferee_channel_uniqueid")),
                self._snapshot(extra.get("transfer_target_channel_uniqueid")),
                "App" if extra.get("app") else "Bridge",
                extra.get("app", ""),
            )
        )

    def _pick_up(self, channel: _Known, row: Cel) -> None:
        picker = self._snapshot(row.extra.get("pickup_channel_uniqueid"))
        if picker is not None:
            self._say(events.Pickup(row.at, picker, channel.snapshot()))

    def _park(self, channel: _Known, row: Cel) -> None:
        self._say(events.ParkedCall(row.at, channel.snapshot(), row.extra.get("parker_dial_string", "")))

    def _fetch(self, channel: _Known, row: Cel) -> None:
        retriever = next(
            (one for one in self._channels.values() if one.now.channel == row.extra.get("retriever")), None
        )
        if retriever is not None:
            self._say(events.UnParkedCall(row.at, channel.snapshot(), retriever.snapshot()))
        else:
            self._say(events.ParkedCallTimeOut(row.at, channel.snapshot(), ""))

    def _forward(self, channel: _Known, row: Cel) -> None:
        leg = self._forwarder(row)
        if leg is not None:
            leg.forwarded = True
            to = row.extra.get("forward", "")
            self._say(events.DialEnd(row.at, channel.snapshot(), leg.snapshot(), "", to or "?"))

    def _hang_up(self, channel: _Known, row: Cel) -> None:
        by = row.extra.get("hangupsource", "")
        who = channel if channel.now.channel == by else None
        who = who or next((one for one in self._channels.values() if one.alive and one.now.channel == by), None)
        if who is not None and not who.hung_up:
            who.hung_up = True
            self._say(events.HangupRequest(row.at, who.snapshot(), who.cause or None, ""))
        if channel.is_leg and channel.answered_at is None and not channel.forwarded:
            source = channel.source
            status = source.dial_status if source is not None and source.dial_status != "ANSWER" else ""
            shown = source.snapshot() if source is not None and source.alive else None
            self._say(events.DialEnd(row.at, shown, channel.snapshot(), status, ""))
        self._end(channel, row)

    def _end(self, channel: _Known, row: Cel) -> None:
        channel.alive = False
        self._say(events.Hangup(row.at, channel.snapshot(), channel.cause, ""))


_TELL: dict[str, Callable[[_Telling, _Known, Cel], None]] = {
    "ANSWER": _Telling._answer,
    "APP_START": _Telling._start_app,
    "APP_END": _Telling._end_app,
    "BRIDGE_ENTER": _Telling._enter,
    "BRIDGE_EXIT": _Telling._leave,
    "BLINDTRANSFER": _Telling._blind,
    "ATTENDEDTRANSFER": _Telling._attended,
    "PICKUP": _Telling._pick_up,
    "PARK_START": _Telling._park,
    "PARK_END": _Telling._fetch,
    "FORWARD": _Telling._forward,
    "HANGUP": _Telling._hang_up,
    "CHAN_END": _Telling._end,
}


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0
