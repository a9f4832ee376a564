"""The whole daemon over loopback, SQLite on disk: how late a report is, and what a call costs.

A process of its own takes the requests and notes when; this one plays the calls, each message at its time. The lag of a
report is from the write that has the event which causes it (a tracker of our own says which that is) to its request.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ami_planfix.ami.decode import decode
from ami_planfix.calls.tracker import Settings, Tracker
from ami_planfix.demo.planfix import EmbeddedPlanfix
from ami_planfix.numbering import Numbering
from ami_planfix.planfix.messages import event_name
from tests.benchmarks import load
from tests.benchmarks.measuring import Figure, Result, percentile, say
from tests.daemon_process import Process
from tests.load.exchange import Exchange
from tests.load.home import place_beside
from tests.load.recorded import Sounded

SECONDS = 10.0
WARM_UP = 2.0
"""Seconds of the beginning that do not count."""
PREPARE = 3.0
TICK = 0.0005
MOST_LATE = 40.0
"""Seconds; after a minute popups are too old to be sent."""
CLEAN_EVENTS_OF_A_CALL = 28
GOALS = {2_000: "p99 < 5 ms", 20_000: "p99 < 20 ms"}
_HERTZ = os.sysconf("SC_CLK_TCK")

Told = tuple[str, str, str]
"""callid, ext, event: what a request says."""


@dataclass
class Run:
    """What one run found."""

    events: float
    """In a second."""
    calls: float
    cpu: float
    """Of one core."""
    per_call: float
    """Milliseconds of processor time."""
    lags: list[float]
    """Milliseconds."""
    missing: int
    megabytes: float


def run() -> Result:
    """Measure."""
    figures: list[Figure] = []
    lags: dict[str, Sequence[tuple[float, float]]] = {}
    for rate in (2_000, 20_000):
        for durable in (False, True):
            found = asyncio.run(at_rate(rate, durable=durable))
            name = f"{rate} events/s{', durable' * durable}"
            figures += _figures(name, found, "" if durable else GOALS[rate])
            lags[f"ms, by percentile: {name}"] = [
                (share, percentile(found.lags, share / 100)) for share in (50, 75, 90, 95, 99, 99.9)
            ]
    return Result("lag", figures, {"lag of a report in ms, by percentile": [], **lags})


def _figures(name: str, found: Run, goal: str) -> list[Figure]:
    say(f"{name}: {found.events:.0f} events/s came, {len(found.lags)} reports, {found.missing} missing")
    return [
        Figure(f"{name}: lag p50", percentile(found.lags, 0.5), "ms"),
        Figure(f"{name}: lag p99", percentile(found.lags, 0.99), "ms", goal=goal),
        Figure(f"{name}: lag p99.9", percentile(found.lags, 0.999), "ms"),
        Figure(f"{name}: calls", found.calls, "calls/s"),
        Figure(f"{name}: processor", 100 * found.cpu, "% of a core"),
        Figure(f"{name}: a call costs", found.per_call, "ms of processor"),
        Figure(f"{name}: memory", found.megabytes, "MB"),
    ]


async def at_rate(rate: int, *, durable: bool = False, seconds: float = SECONDS) -> Run:
    """Play so many events a second, four of five of no use."""
    per_second = rate / (1 + load.NOISE) / CLEAN_EVENTS_OF_A_CALL
    begin = time.time() + PREPARE + 12e-6 * rate * seconds * 2
    messages = list(load.noisy(load.calls(int(per_second * seconds), apart=1 / per_second, begin=begin)))
    expected = _expected(messages)
    async with running(durable) as (exchange, process, planfix):
        await asyncio.sleep(max(0.0, begin - time.time()))
        late = max(0.0, time.time() - begin)
        assert late < MOST_LATE, "this machine is too busy to make the load in time"
        pid = process.process.pid
        before = processor(pid)
        sent = await play(exchange, messages, seconds, late)
        await until_quiet(pid)
        used = processor(pid) - before
        megabytes = memory(pid)
        taken = await end_of(planfix)
    played = sent[-1][0]
    took = sent[-1][1] - begin - late
    lags, missing = _lags(expected, sent, taken, begin + late + WARM_UP)
    calls = per_second * seconds
    return Run(played / took, calls / took, used / took, 1000 * used / calls, lags, missing, megabytes)


@asynccontextmanager
async def running(durable: bool) -> AsyncIterator[tuple[Exchange, Process, asyncio.subprocess.Process]]:
    """Have a daemon run between an exchange and a Planfix that takes everything."""
    async with receiver() as (url, planfix):
        account = EmbeddedPlanfix()
        account.url = url
        with tempfile.TemporaryDirectory(prefix="ami-planfix-") as folder:
            async with Exchange() as exchange:
                place = place_beside(exchange, account, Path(folder))
                place.sections["log"] = {"format": "json", "level": "info"}
                place.sections["storage"] = {"url": f"sqlite:///{folder}/state.db", "durable": durable}
                place.write_config()
                async with place.daemon() as process:
                    await place.logged_in()
                    yield exchange, process, planfix


@asynccontextmanager
async def receiver() -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """Have a Planfix that takes everything, in a process of its own; gives its address."""
    planfix = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.receiver", stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, limit=2**28,
    )  # fmt: skip
    try:
        assert planfix.stdout is not None
        yield f"http://127.0.0.1:{int(await planfix.stdout.readline())}/tel/api", planfix
    finally:
        if planfix.returncode is None:
            planfix.kill()
        await planfix.wait()


async def play(
    exchange: Exchange, messages: Sequence[Sounded], seconds: float, late: float = 0.0
) -> list[tuple[int, float]]:
    """Send each message at its time, all of them so late; how many were sent by when."""
    sent: list[tuple[int, float]] = []
    place, end = 0, messages[0].at + seconds
    while place < len(messages) and messages[place].at < end:
        now = time.time() - late
        first = place
        while place < len(messages) and messages[place].at <= now:
            place += 1
        if place > first:
            exchange.send(b"".join(one.raw + b"\r\n\r\n" for one in messages[first:place]))
            sent.append((place, time.time()))
        await asyncio.sleep(TICK)
    return sent


def _expected(messages: Sequence[Sounded]) -> dict[Told, list[int]]:
    """Tell for each report which message causes it."""
    tracker = Tracker(Numbering(load.config()), Settings(missed_each=True))
    found: dict[Told, list[int]] = defaultdict(list)
    for place, (at, raw) in enumerate(messages):
        event = decode(raw, at)
        for report in tracker.handle(event).reports if event is not None else ():
            found[report.callid, report.extension, event_name(report.stage)].append(place)
    return found


def _lags(
    expected: dict[Told, list[int]], sent: Sequence[tuple[int, float]], taken: Sequence[Sequence[object]], since: float
) -> tuple[list[float], int]:
    times = {}
    batches = iter(sent)
    until, at = next(batches)
    for place in range(sent[-1][0]):
        if place >= until:
            until, at = next(batches)
        times[place] = at
    arrived: dict[Told, list[float]] = defaultdict(list)
    for when, callid, ext, event in taken:
        assert isinstance(when, float)
        arrived[str(callid), str(ext), str(event)].append(when)
    lags, missing = [], 0
    for told, places in expected.items():
        due = [times[place] for place in places if place in times]
        came = sorted(arrived.get(told, ()))
        missing += max(0, len(due) - len(came))
        lags += [1000 * (end - begin) for begin, end in zip(due, came, strict=False) if begin >= since]
    return lags, missing


async def end_of(planfix: asyncio.subprocess.Process) -> list[list[object]]:
    assert planfix.stdin is not None
    assert planfix.stdout is not None
    planfix.stdin.close()
    taken: list[list[object]] = json.loads(await planfix.stdout.read())
    return taken


async def until_quiet(pid: int) -> None:
    """Wait until the daemon has nothing more to do."""
    before = processor(pid)
    while True:
        await asyncio.sleep(1.0)
        now = processor(pid)
        if now - before < 0.03:
            return
        before = now


def processor(pid: int) -> float:
    """Tell the seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _HERTZ


def memory(pid: int) -> float:
    """Tell a process' resident memory in megabytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6
