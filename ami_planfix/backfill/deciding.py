"""What is to be reported of a call that nobody followed to its end, given what has been reported of it (pure).

The records are turned into the events that AMI would have told, and a tracker hears them: the rules are those of every
other call. What it reports is compared with what the outbox has of the call, by identity: only what is missing is
added, and what is open is ended.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ami_planfix.backfill import from_cdr, from_cel
from ami_planfix.backfill.grouping import Group
from ami_planfix.calls.events import Event, Snapshot
from ami_planfix.calls.reports import CallId, Direction, Outcome, Report, Stage
from ami_planfix.calls.tracker import Tracker

_BEGINNINGS = (Stage.RANG, Stage.DIALLED)


def derive(group: Group, tracker: Tracker) -> list[Report]:
    """Tell all reports of a group, from its beginning; `tracker` is a fresh one.

    What the records leave open has ended with their last word.
    """
    source = "CEL" if group.cels else "CDR"
    events = list(_events(group))
    reports = [report for event in events for report in tracker.handle(event).reports]
    reports += tracker.resync(Snapshot(group.ends, ())).reports
    return [replace(report, cause=f"{source}: {report.cause}") for report in reports]


def _events(group: Group) -> Iterable[Event]:
    if not group.cels:
        return from_cdr.events_of(group.cdrs)
    dids = {str(row.uniqueid): row.did for row in group.cdrs if row.did}
    recordings = {str(row.uniqueid): row.recording for row in group.cdrs if row.recording}
    return from_cel.events_of(group.cels, dids, recordings)


def missing(derived: Iterable[Report], known: Iterable[Report]) -> list[Report]:
    """Tell what is to be added to `known`, the reports that the outbox has of the same calls, in order of time."""
    mine, theirs = _by_call(derived), _by_call(known)
    _give_their_names(mine, theirs)
    added = [report for callid, reports in mine.items() for report in _missing(reports, theirs.get(callid, []))]
    return sorted(added, key=lambda report: report.at)


def _by_call(reports: Iterable[Report]) -> dict[CallId, list[Report]]:
    found: dict[CallId, list[Report]] = defaultdict(list)
    for report in reports:
        found[report.callid].append(report)
    return found


def _give_their_names(mine: dict[CallId, list[Report]], theirs: Mapping[CallId, list[Report]]) -> None:
    """Let a call that was found under way keep the callid that it was given then."""
    new = [callid for callid in mine if callid not in theirs]
    old = [callid for callid in theirs if callid not in mine]
    if len(new) == len(old) == 1:
        mine[old[0]] = [replace(report, callid=old[0]) for report in mine.pop(new[0])]


def _missing(derived: Sequence[Report], known: Sequence[Report]) -> list[Report]:
    ended = {_part(one) for one in known if one.stage is Stage.COMPLETED}
    begun = {_part(one): one for one in known if one.stage in _BEGINNINGS}
    still_open = {part: one for part, one in begun.items() if part not in ended}
    if not still_open and any(one.outcome not in (None, Outcome.CANCELED) for one in known):
        return []
    there = {(*_part(one), one.stage) for one in known}
    new = [one for one in derived if (*_part(one), one.stage) not in there and _part(one) not in ended]
    for part in {_part(one) for one in new if one.stage is Stage.COMPLETED}:
        still_open.pop(part, None)
    return new + [_end(opener, derived, new) for opener in still_open.values()]


def _end(opener: Report, derived: Sequence[Report], new: Sequence[Report]) -> Report:
    """End a part that live tracking began, and the records do not tell of: as the same employee's last part ended."""
    ends = [one for one in derived if one.stage is Stage.COMPLETED]
    own = [one for one in ends if one.extension == opener.extension and one not in new]
    last = max((one.at for one in derived), default=opener.at)
    if own:
        return replace(own[-1], part=opener.part)
    outcome = Outcome.CANCELED if opener.direction is Direction.INCOMING or ends else Outcome.NOT_AVAILABLE
    return replace(
        opener, at=max(last, opener.at), stage=Stage.COMPLETED, outcome=outcome, cause="no record tells of it"
    )


def _part(report: Report) -> tuple[str, int]:
    return report.extension, report.part
