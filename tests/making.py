"""Makes what many tests need: reports, figures and a pipeline that are whole with as little said as possible."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from ami_planfix.calls.reports import CallId, Direction, Extension, Outcome, Report, Stage
from ami_planfix.calls.tracker import Tracker
from ami_planfix.metrics import Figures, Histogram, Sent, written_histogram
from ami_planfix.outbox import Outbox
from ami_planfix.pipeline import Pipeline
from ami_planfix.storage.database import Database
from ami_planfix.writing import Take, Writer


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
    rule: str = "1",
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
        rule=rule,
        cause=f"Newstate PJSIP/{extension}-00000001",
        outcome=outcome,
        duration=duration,
        recorded=recorded,
        recordings=("a.wav",) if recorded else (),
        data=data,
    )


def some_figures(sent: Sent | None = None) -> Figures:
    """Make figures of a daemon that is well and has something to tell of everything."""
    return Figures(
        version="1.2.3",
        connected=True,
        connects=3,
        ami_messages=1000,
        ami_bytes=200_000,
        live_calls=2,
        ended={("in", "Success"): 7, ("out", "NoAnswer"): 1},
        silences={"own number": 4},
        backlog=0,
        written=written_histogram(),
        damages=0,
        stands_in=False,
        sent=sent or Sent(delivered=5, postponed=2, refused=1),
        outbox={"waiting": 3, "dead": 1},
        oldest_waiting=12.5,
        lookups={"kept": 6, "answered": 4, "unanswered": 0},
        lookup_seconds=Histogram((0.1, 1.0)),
        lookups_paused=False,
        recordings={"waiting": 1, "missing": 1},
        well={"planfix": False, "asterisk": True},
        alerts={"token": True, "asterisk": False},
    )


def pipeline_of(
    database: Database, outbox: Outbox, tracker: Tracker, written: Callable[[Sequence[Report]], None]
) -> tuple[Pipeline, Writer]:
    """Make a pipeline with its writer; `written` is called after reports were written."""

    @asynccontextmanager
    async def telling() -> AsyncIterator[Take]:
        told: list[Report] = []

        async def take(_: AsyncConnection, reports: Sequence[Report]) -> None:
            told.extend(reports)

        yield take
        if told:
            written(told)

    writer = Writer(database, outbox, [telling])
    return Pipeline(database, tracker, writer), writer
