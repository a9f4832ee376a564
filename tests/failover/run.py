"""One run: a busy PBX, two daemons, and one of them dead every few seconds."""

import asyncio
import random
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ami_planfix.calls.reports import Report, Stage
from ami_planfix.demo.planfix import EmbeddedPlanfix, Received
from ami_planfix.storage.database import Database
from tests.failover.pair import NAMES, Deaths, Twin, twins
from tests.load.exchange import Exchange
from tests.load.home import SETTINGS
from tests.load.player import Played, Player
from tests.load.verdict import History, Verdict, judge
from tests.postgresql import a_postgresql

BETWEEN = (0.5, 3.0)
"""Seconds between two deaths, from when both live to the next."""
SLOW = 1.0
"""Seconds that a call's first report may take."""
SHOWN = 5
QUIET = 10.0
"""Seconds without anything new at Planfix after which nothing more is expected."""
Say = Callable[[str], None]


@dataclass
class Result:
    """What came of it."""

    seed: int
    rate: float
    calls: int = 0
    kills: int = 0
    seconds: float = 0.0
    median_delay: float = 0.0
    """Seconds until the first report of a call reached Planfix."""
    longest_delay: float = 0.0
    slow: int = 0
    """Calls for which that took longer than a second."""
    slowest: list[tuple[float, str]] = field(default_factory=list)
    complaints: dict[str, int] = field(default_factory=dict)
    """The daemons' warnings and errors."""
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def well(self) -> bool:
        """Tell whether nothing is lost, double or wrong."""
        return not self.verdict.badness


async def run(kills: int, rate: float, seed: int, say: Say, both: bool = False) -> Result:
    """Kill one of the two `kills` times (`both`: sometimes both), with `rate` calls a second."""
    result, chance, deaths = Result(seed, rate), random.Random(seed), Deaths()
    begun = time.monotonic()
    async with AsyncExitStack() as stack:
        server = stack.enter_context(a_postgresql("-c", "max_connections=100"))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ami-planfix-failover-")))
        exchange = await stack.enter_async_context(Exchange(*NAMES))
        planfix = await stack.enter_async_context(EmbeddedPlanfix())
        url = server.database()
        pair = twins(exchange, planfix, folder, url)
        for twin in pair:
            stack.push_async_callback(twin.end)
            await twin.start()
        await _settled(url)
        player = Player(exchange, seed, rate)
        playing = asyncio.create_task(player.play(10**9))
        await _kill(kills, pair, deaths, chance, both, lambda line: say(f"{line}; {len(player.played)} calls"))
        player.finish()
        await playing
        await _settle(planfix)
        for twin in pair:
            await twin.end()
        result.complaints = dict(sum((twin.complaints for twin in pair), Counter()))
        result.calls, result.kills = len(player.played), len(deaths.at)
        _judge(result, player.played, planfix.received, deaths)
    result.seconds = round(time.monotonic() - begun, 1)
    return result


async def _kill(kills: int, pair: Sequence[Twin], deaths: Deaths, chance: random.Random, both: bool, say: Say) -> None:
    await asyncio.sleep(chance.uniform(*BETWEEN))
    while len(deaths.at) < kills:
        victims = list(pair) if both and chance.random() < 0.2 else [chance.choice(pair)]
        for victim in victims:
            deaths.note()
            await victim.kill()
        say(f"{len(deaths.at)} of {kills} killed: {', '.join(victim.name for victim in victims)}")
        await asyncio.sleep(chance.uniform(0.0, 1.0))
        await asyncio.gather(*(victim.start() for victim in victims))
        await asyncio.sleep(chance.uniform(*BETWEEN))


async def _settled(url: str) -> None:
    """Wait until the server, which has just started, knows who is there."""
    async with Database(url) as database, database.following("failover", time.time()) as (company, _):
        await company()


async def _settle(planfix: EmbeddedPlanfix) -> None:
    """Wait until nothing more comes."""
    known = -1
    while known != len(planfix.received):
        known = len(planfix.received)
        try:
            await planfix.wait_for(lambda received: len(received) > known, QUIET)  # noqa: B023 - awaited at once
        except TimeoutError:
            return


def _judge(result: Result, played: Sequence[Played], received: Sequence[Received], deaths: Deaths) -> None:
    of_call: dict[str, list[Received]] = defaultdict(list)
    for one in received:
        if one.fields.get("cmd") == "event":
            of_call[one.fields["callid"]].append(one)
    delays: list[tuple[float, str]] = []
    for call in played:
        expected = call.copy.expected(SETTINGS)
        came = [report for callid in call.copy.ids for report in of_call.pop(callid, [])]
        result.verdict.add(judge([History(expected)], came, deaths))
        delays += _delays(expected, came)
    for callid, others in of_call.items():
        result.verdict.wrong += len(others)
        result.verdict.problems[callid] = [f"no such call: {[one.event for one in others]}"]
    _measure(result, delays)


def _delays(expected: Sequence[Report], came: Sequence[Received]) -> Iterator[tuple[float, str]]:
    """Tell how long each call's first report took; one that begins with its end is no popup for anybody."""
    first: dict[str, Report] = {}
    for report in expected:
        if report.stage is not Stage.COMPLETED:
            first.setdefault(report.callid, report)
    for callid, report in first.items():
        times = [one.at for one in came if one.taken and one.fields["callid"] == callid]
        if times:
            yield round(min(times) - report.at, 3), callid


def _measure(result: Result, delays: Sequence[tuple[float, str]]) -> None:
    if delays:
        result.slowest = sorted(delays, reverse=True)[:SHOWN]
        result.longest_delay = result.slowest[0][0]
        result.median_delay = round(statistics.median(delay for delay, _ in delays), 3)
        result.slow = sum(delay > SLOW for delay, _ in delays)
