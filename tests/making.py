"""Makes what many tests need: reports that are whole with as little said as possible."""

from ami_planfix.calls.reports import CallId, Direction, Extension, Outcome, Report, Stage


def report(
    stage: Stage = Stage.RANG,
    extension: str = "101",
    callid: str = "1700000000.1",
    at: float = 1_700_000_000.25,
    outcome: Outcome | None = None,
    part: int = 1,
    duration: int = 0,
    recorded: bool = False,
    client: str = "79101234567",
    data: tuple[tuple[str, str], ...] = (),
) -> Report:
    """Make a report; a completed one is Canceled if nothing else is said."""
    if stage is Stage.COMPLETED and outcome is None:
        outcome = Outcome.CANCELED
    direction = Direction.OUTGOING if stage is Stage.DIALLED else Direction.INCOMING
    return Report(
        at=at,
        callid=CallId(callid),
        direction=direction,
        client=client,
        did="74951230000",
        extension=Extension(extension),
        part=part,
        stage=stage,
        rule="1",
        cause=f"Newstate PJSIP/{extension}-00000001",
        outcome=outcome,
        duration=duration,
        recorded=recorded,
        recordings=("a.wav",) if recorded else (),
        data=data,
    )
