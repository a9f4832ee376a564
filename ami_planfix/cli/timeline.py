"""A call's timeline as a person reads it, for `explain` and `replay --explain`."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from ami_planfix.calls.rules import IN_SHORT

_CITED = re.compile(r"\(rules? ([0-9, ]+)\)")


def lines(moments: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """Write a timeline from its rows (`explain.as_row`), then what the rules say that it cites."""
    cited: set[str] = set()
    for moment in moments:
        yield f"{_clock(moment['at'])}  {moment['event']:<16} {moment['told']}"
        for note in _list(moment["concluded"]):
            cited.update(number for found in _CITED.findall(str(note)) for number in re.findall(r"\d+", found))
            yield f"{'':14}. {note}"
        for report in _list(moment["reports"]):
            if isinstance(report, dict):
                cited.add(str(report["rule"]))
                answer = f": {report['answer']}" if report["answer"] else ""
                yield f"{'':14}> {report['said']} callid={report['callid']}  (rule {report['rule']}){answer}"
    known = sorted(cited & IN_SHORT.keys(), key=int)
    if known:
        yield ""
    for rule in known:
        yield f"rule {rule}: {IN_SHORT[rule]}"


def _list(found: object) -> list[object]:
    return found if isinstance(found, list) else []


def _clock(at: object) -> str:
    if not isinstance(at, int | float):
        return ""
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
