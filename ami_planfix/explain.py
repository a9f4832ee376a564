"""A call's timeline: what AMI said, what was concluded and by which rule, and what Planfix was told.

The timeline is a replay: the same messages go through the same tracker, so that it cannot tell another story than
the one that was reported.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import assert_never

from ami_planfix.ami.originate import why_not_picked_up
from ami_planfix.calls import events
from ami_planfix.calls.events import Channel, Event
from ami_planfix.calls.reports import Report
from ami_planfix.calls.rules import IN_SHORT
from ami_planfix.calls.tracker import Conclusion, Tracker
from ami_planfix.planfix.messages import DEFAULT_WORDING, Wording, event_name, is_recorded, status_name

STATES = {0: "Down", 4: "Ring", 5: "Ringing", 6: "Up", 7: "Busy"}


@dataclass(frozen=True, slots=True)
class Moment:
    """One event and what it led to."""

    at: float
    event: str
    """AMI's name of the event; `resync` for a snapshot."""
    told: str
    """What it says, in a line."""
    concluded: tuple[str, ...]
    reports: tuple[Report, ...]


def timeline(heard: Iterable[Event | events.Snapshot], tracker: Tracker) -> Iterator[Moment]:
    """Replay what was heard; one moment for each event that the tracker used."""
    for one in heard:
        if isinstance(one, events.Snapshot):
            conclusion = tracker.resync(one)
            name, told = "resync", f"{len(one.channels)} channels exist"
        else:
            conclusion = tracker.handle(one)
            name, told = type(one).__name__, describe(one)
        if conclusion.used:
            yield Moment(one.at, name, told, _concluded(conclusion), conclusion.reports)


def as_row(
    moment: Moment, wording: Wording = DEFAULT_WORDING, answer: Callable[[Report], str] = lambda report: ""
) -> dict[str, object]:
    """Write a moment as a JSON object; `answer` tells what became of a report, `''` if that is not known here."""
    return {
        "at": moment.at,
        "event": moment.event,
        "told": moment.told,
        "concluded": list(moment.concluded),
        "reports": [
            {
                "callid": one.callid,
                "said": _sentence(one, wording),
                "rule": one.rule,
                "short": IN_SHORT.get(one.rule, ""),
                "answer": answer(one),
            }
            for one in moment.reports
        ],
    }


def _sentence(report: Report, wording: Wording) -> str:
    said = f"{event_name(report.stage)} ext={report.extension} phone={report.client or wording.hidden_number}"
    if report.outcome is not None:
        said += f" status={status_name(report.outcome, wording)} duration={report.duration}"
        said += f" is_recorded={int(is_recorded(report, wording))}"
    return said


def describe(event: Event) -> str:
    """Tell an event in a line, with the headers that matter."""
    match event:
        case events.Newchannel():
            return f"{_who(event.channel)} begins, from {event.channel.caller or '-'} to {event.channel.exten or '-'}"
        case events.Newstate():
            return f"{event.channel.name} is {STATES.get(event.channel.state, event.channel.state)}"
        case events.NewCallerid():
            return f"{event.channel.name} shows {event.channel.caller or '-'}"
        case events.Newexten():
            return f"{event.channel.name} runs {event.application}({event.data})"
        case events.VarSet():
            where = event.channel.name if event.channel is not None else "global"
            return f"{where}: {event.variable}={event.value}"
        case events.UserEvent():
            return f"of {event.uniqueid}: " + ", ".join(f"{name}={value}" for name, value in event.data)
        case events.OriginateResponse():
            outcome = "picked up" if event.answered else f"not picked up: {why_not_picked_up(event.reason)}"
            return f"{event.device}, to call {event.exten}: {outcome}"
        case events.Rename():
            return f"{event.uniqueid} is now called {event.name}"
        case events.HangupRequest() | events.Hangup():
            wire = f", SIP {event.tech_cause}" if event.tech_cause else ""
            return f"{event.channel.name}, cause {'-' if event.cause is None else event.cause}{wire}"
        case events.DialBegin() | events.DialState() | events.DialEnd():
            return _describe_dial(event)
        case events.BlindTransfer() | events.AttendedTransfer() | events.Pickup():
            return _describe_transfer(event)
        case events.ParkedCall() | events.ParkedCallTimeOut():
            return f"{event.parkee.name}, parked by {event.parker_dial}"
        case events.UnParkedCall():
            return f"{event.parkee.name}, fetched by {event.retriever.name}"
        case _:
            return _describe_bridge(event)


def _describe_dial(event: events.DialEvent) -> str:
    source = event.channel.name if event.channel is not None else "nobody"
    line = f"{source} -> {event.dest.name}"
    match event:
        case events.DialBegin():
            return f"{line} ({event.dial_string})"
        case events.DialState():
            return f"{line}: {event.status}"
        case events.DialEnd():
            return f"{line}: {event.status}" + (f", forwarded to {event.forward}" if event.forward else "")
        case _:
            assert_never(event)


def _describe_transfer(event: events.BlindTransfer | events.AttendedTransfer | events.Pickup) -> str:
    match event:
        case events.BlindTransfer():
            whom = event.transferee.name if event.transferee is not None else "everybody"
            return f"{event.transferer.name} sends {whom} to {event.exten}@{event.context}"
        case events.AttendedTransfer():
            where = event.dest_app or event.dest_type
            return f"{event.original.name} and {event.second.name} are joined ({event.result}, {where})"
        case events.Pickup():
            return f"{event.channel.name} picks up what rings at {event.target.name}"
        case _:
            assert_never(event)


def _describe_bridge(event: events.BridgeEvent | events.ListenerEvent) -> str:
    match event:
        case events.BridgeEnter():
            swap = f", in the place of {event.swap}" if event.swap is not None else ""
            kind = f" ({event.bridge_type})" if event.bridge_type not in ("", "basic") else ""
            return f"{event.channel.name} enters {_short(event.bridge)}{kind}{swap}"
        case events.BridgeLeave():
            return f"{event.channel.name} leaves {_short(event.bridge)}"
        case events.BridgeDestroy():
            return _short(event.bridge)
        case events.BridgeMerge():
            return f"{_short(event.source)} into {_short(event.to)}"
        case events.LocalBridge() | events.LocalOptimizationBegin() | events.LocalOptimizationEnd():
            return f"{event.one.name} = {event.two.name}"
        case events.ChanSpyStart():
            return f"{event.spyer.name} listens to {event.spyee.name if event.spyee is not None else '-'}"
        case events.MixMonitorMute():
            return f"{event.channel.name}: {'paused' if event.muted else 'goes on'}"
        case events.MixMonitorStart() | events.MixMonitorStop() | events.MonitorStart() | events.MonitorStop():
            return event.channel.name
        case _:
            assert_never(event)


def _who(channel: Channel) -> str:
    return f"{channel.name} [{channel.uniqueid}|{channel.linkedid}]"


def _short(bridge: str) -> str:
    return f"bridge {bridge[:4]}"


def _concluded(conclusion: Conclusion) -> tuple[str, ...]:
    return conclusion.notes + tuple(f"not reported, counted: {silence}" for silence in conclusion.silences)
