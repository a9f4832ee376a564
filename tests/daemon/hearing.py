"""What Planfix heard of a call, against what the rules demand: the same expectations as the captures have."""

from collections.abc import Iterable, Sequence

from ami_planfix.calls.reports import CallId, Direction, Extension, Report
from ami_planfix.demo.planfix import Received
from tests.calls.story import CAPTURES, EVENTS, STATUSES, Expectation, ExpectedCall, differences

STAGES = {name: stage for stage, name in EVENTS.items()}
OUTCOMES = {name: outcome for outcome, name in STATUSES.items()}


def expectation(kind: str, story: str, asterisk: str) -> Expectation:
    """Read what a story leads to on an Asterisk (22, 16, 16sip); where none is recorded, it is as on 22."""
    own = CAPTURES / kind / f"{story}-ast{asterisk}.expected.json"
    path = own if own.exists() else CAPTURES / kind / f"{story}.expected.json"
    return Expectation.model_validate_json(path.read_text(encoding="utf-8"))


def reported(received: Iterable[Received]) -> list[Report]:
    """Read the reports out of what Planfix took."""
    return [_report(one) for one in received if one.taken and one.fields.get("cmd") == "event"]


def count(expected: Expectation) -> int:
    """Tell how many reports are expected."""
    return sum(len(group) for call in expected.calls for group in call.reports)


def wrong(expected: Expectation, received: Sequence[Received], longest: int) -> list[str]:
    """Compare; empty if Planfix heard just what is demanded.

    People take their time anew in each performance: a conversation lasts from one second to `longest`.
    """
    reports = reported(received)
    callids = list(dict.fromkeys(report.callid for report in reports))
    calls = [_at_its_own_pace(call, longest) for call in expected.calls]
    for callid in callids:
        first = next(report for report in reports if report.callid == callid)
        fitting = [n for n, call in enumerate(calls) if call.callid not in callids and _is_about(call, first)]
        if fitting:
            calls[fitting[0]] = calls[fitting[0]].model_copy(update={"callid": callid})
    return differences(expected.model_copy(update={"calls": tuple(calls)}), reports)


def _is_about(call: ExpectedCall, report: Report) -> bool:
    diversions = (call.diversion,) if isinstance(call.diversion, str) else call.diversion
    return (call.type, call.phone) == (str(report.direction), report.client) and report.did in diversions


def _at_its_own_pace(call: ExpectedCall, longest: int) -> ExpectedCall:
    groups = tuple(
        tuple(one.model_copy(update={"duration": (1, longest)}) if one.duration[1] else one for one in group)
        for group in call.reports
    )
    return call.model_copy(update={"reports": groups})


def _report(received: Received) -> Report:
    fields = received.fields
    status = fields.get("status")
    return Report(
        at=received.at,
        callid=CallId(fields["callid"]),
        direction=Direction(fields["type"]),
        client=fields["phone"],
        did=fields["diversion"],
        extension=Extension(fields["ext"]),
        part=1,
        stage=STAGES[fields["event"]],
        rule="-",
        cause=f"at Planfix {received.at:.3f}",
        outcome=OUTCOMES[status] if status else None,
        duration=int(fields.get("duration", "0")),
        recorded=fields.get("is_recorded") == "1",
        recordings=(),
        data=tuple((name.removeprefix("data_"), value) for name, value in fields.items() if name.startswith("data_")),
    )
