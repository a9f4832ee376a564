"""What we hear: one class per AMI event that the tracker uses, under AMI's name.

`ami.decode` makes them; nobody changes them afterwards (they are not frozen, since a frozen dataclass
costs four times as much to make). `at` is the event's time in seconds since the epoch: its `Timestamp`
header, else its arrival. Headers are those of Asterisk 16 to 22 (Asterisk: doc/appdocs, "AMI Events").
"""

from dataclasses import dataclass
from typing import NamedTuple, NewType

Uniqueid = NewType("Uniqueid", str)
Linkedid = NewType("Linkedid", str)
BridgeId = NewType("BridgeId", str)

DOWN = 0
RING = 4
RINGING = 5
UP = 6
BUSY = 7


class Channel(NamedTuple):
    """What an event tells about a channel (AMI's channel snapshot), `''` for what it leaves out."""

    uniqueid: Uniqueid
    linkedid: Linkedid
    name: str
    state: int
    """`ChannelState`: 0 Down, 4 Ring, 5 Ringing, 6 Up."""
    caller: str
    """`CallerIDNum`."""
    connected: str
    """`ConnectedLineNum`."""
    context: str
    exten: str


@dataclass(slots=True)
class Newchannel:
    """A channel came to be."""

    at: float
    channel: Channel


@dataclass(slots=True)
class Newstate:
    """A channel's state changed."""

    at: float
    channel: Channel


@dataclass(slots=True)
class NewCallerid:
    """A channel got another caller ID."""

    at: float
    channel: Channel


@dataclass(slots=True)
class Rename:
    """A channel got another name (masquerade); its Uniqueid stays."""

    at: float
    uniqueid: Uniqueid
    name: str


@dataclass(slots=True)
class Newexten:
    """A channel runs a dialplan application; few are decoded (`ami.wanted.APPLICATIONS`), and choices in menus."""

    at: float
    channel: Channel
    application: str
    data: str


@dataclass(slots=True)
class VarSet:
    """A channel variable was set; only those of `ami.wanted.VARIABLES` are decoded."""

    at: float
    channel: Channel | None
    variable: str
    value: str


@dataclass(slots=True)
class UserEvent:
    """The dialplan or a program tells something of a call: `UserEvent(PlanfixData,utm_source: site)`."""

    at: float
    uniqueid: Uniqueid
    """The channel that runs it; where none does (the action `UserEvent`), the one that it names."""
    data: tuple[tuple[str, str], ...]
    """Names and values as they came."""


@dataclass(slots=True)
class OriginateResponse:
    """What became of an Originate: whether `device`, which it rang first, was picked up."""

    at: float
    uniqueid: Uniqueid
    """Of that channel, also where there never was one."""
    device: str
    exten: str
    """Whom it was to call then."""
    answered: bool
    reason: int
    """See `ami.originate`."""


@dataclass(slots=True)
class DialBegin:
    """A leg is dialled; `channel` is None where nobody dials it (Originate, recall)."""

    at: float
    channel: Channel | None
    dest: Channel
    dial_string: str


@dataclass(slots=True)
class DialState:
    """A dialled leg says how it goes: RINGING, PROGRESS, PROCEEDING."""

    at: float
    channel: Channel | None
    dest: Channel
    status: str


@dataclass(slots=True)
class DialEnd:
    """A dialling is over: ANSWER, BUSY, NOANSWER, CANCEL, CONGESTION, CHANUNAVAIL, ABORT..."""

    at: float
    channel: Channel | None
    dest: Channel
    status: str
    forward: str
    """`Forward`: where the leg forwarded the call to, else `''`."""


@dataclass(slots=True)
class HangupRequest:
    """Somebody wants a channel to end; `cause` is None where Asterisk leaves it out."""

    at: float
    channel: Channel
    cause: int | None
    tech_cause: str


@dataclass(slots=True)
class Hangup:
    """A channel is gone."""

    at: float
    channel: Channel
    cause: int
    tech_cause: str
    """`TechCause` (Asterisk 22): the SIP status that ended the leg, else `''`."""


@dataclass(slots=True)
class BridgeEnter:
    """A channel entered a bridge, perhaps in the place of another one (`swap`)."""

    at: float
    bridge: BridgeId
    bridge_type: str
    """`BridgeType`: basic, parking, holding, stasis, ..."""
    technology: str
    """`BridgeTechnology`: simple_bridge, native_rtp, softmix, holding_bridge."""
    channel: Channel
    swap: Uniqueid | None


@dataclass(slots=True)
class BridgeLeave:
    """A channel left a bridge."""

    at: float
    bridge: BridgeId
    channel: Channel


@dataclass(slots=True)
class BridgeDestroy:
    """A bridge is gone; who had not left it has now."""

    at: float
    bridge: BridgeId


