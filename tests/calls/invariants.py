"""What holds for the reports of every call, whatever was heard of it ("Invariants" in docs/rules.md)."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from ami_planfix.calls.reports import Outcome, Report, Stage
from ami_planfix.calls.tracker import Settings
from tests.calls.story import shown

BEGINNINGS = (Stage.RANG, Stage.DIALLED)


def violations(reports: Iterable[Report], settings: Settings, *, at_end: bool = True) -> list[str]:
    """Tell what is wrong with all reports of some calls; `at_end`: all these calls are over."""
    everything = list(reports)
    calls: dict[str, list[Report]] = defaultdict(list)
    for report in everything:
        calls[report.callid].append(report)
    found = [
        f"twice the same: {identity}"
        for identity, times in Counter(report.identity for report in everything).items()
        if times > 1
    ]
    for callid, mine in calls.items():
        wrong = _wrong_call(mine, settings)
        parts: dict[tuple[str, int], list[Report]] = defaultdict(list)
        for report in mine:
            parts[report.extension, report.part].append(report)
        for (extension, number), part in parts.items():
            wrong += [f"{extension}, part {number}: {what}" for what in _wrong_part(part, at_end=at_end)]
        wrong += _wrong_succession(mine)
        found += [f"call {callid}: {what}" for what in wrong]
    return [*found, *map(shown, everything)] if found else []


def _wrong_part(part: Sequence[Report], *, at_end: bool) -> list[str]:
    stages = [report.stage for report in part]
    found = []
    if stages[0] not in BEGINNINGS or any(stage in BEGINNINGS for stage in stages[1:]):
        found.append(f"begins not once, or not first: {stages}")
    if stages.count(Stage.ACCEPTED) > 1:
        found.append("accepted twice")
    if stages.count(Stage.COMPLETED) > 1 or Stage.COMPLETED in stages[:-1]:
        found.append(f"goes on after its end: {stages}")
    if at_end and stages[-1] is not Stage.COMPLETED:
        found.append("never completed")
    if any(one.duration < 0 for one in part):
        found.append("negative duration")
    if any(one.outcome is not Outcome.SUCCESS and (one.duration or one.recorded) for one in part):
        found.append("a duration or recording without success")
    if part[-1].outcome is Outcome.SUCCESS and Stage.ACCEPTED not in stages:
        found.append("success without having been accepted")
    return found


def _wrong_succession(call: Sequence[Report]) -> list[str]:
    """An extension's parts come one after another, with numbers 1, 2, ..."""
    found = []
    current: dict[str, Report] = {}
    for report in call:
        before = current.get(report.extension)
        if report.stage in BEGINNINGS:
            if before is not None and before.stage is not Stage.COMPLETED:
                found.append(f"{report.extension}: a new part while the last one is open")
            if report.part != (before.part + 1 if before else 1):
                found.append(f"{report.extension}: part {report.part} after {before and before.part}")
        current[report.extension] = report
    return found


def _wrong_call(call: Sequence[Report], settings: Settings) -> list[str]:
    found = []
    outcomes = Counter(report.outcome for report in call if report.outcome is not None)
    if not settings.transfers_each and outcomes[Outcome.SUCCESS] > 1:
        found.append("several successes")
    if not settings.missed_each and outcomes[Outcome.MISSED] > 1:
        found.append("missed several times")
    if outcomes[Outcome.SUCCESS] and outcomes[Outcome.MISSED]:
        found.append("both success and missed")
    for what, values in (
        ("directions", {report.direction for report in call}),
        ("clients", {report.client for report in call}),
        ("DIDs", {report.did for report in call}),
    ):
        if len(values) > 1:
            found.append(f"several {what}: {sorted(values)}")
    return found
