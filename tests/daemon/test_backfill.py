"""A daemon that was away during real calls: the history is that of a daemon that was not, and nothing comes twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest

from ami_planfix.calls.reports import Report, Stage
from tests.calls.story import shown
from tests.cli.running import ami_planfix
from tests.daemon.running import Post, post
from tests.lab import Lab, talk
from tests.lab.stories import attended_transfer, incoming, internal, outgoing, queue, ring_group
from tests.lab.stories.telling import converse, finish

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

MASTER = {"cel": "cel-custom/Master.csv", "cdr": "cdr-csv/Master.csv"}
Step = Callable[[], Awaitable[None]]
Ended = tuple[str, str, str, str, str]


def records(lab: Lab, *kinds: str) -> dict[str, str]:
    return {kind: str(lab.asterisk.folder / "log" / MASTER[kind]) for kind in kinds}


def all_have_ended(reports: list[Report]) -> bool:
    begun = [report for report in reports if report.stage in (Stage.RANG, Stage.DIALLED)]
    return len(begun) == sum(report.stage is Stage.COMPLETED for report in reports)


def ended(reports: list[Report]) -> dict[Ended, int]:
    """Tell how parts ended, and for how long each talked; none of them twice."""
    found = [report for report in reports if report.stage is Stage.COMPLETED]
    counted = Counter(_ended(report) for report in found)
    assert not [one for one, count in counted.items() if count > 1], [shown(report) for report in reports]
    return {_ended(report): report.duration for report in found}


def _ended(report: Report) -> Ended:
    return report.callid, str(report.direction), report.client, report.extension, str(report.outcome)


async def while_it_is_away(lab: Lab) -> None:
    """Calls of many kinds, from their beginning to their end."""
    await ring_group.ring_all_nobody(lab)
    await outgoing.out_answered(lab)
    await outgoing.out_busy(lab)
    await queue.queue_answered(lab)
    await attended_transfer.attended_refer(lab)
    await incoming.direct_busy(lab)
    await internal.internal_answered(lab)


async def be_away(lab: Lab, away: Post, leave: Step, come_back: Step) -> None:
    """A conversation goes on while the daemon leaves, and is handed over; another one goes on when it comes back."""
    before = await converse(lab)
    await away.hears("ACCEPTED 101")
    await leave()
    await before.employee.transfer("102")
    colleague = await lab.phones["102"].rings()
    await colleague.answer()
    await talk(before.client, colleague)
    await finish(lab, before.client, colleague)
    await while_it_is_away(lab)
    after = await converse(lab, extension="101")
    await come_back()
    await talk(after.client, after.employee)
    await after.client_hangs_up(lab)


async def compare(away: Post, witness: Post, since: str) -> None:
    for one in (witness, away):
        await one.settle()
        await one.until(lambda one=one: all_have_ended(one.reports()))  # type: ignore[misc]
    wanted = ended(witness.reports())
    await away.until(lambda: len(ended(away.reports())) >= len(wanted))
    got = ended(away.reports())
    assert got.keys() == wanted.keys(), away.account()
    last = max(wanted, key=lambda one: one[0])  # went on when it came back: heard from then on
    wrong = {one: (got[one], wanted[one]) for one in wanted if abs(got[one] - wanted[one]) > 1 and one != last}
    assert not wrong, away.account()
    openers = Counter((one.callid, one.extension) for one in away.reports() if one.stage in (Stage.RANG, Stage.DIALLED))
    assert set(openers.values()) == {1}, away.account()
    # Asked once more, there is nothing left to say.
    told = away.told()
    again = await asyncio.to_thread(ami_planfix, "backfill", "--since", since, "--json", "-c", away.config_file)
    assert (again.status, again.out) == (0, ""), again
    assert away.told() == told


@asynccontextmanager
async def two_daemons(lab: Lab, folder: Path, *kinds: str) -> AsyncIterator[tuple[Post, Post]]:
    """Have one that will be away, and one that hears all."""
    async with AsyncExitStack() as stack:
        for name in ("away", "witness"):
            (folder / name).mkdir()
        away = await stack.enter_async_context(post(lab, folder / "away", start=False))
        away.sections["backfill"] = records(lab, *kinds)
        away.write_config()
        await away.start()
        yield away, await stack.enter_async_context(post(lab, folder / "witness"))


@pytest.mark.parametrize(("kind", "kill"), [("cel", False), ("cdr", True)])
async def test_a_daemon_that_ended_or_was_killed(lab: Lab, tmp_path: Path, kind: str, kill: bool) -> None:
    since = now()
    async with two_daemons(lab, tmp_path, kind) as (away, witness):
        await be_away(lab, away, lambda: away.end(kill=kill), away.start)
        await compare(away, witness, since)


async def test_on_asterisk_16(tmp_path: Path) -> None:
    async with Lab(version=16) as lab, two_daemons(lab, tmp_path, "cel", "cdr") as (away, witness):
        await be_away(lab, away, lambda: away.end(kill=True), away.start)
        await compare(away, witness, now())


async def test_a_connection_that_was_cut(lab: Lab, tmp_path: Path) -> None:
    """The calls that it followed are decided from the records, before the snapshot ends them as they were heard."""
    since = now()
    async with two_daemons(lab, tmp_path, "cel") as (away, witness):

        async def come_back() -> None:
            before = away.wire.snapshots
            away.wire.mend()
            await away.wire.snapshot(before)

        await be_away(lab, away, away.wire.cut, come_back)
        await compare(away, witness, since)


def now() -> str:
    return datetime.now().astimezone().isoformat()
