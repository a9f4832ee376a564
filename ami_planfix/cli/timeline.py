"""A call's timeline as a person reads it, for `explain` and `replay --explain`."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from ami_planfix.calls.reports import Report
from ami_planfix.calls.rules import IN_SHORT
from ami_planfix.explain import Moment
from ami_planfix.planfix.messages import Wording, event_name, status_name

_CITED = re.compile(r"\(rules? ([0-9, ]+)\)")


def lines(
    moments: Iterable[Moment], wording: Wording, answer: Callable[[Report], str] = lambda report: ""
) -> Iterator[str]:
    """Write a timeline; `answer` tells what became of a report, `''` if that is not known here."""
    cited: set[str] = set()
    for moment in moments:
        yield f"{_clock(moment.at)}  {moment.event:<16} {moment.told}"
        for note in moment.concluded:
            cited.update(number for found in _CITED.findall(note) for number in re.findall(r"\d+", found))
            yield f"{'':14}. {note}"
        for report in moment.reports:
            cited.add(report.rule)
            said = answer(report)
            yield f"{'':14}> {_sentence(report, wording)}  (rule {report.rule}){f': {said}' if said else ''}"
    known = sorted(cited & IN_SHORT.keys(), key=int)
    if known:
        yield ""
    for rule in known:
        yield f"rule {rule}: {IN_SHORT[rule]}"


def as_json(moment: Moment, wording: Wording) -> dict[str, object]:
    """Write a moment as one JSON object."""
    return {
        "time": datetime.fromtimestamp(moment.at, UTC).isoformat(timespec="microseconds"),
        "event": moment.event,
        "told": moment.told,
        "concluded": list(moment.concluded),
        "reports": [
            {"callid": one.callid, "rule": one.rule, "said": _sentence(one, wording)} for one in moment.reports
        ],
    }


def _sentence(report: Report, wording: Wording) -> str:
    said = f"{event_name(report.stage)} ext={report.extension} phone={report.client or wording.hidden_number}"
    if report.outcome is not None:
        said += f" status={status_name(report.outcome, wording)} duration={report.duration}"
        said += f" is_recorded={int(report.recorded)}"
    return f"{said} callid={report.callid}"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
