"""Plays a hand-made history to a tracker and says what came of it, in short lines that a test can compare."""

from collections.abc import Sequence

from ami_planfix.calls.attributes import Attribute
from ami_planfix.calls.reports import Report, Silence
from ami_planfix.calls.tracker import Settings, Tracker
from ami_planfix.config.model import Config
from ami_planfix.numbering import Numbering
from tests.calls.events_of import COMPANY, History
from tests.calls.invariants import violations
from tests.calls.memory import left_in
from tests.calls.mirror import Mirror
from tests.calls.story import EVENTS, STATUSES, heard

EMPLOYEES = [{"extension": "101", "mobiles": ["+79261110101"]}]
NUMBERING: dict[str, object] = {"extensions": r"1\d\d", "default_extension": "100", "employees": EMPLOYEES}
TRUNKS: list[dict[str, object]] = [{"channel": "PJSIP/provider", "number": COMPANY}]
NOBODY: dict[str, object] = {**NUMBERING, "default_extension": ""}


def tracker_of(**sections: object) -> Tracker:
    """Make a tracker under a configuration: the usual one, but for the sections that are given."""
    config = Config.model_validate({"numbering": NUMBERING, "trunks": TRUNKS, **sections})
    wanted = frozenset(map(Attribute, config.calls.attributes))
    each = Settings(config.ami.name, config.calls.transfers == "each", config.calls.missed == "each", wanted)
    return Tracker(Numbering(config), each)


def reports_of(history: History, **sections: object) -> list[Report]:
    """Play a history; the invariants hold for what comes of it, and nothing is left of calls that are over."""
    tracker = tracker_of(**sections)
    reports = heard(tracker, history.events)
    over = not Mirror(history.events).snapshot().channels
    calls = Config.model_validate(sections).calls
    settings = Settings(transfers_each=calls.transfers == "each", missed_each=calls.missed == "each")
    wrong = violations(reports, settings, at_end=over)
    assert not wrong, "\n".join(wrong)
    assert not (over and left_in(tracker))
    return reports


def said(history: History, **sections: object) -> list[str]:
    """Play a history; `INCOMING 101`, `COMPLETED 101 Success 5 s recorded`."""
    return lines(reports_of(history, **sections))


def silences(history: History, **sections: object) -> list[Silence]:
    """Play a history of which nothing must be sent; why not, as it is counted."""
    tracker = tracker_of(**sections)
    conclusions = [tracker.handle(event) for event in history.events]
    assert not [report for conclusion in conclusions for report in conclusion.reports]
    assert not left_in(tracker)
    return [silence for conclusion in conclusions for silence in conclusion.silences]


def lines(reports: Sequence[Report]) -> list[str]:
    """Write reports as short lines."""
    return [line(report) for report in reports]


def line(report: Report) -> str:
    """Write one report as a short line."""
    words = [EVENTS[report.stage], report.extension]
    if report.outcome is not None:
        words.append(STATUSES[report.outcome])
    if report.duration:
        words.append(f"{report.duration} s")
    if report.recorded:
        words.append("recorded")
    return " ".join(words)