@dataclass(slots=True)
class BridgeMerge:
    """All channels of `source` are about to move into `to`, one after another."""

    at: float
    to: BridgeId
    source: BridgeId


@dataclass(slots=True)
class LocalBridge:
    """The two halves of a Local channel are joined: what goes into `one` comes out of `two`."""

    at: float
    one: Channel
    two: Channel


@dataclass(slots=True)
class LocalOptimizationBegin:
    """A Local pair is about to be taken out of the way between its two real channels."""

    at: float
    one: Channel
    two: Channel


@dataclass(slots=True)
class LocalOptimizationEnd:
    """A Local pair has been taken out of the way."""

    at: float
    one: Channel
    two: Channel


@dataclass(slots=True)
class BlindTransfer:
    """`transferer` sent whom it talked with to `exten`; `transferee` may be missing (a bridge of many)."""

    at: float
    transferer: Channel
    transferee: Channel | None
    bridge: BridgeId
    context: str
    exten: str


@dataclass(slots=True)
class AttendedTransfer:
    """`original` (the leg to the client) and `second` (the leg to the consulted) were joined.

    `dest_type` is `Bridge`, `App`, `Link`, `Threeway` or `Fail`. `target` is the channel consulted with,
    `transferee` the one handed over, each None where Asterisk leaves it out.
    """

    at: float
    result: str
    original: Channel
    second: Channel
    transferee: Channel | None
    target: Channel | None
    dest_type: str
    dest_app: str


@dataclass(slots=True)
class Pickup:
    """`channel` takes the call that rings at `target`."""

    at: float
    channel: Channel
    target: Channel


@dataclass(slots=True)
class ParkedCall:
    """`parkee` waits in a parking space; `parker_dial` is whom a time-out rings (`PJSIP/101`)."""

    at: float
    parkee: Channel
    parker_dial: str


@dataclass(slots=True)
class ParkedCallTimeOut:
    """Nobody fetched `parkee`: whoever parked it is rung."""

    at: float
    parkee: Channel
    parker_dial: str


@dataclass(slots=True)
class UnParkedCall:
    """`retriever` fetched `parkee`."""

    at: float
    parkee: Channel
    retriever: Channel


@dataclass(slots=True)
class MixMonitorStart:
    """A recording began on a channel; its file was named by `VarSet MIXMONITOR_FILENAME` before."""

    at: float
    channel: Channel


@dataclass(slots=True)
class MixMonitorStop:
    """A recording ended before its channel did."""

    at: float
    channel: Channel


@dataclass(slots=True)
class MixMonitorMute:
    """A recording is paused (`muted`) or goes on."""

    at: float
    channel: Channel
    muted: bool


@dataclass(slots=True)
class MonitorStart:
    """A recording by `Monitor()` began (Asterisk 16 to 20)."""

    at: float
    channel: Channel


@dataclass(slots=True)
class MonitorStop:
    """A recording by `Monitor()` ended."""

    at: float
    channel: Channel


@dataclass(slots=True)
class ChanSpyStart:
    """`spyer` listens to `spyee`."""

    at: float
    spyer: Channel
    spyee: Channel | None


ChannelEvent = Newchannel | Newstate | NewCallerid | HangupRequest | Hangup
PlanEvent = Newexten | VarSet | UserEvent
DialEvent = DialBegin | DialState | DialEnd
BridgeEvent = (
    BridgeEnter
    | BridgeLeave
    | BridgeDestroy
    | BridgeMerge
    | LocalBridge
    | LocalOptimizationBegin
    | LocalOptimizationEnd
)
TransferEvent = BlindTransfer | AttendedTransfer | Pickup | ParkedCall | ParkedCallTimeOut | UnParkedCall
ListenerEvent = MixMonitorStart | MixMonitorStop | MixMonitorMute | MonitorStart | MonitorStop | ChanSpyStart
Event = ChannelEvent | PlanEvent | DialEvent | BridgeEvent | TransferEvent | ListenerEvent | Rename | OriginateResponse


class Present(NamedTuple):
    """One channel that exists, as `CoreShowChannels` tells it; `bridge` is None where it is in none."""

    channel: Channel
    bridge: BridgeId | None
    bridge_type: str
    technology: str
    application: str
    """What it runs: `Dial`, `Queue`; a dialled leg runs `AppDial`, `AppDial2` or `AppQueue`."""
    created: float
    """When the channel came to be, seconds since the epoch (from its `Duration`)."""


class Snapshot(NamedTuple):
    """All channels that exist at `at`."""

    at: float
    channels: tuple[Present, ...]
    unsure: frozenset[Uniqueid] = frozenset()
    """Of these it says nothing: not listed, but just born, or their `Hangup` is still on its way."""
    heard_until: float | None = None
    """After a time in which nobody listened: when that began. None where there was none."""
