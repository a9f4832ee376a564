"""Stories: captures with the reports that the rules demand of them; format in tests/captures/README.md."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ami_planfix.ami import capture
from ami_planfix.ami.decode import decode
from ami_planfix.calls.attributes import Attribute
from ami_planfix.calls.events import Event
from ami_planfix.calls.reports import Outcome, Report, Stage
from ami_planfix.calls.tracker import Settings, Tracker
from ami_planfix.config.model import Config
from ami_planfix.numbering import Numbering

CAPTURES = Path(__file__).parent.parent / "captures"

EVENTS = {
    Stage.RANG: "INCOMING",
    Stage.DIALLED: "OUTGOING",
    Stage.ACCEPTED: "ACCEPTED",
    Stage.COMPLETED: "COMPLETED",
}
STATUSES = {
    Outcome.SUCCESS: "Success",
    Outcome.MISSED: "Missed",
    Outcome.CANCELED: "Canceled",
    Outcome.BUSY: "Busy",
    Outcome.NO_ANSWER: "NoAnswer",
    Outcome.NOT_AVAILABLE: "NotAvailable",
    Outcome.NOT_ALLOWED: "NotAllowed",
}


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExpectedReport(_Told):
    """One report as `.expected.json` has it."""

    event: Literal["INCOMING", "OUTGOING", "ACCEPTED", "COMPLETED"]
    ext: str
    status: str | None = None
    duration: tuple[int, int] = (0, 0)
    """Least and most."""
    is_recorded: int = 0
    data: dict[str, str] | None = None
    """Fields of the data tag; None: whatever they are."""

    def __str__(self) -> str:
        if self.status is None:
            return f"{self.event} {self.ext}"
        seconds = f"{self.duration[0]}..{self.duration[1]} s"
        data = f", {self.data}" if self.data is not None else ""
        return f"{self.event} {self.ext} {self.status}, {seconds}{', recorded' * self.is_recorded}{data}"

    def fits(self, report: Report) -> bool:
        """Tell whether a report is this one."""
        least, most = self.duration
        return (
            EVENTS[report.stage] == self.event
            and report.extension == self.ext
            and (STATUSES[report.outcome] if report.outcome else None) == self.status
            and least <= report.duration <= most
            and int(report.recorded) == self.is_recorded
            and (self.data is None or dict(report.data) == self.data)
        )


class ExpectedCall(_Told):
    """What must be sent about one call: groups one after another, any order inside a group."""

    callid: str
    type: Literal["in", "out"]
    phone: str
    diversion: str | tuple[str, ...]
    reports: tuple[tuple[ExpectedReport, ...], ...]


class Expectation(_Told):
    """The whole of a `.expected.json`."""

    about: str
    asterisk: str
    config: Config
    calls: tuple[ExpectedCall, ...]


@dataclass(frozen=True, eq=False)
class Story:
    """A capture, the configuration under which it is heard, and what must come of it."""

    name: str
    expected: Expectation
    events: tuple[Event, ...]

    def tracker(self, settings: Settings | None = None) -> Tracker:
        """Make a tracker as the product does under this configuration, or with other settings."""
        return Tracker(self.directory, settings or self.settings)

    @cached_property
    def directory(self) -> Numbering:
        """Whose channels and numbers these are; it remembers nothing of a call, so all trackers share it."""
        return Numbering(self.expected.config)

    @property
    def settings(self) -> Settings:
        """What the administrator of this PBX chose."""
        config = self.expected.config
        wanted = frozenset(map(Attribute, config.calls.attributes))
        return Settings(config.ami.name, config.calls.transfers == "each", config.calls.missed == "each", wanted)

    def clean_run(self) -> list[Report]:
        """Tell what a tracker reports that hears everything."""
        return heard(self.tracker(), self.events)


@cache
def names() -> tuple[str, ...]:
    """List all stories, as KIND/STORY."""
    return tuple(
        sorted(path.relative_to(CAPTURES).as_posix().removesuffix(".ami") for path in CAPTURES.glob("*/*.ami"))
    )


@cache
def load(name: str) -> Story:
    """Read a story; its events are shared by all who ask for it, and nobody changes them."""
    path = CAPTURES / f"{name}.ami"
    expected = Expectation.model_validate_json((CAPTURES / f"{name}.expected.json").read_text(encoding="utf-8"))
    decoded = (decode(raw, 0.0) for raw in capture.read(path))
    return Story(name, expected, tuple(event for event in decoded if event is not None))


def heard(tracker: Tracker, events: Iterable[Event]) -> list[Report]:
    """Let a tracker hear events; what it reports."""
    return [report for event in events for report in tracker.handle(event).reports]


def differences(expected: Expectation, reports: Iterable[Report]) -> list[str]:
    """Compare; empty if all is as demanded, else what a person must see to understand."""
    got: dict[str, list[Report]] = {}
    for report in reports:
        got.setdefault(report.callid, []).append(report)
    found: list[str] = []
    hidden = expected.config.planfix.hidden_number
    for call in expected.calls:
        mine = got.pop(call.callid, [])
        found += _wrong_numbers(call, mine, hidden)
        if not _in_order(call.reports, mine):
            wanted = [" | ".join(map(str, group)) for group in call.reports]
            found.append(_side_by_side(call.callid, wanted, [shown(report) for report in mine]))
    found += [_side_by_side(callid, [], [shown(one) for one in more]) for callid, more in got.items()]
    return found


def _wrong_numbers(call: ExpectedCall, reports: Iterable[Report], hidden: str) -> list[str]:
    allowed = (call.diversion,) if isinstance(call.diversion, str) else call.diversion
    return [
        f"call {call.callid}: {shown(report)}: {what} is {is_!r}, expected {' or '.join(wanted)}"
        for report in reports
        for what, is_, wanted in (
            ("type", str(report.direction), (call.type,)),
            ("phone", report.client or hidden, (call.phone,)),
            ("diversion", report.did, allowed),
        )
        if is_ not in wanted
    ]


def _in_order(groups: Iterable[Sequence[ExpectedReport]], reports: Sequence[Report]) -> bool:
    rest = list(reports)
    for group in groups:
        wanted = list(group)
        for report in rest[: len(group)]:
            fitting = next((one for one in wanted if one.fits(report)), None)
            if fitting is None:
                return False
            wanted.remove(fitting)
        if wanted:
            return False
        del rest[: len(group)]
    return not rest


def _side_by_side(callid: str, wanted: Sequence[str], got: Sequence[str]) -> str:
    lines = [f"call {callid}:", "  expected:", *(f"    {line}" for line in wanted or ["nothing"])]
    return "\n".join([*lines, "  but got:", *(f"    {line}" for line in got or ["nothing"])])


def shown(report: Report) -> str:
    """Write a report as a person reads it."""
    end = f" {STATUSES[report.outcome]}, {report.duration} s{', recorded' * report.recorded}" if report.outcome else ""
    end += f", {dict(report.data)}" if report.data else ""
    return f"{EVENTS[report.stage]} {report.extension}{end} (rule {report.rule}, {report.cause})"
