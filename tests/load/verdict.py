"""Compares what Planfix was sent with what had to be sent: lost, double, wrong, out of order.

The sayings of a call must be the reports of one of its possible histories, each once and in their order; each waits
until the one before it is settled, but INCOMING may go side by side. A popup that was too old may be left out
(ACCEPTED) or come directly before its COMPLETED (INCOMING, OUTGOING), and only then.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from ami_planfix.calls.reports import Report, Stage
from ami_planfix.demo.planfix import Received
from ami_planfix.outbox import OPENERS, POPUPS
from ami_planfix.planfix.messages import event_form
from tests.load.sayings import Circumstances, NothingForgotten, Saying, form_of, sayings

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


class History(NamedTuple):
    """One way in which some calls can have to be reported."""

    reports: Sequence[Report]
    slack: float = 0.0
    """Seconds by which a conversation may be longer or shorter: when it began or ended was not heard exactly."""


def judge(histories: Iterable[History], received: Iterable[Received], around: Circumstances) -> Verdict:
    """Judge all that came about some calls, by the possible history that fits best."""
    came: dict[str, list[Received]] = defaultdict(list)
    for one in received:
        came[one.fields["callid"]].append(one)
    best: Verdict | None = None
    for history in histories:
        reports: dict[str, list[Report]] = defaultdict(list)
        for report in history.reports:
            reports[report.callid].append(report)
        for remembered in (around, NothingForgotten(around)):
            found = Verdict()
            for callid in {**reports, **came}:
                found.add(_Call(reports[callid], came.get(callid, []), remembered, history.slack).judge(callid))
            if best is None or found.badness < best.badness:
                best = found
            if not best.badness:
                return best
    assert best is not None, "every call has a history"
    return best


class _Call:
    """One call: its reports as they must be, and what came."""

    def __init__(
        self, expected: Sequence[Report], received: Sequence[Received], around: Circumstances, slack: float
    ) -> None:
        self._expected = expected
        self._around = around
        self._slack = slack
        self._said = sayings(received, around)
        self._problems: list[str] = []
        self._found = Verdict(expected=len(expected))
        self._surplus = list(self._said)
        self._came: dict[Report, Saying] = {}
        self._match([report for report in expected if report.stage is not Stage.ACCEPTED])
        accepted = [report for report in expected if report.stage is Stage.ACCEPTED]
        # Of two that say the same each is of the part in which it came, or the one that need not have been left out.
        self._match(accepted, self._came_within)
        accepted = [report for report in accepted if report not in self._came]
        self._match(sorted(accepted, key=lambda report: self._was_too_old(report, self._end_of_part(report))))

    def judge(self, callid: str) -> Verdict:
        """Count, and say what is wrong."""
        self._count()
        for report in self._expected:
            if report not in self._came:
                self._miss(report)
        for saying in self._surplus:
            self._mind(saying)
        self._give_up()
        self._compare_order()
        if self._problems:
            wanted = ", ".join(_shown(report) for report in self._expected)
            came = ", ".join(map(str, self._said))
            self._found.problems[callid] = [*self._problems, f"expected: {wanted}", f"came: {came}"]
        return self._found

    def _match(
        self, expected: Iterable[Report], fits: Callable[[Saying, Report], bool] = lambda _saying, _report: True
    ) -> None:
        """Give each report the first saying that is it, and fits."""
        for report in expected:
            saying = next((one for one in self._surplus if self._is(one, report) and fits(one, report)), None)
            if saying is not None:
                self._came[report] = saying
                self._surplus.remove(saying)

    def _came_within(self, saying: Saying, report: Report) -> bool:
        """Tell whether a saying came between the beginning of a report's part and its end."""
        openers = [
            other.first for one, other in self._came.items() if one.stage in OPENERS and _are_of_one_part(one, report)
        ]
        return bool(openers) and min(openers) <= saying.first <= self._end_of_part(report)

    def _is(self, saying: Saying, report: Report) -> bool:
        """Tell whether a saying is a report, whole."""
        wanted = form_of(event_form(report))
        if not self._slack:
            return saying.form == wanted
        same = [one for one in saying.form if one[0] != "duration"] == [one for one in wanted if one[0] != "duration"]
        return same and abs(int(saying.get("duration") or 0) - report.duration) <= self._slack + 1

    def _count(self) -> None:
        for saying in self._said:
            self._found.arrived += saying.taken is not None
            self._found.refused += saying.refused
            self._found.again += saying.again
            self._found.lost_answers += saying.lost_answers

    def _give_up(self) -> None:
        """Find out what was tried and never settled: only a popup that became too old may be."""
        for report, saying in self._came.items():
            if saying.settled is None:
                if report.stage is Stage.ACCEPTED and self._was_too_old(report, self._end_of_part(report)):
                    self._found.left_out += 1
                else:
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
        came = [(report, self._came[report]) for report in self._expected if report in self._came]
        openers = [(report, saying) for report, saying in came if report.stage in OPENERS]
        late = {report for report, saying in openers if self._was_too_old(report, saying.first)}
        self._found.late += len(late)
        for number, (first, earlier) in enumerate(came):
            for second, later in came[number + 1 :]:
                side_by_side = first.stage is second.stage is Stage.RANG
                free = (first in late or second in late) and not _are_of_one_part(first, second)
                if not (side_by_side or free):
                    self._compare(first, earlier, later)

    def _compare(self, first: Report, earlier: Saying, later: Saying) -> None:
        """See to it that a saying came when the one before it had been settled, or given up."""
        if later.first < earlier.first:
            self._found.order += 1
            self._problems.append(f"out of order: {later} before {earlier}")
        elif (earlier.settled is None or later.first < earlier.settled) and not (
            first.stage in POPUPS and self._was_too_old(first, later.first)
        ):
            self._found.order += 1
            self._problems.append(f"{later} did not wait for {earlier}")

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
