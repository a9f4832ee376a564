"""The tracker: events in, reports out; nothing else changes it, and it changes nothing else.

An event first changes the facts (`hearing`, `pbx`), perhaps makes a call begin (`beginning`), and then every call
of the same group of channels looks at the facts again (`call`, `part`). Nothing here waits, reads a clock, or raises
on what an event says.
"""

from collections.abc import Iterable
from typing import NamedTuple

from ami_planfix.calls.attributes import Attribute
from ami_planfix.calls.beginning import Beginnings
from ami_planfix.calls.call import Call
from ami_planfix.calls.events import Event, OriginateResponse, Snapshot, Uniqueid
from ami_planfix.calls.hearing import Hearing
from ami_planfix.calls.moment import Choices, Moment, Note
from ami_planfix.calls.part import State
from ami_planfix.calls.parties import Directory
from ami_planfix.calls.pbx import Channel, Pbx, conversation, groups, origin
from ami_planfix.calls.register import Register
from ami_planfix.calls.reports import CallId, Direction, Extension, Report, Silence


def is_compiled() -> bool:
    """Tell whether this runs as machine code, as packages have it (packaging/compile.py)."""
    return not __file__.endswith(".py")


class Settings(NamedTuple):
    """What the administrator chose (`calls`, `ami.name`)."""

    pbx: str = ""
    """Goes before every callid with a hyphen, if not empty."""
    transfers_each: bool = False
    missed_each: bool = False
    attributes: frozenset[Attribute] = frozenset()


DEFAULT_SETTINGS = Settings()


class Conclusion(NamedTuple):
    """What one event led to."""

    reports: tuple[Report, ...] = ()
    used: bool = False
    """The event belongs into the journal: a replay without it could end differently."""
    gone: tuple[Uniqueid, ...] = ()
    """Channels of which nothing is kept any more; their journal can go with them."""
    silences: tuple[Silence, ...] = ()
    """Calls that ended without a report, to be counted."""
    noted: tuple[Note, ...] = ()
    companions: tuple[Uniqueid, ...] = ()
    """Channels that exist and have to do with the calls of the reports."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Tell what was concluded, with its rule, for `explain`."""
        return tuple(words.format(*values) for words, values in self.noted)


NOTHING = Conclusion()
NOTHING_NEW = Conclusion(used=True)


class LiveCall(NamedTuple):
    """A call as it stands, for `ami-planfix calls` and the status page."""

    callid: CallId
    direction: Direction
    client: str
    did: str
    since: float
    ringing: tuple[Extension, ...]
    talking: tuple[Extension, ...]
    talking_since: float | None
    seconds: int
    """Whole seconds of conversation until the last talk began."""


