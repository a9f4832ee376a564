"""Compares what Planfix was sent with what had to be sent: lost, double, wrong, out of order.

The sayings of a call must be the reports of one of its possible histories, each once and in their order. A popup that
was too old may be left out (ACCEPTED) or come directly before its COMPLETED (INCOMING, OUTGOING), and only then.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf

from ami_planfix.calls.reports import Report, Stage
from ami_planfix.demo.planfix import Received
from ami_planfix.outbox import OPENERS
from ami_planfix.planfix.messages import event_form
from tests.load.sayings import Circumstances, Saying, form_of, sayings

TOO_OLD = 60.0
"""`delivery.popup_max_age`."""


@dataclass
class Verdict:
    """What was found; all counts are of reports."""

    expected: int = 0
    arrived: int = 0
    refused: int = 0
    """Refused on purpose."""
    left_out: int = 0
    """Popups that were too old."""
    late: int = 0
    """Popups that were too old and came before their COMPLETED."""
    lost_answers: int = 0
    """Sent again since no answer came that says yes or no."""
    again: int = 0
    """Sent again although taken, since the daemon did not live to note it."""
    lost: int = 0
    double: int = 0
    wrong_status: int = 0
    wrong_ext: int = 0
    wrong: int = 0
    """Wrong in anything else, or not to be said at all."""
    order: int = 0
    problems: dict[str, list[str]] = field(default_factory=dict)
    """By callid."""

    @property
    def badness(self) -> int:
        """Count what is wrong."""
        return self.lost + self.double + self.wrong_status + self.wrong_ext + self.wrong + self.order

    def add(self, other: "Verdict") -> None:
        """Add up."""
        for name, value in vars(other).items():
            if name == "problems":
                self.problems |= value
            else:
                setattr(self, name, getattr(self, name) + value)


def judge(histories: Iterable[Sequence[Report]], received: Iterable[Received], around: Circumstances) -> Verdict:
    """Judge all that came about some calls, by the possible history that fits best."""
    came: dict[str, list[Received]] = defaultdict(list)
    for one in received:
        came[one.fields["callid"]].append(one)
    best: Verdict | None = None
    for history in histories:
        reports: dict[str, list[Report]] = defaultdict(list)
        for report in history:
            reports[report.callid].append(report)
        found = Verdict()
        for callid in {**reports, **came}:
            found.add(_Call(reports[callid], came.get(callid, []), around).judge(callid))
        if best is None or found.badness < best.badness:
            best = found
        if not best.badness:
            break
    assert best is not None, "every call has a history"
    return best


class _Call:
    """One call: its reports as they must be, and what came."""

    def __init__(self, expected: Sequence[Report], received: Sequence[Received], around: Circumstances) -> None:
        self._expected = expected
        self._around = around
        self._said, self._problems = sayings(received, around)
        self._found = Verdict(expected=len(expected), order=len(self._problems))
        self._surplus = list(self._said)
        self._came: dict[Report, Saying] = {}
        for report in expected:
            saying = next((one for one in self._surplus if one.form == form_of(event_form(report))), None)
            if saying is not None:
                self._came[report] = saying
                self._surplus.remove(saying)

    def judge(self, callid: str) -> Verdict:
        """Count, and say what is wrong."""
        self._count()
        for report in self._expected:
            if report not in self._came:
                self._miss(report)
        for saying in self._surplus:
            self._mind(saying)
        self._compare_order()
        if self._problems:
            wanted = ", ".join(_shown(report) for report in self._expected)
            came = ", ".join(map(str, self._said))
            self._found.problems[callid] = [*self._problems, f"expected: {wanted}", f"came: {came}"]
        return self._found

    def _count(self) -> None:
        for saying in self._said:
            self._found.arrived += saying.taken
            self._found.refused += saying.refused
            self._found.again += saying.again
            self._found.lost_answers += saying.lost_answers
            if saying.settled is None:
                self._found.lost += 1
                self._problems.append(f"never answered with yes or no: {saying}")

    def _miss(self, report: Report) -> None:
        """Find out what has become of a report that did not come."""
        other = next((saying for saying in self._surplus if _stands_for(saying, report)), None)
        if other is None:
            if report.stage is Stage.ACCEPTED and self._was_too_old(report, self._end_of_part(report)):
                self._found.left_out += 1
            else:
                self._found.lost += 1
                self._problems.append(f"lost: {_shown(report)}")
            return
        self._surplus.remove(other)
        form = event_form(report)
        if other.get("ext") != form["ext"]:
            self._found.wrong_ext += 1
        elif other.get("status") != form.get("status", ""):
            self._found.wrong_status += 1
        else:
            self._found.wrong += 1
        wrong = [
            f"{name} {other.get(name)!r}, not {value!r}" for name, value in form.items() if other.get(name) != value
        ]
        self._problems.append(f"wrong: {other}: {'; '.join(wrong)}")

    def _mind(self, saying: Saying) -> None:
        """Find out what a saying is that nobody expected."""
        if any(saying.form == one.form for one in self._came.values()):
            self._found.double += 1
            self._problems.append(f"double: {saying}")
        else:
            self._found.wrong += 1
            self._problems.append(f"not to be said: {saying}")

    def _compare_order(self) -> None:
        place = {id(saying): number for number, saying in enumerate(self._said)}
        came = [(report, self._came[report]) for report in self._expected if report in self._came]
        late = {
            report for report, saying in came if report.stage in OPENERS and self._was_too_old(report, saying.first)
        }
        self._found.late += len(late)
        for number, (first, earlier) in enumerate(came):
            for second, later in came[number + 1 :]:
                side_by_side = first.stage is second.stage is Stage.RANG
                free = (first in late or second in late) and not _are_of_one_part(first, second)
                if place[id(earlier)] > place[id(later)] and not (side_by_side or free):
                    self._found.order += 1
                    self._problems.append(f"out of order: {later} before {earlier}")

    def _end_of_part(self, report: Report) -> float:
        """Tell when its part's COMPLETED came."""
        ends = [
            saying.first
            for other, saying in self._came.items()
            if other.stage is Stage.COMPLETED and _are_of_one_part(report, other)
        ]
        return min(ends, default=inf)

    def _was_too_old(self, report: Report, until: float) -> bool:
        """Tell whether a popup, or the opener that takes it along, was too old before `until`."""
        openers = [other.at for other in self._expected if other.stage in OPENERS and _are_of_one_part(report, other)]
        return self._around.age(min([report.at, *openers]), until) > TOO_OLD


def _are_of_one_part(one: Report, other: Report) -> bool:
    return (one.extension, one.part) == (other.extension, other.part)


def _stands_for(saying: Saying, report: Report) -> bool:
    """Tell whether a saying is a report with one thing wrong."""
    form = event_form(report)
    same_ext, same_status = saying.get("ext") == form["ext"], saying.get("status") == form.get("status", "")
    return saying.get("event") == form["event"] and (same_ext or same_status)


def _shown(report: Report) -> str:
    form = event_form(report)
    return " ".join(form[name] for name in ("event", "ext", "status") if name in form)