class Tracker:
    """Follows every call of one PBX; deterministic: the same events lead to the same reports."""

    def __init__(self, directory: Directory, settings: Settings = DEFAULT_SETTINGS) -> None:
        self._directory = directory
        self._settings = settings
        self._prefix = f"{settings.pbx}-" if settings.pbx else ""
        self.restart()

    def restart(self) -> None:
        """Forget everything: what follows is another history."""
        directory, settings = self._directory, self._settings
        self._pbx = Pbx()
        self._register = Register()
        self._beginnings = Beginnings(
            directory,
            self._register,
            prefix=self._prefix,
            choices=Choices(settings.transfers_each, settings.missed_each, settings.attributes),
        )
        self._hearing = Hearing(self._pbx, directory, self._register, self._beginnings)
        self._last_heard = 0.0

    def handle(self, event: Event) -> Conclusion:
        """Take one event, in the order in which AMI sent it; never raises on what an event says."""
        self._pbx.changed = False
        touched = self._hearing.hear(event)
        if not touched and isinstance(event, OriginateResponse):
            # The phone was not picked up, or not even there: kept for who asks what became of the click.
            return Conclusion(used=True, gone=(event.uniqueid,))
        if not touched:
            return NOTHING
        self._last_heard = event.at
        if not self._pbx.changed:
            return NOTHING_NEW
        moment = Moment(event.at, event.at, type(event).__name__, touched[0].name)
        gone = self._conclude(touched, moment)
        return _conclusion(moment, touched, gone, used=True)

    def resync(self, snapshot: Snapshot) -> Conclusion:
        """Take what Asterisk says exists now: what it does not name has ended.

        A conversation that ended unheard counts up to the last event or snapshot before this one; after a time in
        which nobody listened, up to that before it.
        """
        last_heard = self._last_heard if snapshot.heard_until is None else snapshot.heard_until
        until = min(last_heard or snapshot.at, snapshot.at)
        before = len(self._pbx.channels)
        touched = self._hearing.reconcile(snapshot)
        changed = len(self._pbx.channels) != before or any(not channel.alive for channel in touched)
        self._last_heard = snapshot.at
        moment = Moment(snapshot.at, until, "resync")
        gone = self._conclude(touched, moment)
        used = changed or bool(moment.reports) or bool(self._register)
        return _conclusion(moment, touched, gone, used=used)

    @property
    def last_heard(self) -> float | None:
        """When the last event or snapshot happened, seconds since the epoch; None before the first."""
        return self._last_heard or None

    def live(self) -> tuple[LiveCall, ...]:
        """Tell the calls that go on, oldest first."""
        return tuple(_as_live(call) for call in self._register.live())

    def is_live(self, callid: str) -> bool:
        """Tell whether a call goes on."""
        return any(call.callid == callid for call in self._register.live())

    def channels(self) -> tuple[str, ...]:
        """Tell the names of the channels that exist, as far as events have told."""
        return tuple(channel.name for channel in self._pbx.channels.values())

    def kept(self) -> frozenset[Uniqueid]:
        """Tell of which channels anything is kept: those that exist, and what has ended of their calls."""
        channels = self._pbx.channels
        return frozenset({*channels, *(uniqueid for group in groups(channels.values()) for uniqueid in group.dead)})

    def callids(self) -> frozenset[CallId]:
        """Tell of which calls something is known: those that go on, and what may become of the channels that exist."""
        channels = self._pbx.channels.values()
        names = {name for channel in channels for name in (channel.uniqueid, channel.linkedid)}
        return frozenset({self.callid(name) for name in names} | {call.callid for call in self._register.live()})

    def callid(self, uniqueid: str) -> CallId:
        """Tell the id that a call has, or would have, which began with this channel."""
        return CallId(self._prefix + uniqueid)

    # From facts to opinions

    def _conclude(self, touched: list[Channel], moment: Moment) -> tuple[Uniqueid, ...]:
        for channel in touched:
            if channel.alive:
                self._beginnings.look(channel, moment)
        for call in self._register.near(touched):
            call.observe(moment)
            if call.direction is Direction.OUTGOING:
                self._look_after(call, moment)
        gone: list[Uniqueid] = []
        for channel in touched:
            if not channel.alive:
                self._beginnings.look_back(channel, moment)
                self._register.remove(channel, moment.at)
                gone += self._forget(channel)
        return tuple(gone)

    def _look_after(self, call: Call, moment: Moment) -> None:
        """See who dials for an outgoing call now, and whether it was a consultation that is over."""
        for owner in call.owners.values():
            if owner.alive and not self._register.stands_for_a_call(owner):
                self._register.enter(owner, call)  # it took the dialling over
        if not call.over and self._is_joined(call):
            call.join(moment)

    def _is_joined(self, call: Call) -> bool:
        """Tell whether an outgoing call was a consultation that is over: its two clients are joined (rule 9)."""
        if call.client is not None:
            heard = [channel for channel in conversation(call.client) if not channel.is_local]
        else:
            sources = [leg.dial.source for leg in call.attempts if leg.alive and leg.dial is not None]
            heard = [channel for source in sources if source is not None for channel in origin(source)]
        if not heard or any(channel.extension is not None for channel in heard):
            return False
        others = map(self._register.of, heard)
        return any(
            other is not None and other is not call and not other.over and other.since < call.since for other in others
        )

    def _forget(self, channel: Channel) -> list[Uniqueid]:
        """Let go of what no call needs any more; the channels of which nothing is kept."""
        group = channel.group
        if any(self._register.stands_for_a_call(one) for one in group.living.values()):
            return []
        gone, group.dead = group.dead, []
        return gone


def _conclusion(moment: Moment, touched: Iterable[Channel], gone: tuple[Uniqueid, ...], *, used: bool) -> Conclusion:
    if used and not (moment.reports or gone or moment.notes or moment.silences):
        return NOTHING_NEW
    near = groups(touched) if moment.reports else ()
    companions = tuple(uniqueid for group in near for uniqueid in group.living)
    return Conclusion(tuple(moment.reports), used, gone, tuple(moment.silences), tuple(moment.notes), companions)


def _as_live(call: Call) -> LiveCall:
    talking = [part.extension for part in call.parts.values() if part.state in (State.TALKING, State.AWAY)]
    return LiveCall(
        callid=call.callid,
        direction=call.direction,
        client=call.phone,
        did=call.did,
        since=call.since,
        ringing=tuple(part.extension for part in call.parts.values() if part.state in (State.RINGING, State.HELD)),
        talking=tuple(talking),
        talking_since=call.talk.since,
        seconds=call.talk.seconds,
    )
