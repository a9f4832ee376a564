"""The part of it on a real Asterisk: people talk, and the daemon that listens is killed, cut off and refused meanwhile.

A witness beside it has a wire and a Planfix of its own, and suffers nothing but Asterisk's own crashes. How each part
of a call ended for it is how it must have ended for the other one, which reads what it did not hear from Asterisk's
records. A call that went on while either of them came back, or Asterisk died, may be known to it in part: of that each
beginning must have one end, and nothing may come twice.
"""

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ami_planfix.calls.reports import Report, Stage
from ami_planfix.demo.planfix import Received
from tests.calls.story import EVENTS, STATUSES
from tests.daemon.hearing import reported
from tests.daemon.running import Post, post
from tests.failover.pair import Deaths
from tests.lab import Lab
from tests.lab.stories import attended_transfer, blind_transfer, hunt, incoming, outgoing, pickup, queue, ring_group
from tests.lab.stories.telling import converse
from tests.load.sayings import Saying, sayings
from tests.torture.schedule import Kind
from tests.torture.weather import Weather

STORIES: Sequence[Callable[[Lab], Awaitable[None]]] = (
    incoming.direct_client_hangs_up,
    incoming.direct_busy,
    ring_group.ring_all_second_answers,
    ring_group.ring_all_nobody,
    hunt.hunt_third_answers,
    queue.queue_answered,
    pickup.pickup_directed,
    attended_transfer.attended_refer,
    blind_transfer.blind_refer_answered,
    outgoing.out_answered,
    outgoing.out_busy,
)
CRASH_EVERY = 8
"""Stories from one crash of Asterisk to the next."""
BETWEEN = (1.0, 6.0)
"""Seconds from one incident to the next."""
AWAY = (0.3, 5.0)
RECORDS = {"cel": "cel-custom/Master.csv", "cdr": "cdr-csv/Master.csv"}
CALM = 90.0
DOUBT = 1.0
"""Seconds around a moment in which nobody can say what was heard before it."""
_WEATHERS = (Kind.BROKEN, Kind.GARBAGE, Kind.SLOW, Kind.CUTS, Kind.CUTS_BODY, Kind.AWAY, Kind.TOO_MANY)


@dataclass
class RealResult:
    """What came of it."""

    asterisk: int
    calls: int = 0
    exact: int = 0
    """Calls of which each end is known exactly."""
    crashes: int = 0
    """Of Asterisk."""
    unfinished: int = 0
    """Stories whose people waited in vain: a crash, or a machine that is too busy."""
    faults: dict[str, int] = field(default_factory=dict)
    again: int = 0
    lost: int = 0
    double: int = 0
    wrong: int = 0
    problems: dict[str, list[str]] = field(default_factory=dict)

    @property
    def well(self) -> bool:
        """Tell whether nothing was lost, double or wrong."""
        return bool(self.calls) and not self.problems


class Real:
    """One run beside the other one; ends when `finish` is set and the story is over."""

    def __init__(self, version: int, seed: int, folder: Path, say: Callable[[str], None]) -> None:
        self.finish = asyncio.Event()
        self._version, self._folder, self._say = version, folder, say
        self._chance, self._mishaps = random.Random(seed), random.Random(seed + 1)
        self._seed = seed
        self._deaths = Deaths()
        self._crashes: list[float] = []
        """When Asterisk died."""
        self.result = RealResult(version)

    async def run(self) -> RealResult:
        """Play stories amid incidents, wait until all is well, and compare."""
        async with AsyncExitStack() as stack:
            lab = await stack.enter_async_context(Lab(self._version))
            for name in ("suffers", "witness"):
                (self._folder / name).mkdir(parents=True)
            suffers = await stack.enter_async_context(post(lab, self._folder / "suffers", start=False))
            log = lab.asterisk.folder / "log"
            suffers.sections["backfill"] = {kind: str(log / name) for kind, name in RECORDS.items()}
            suffers.write_config()
            await suffers.start()
            witness = await stack.enter_async_context(post(lab, self._folder / "witness"))
            incidents = asyncio.create_task(self._suffer(suffers))
            while not self.finish.is_set():
                await self._story(lab)
            self.finish.set()
            await incidents
            await self._calm(suffers, witness)
            # One that is slow may end a connection by itself, and come back from a crash of Asterisk late.
            in_part = (*self._crashes, *suffers.wire.joined, *witness.wire.joined)
            compare(self.result, witness.reports(), suffers.received, self._deaths, in_part)
        return self.result

    async def _story(self, lab: Lab) -> None:
        act = self._chance.choice(STORIES)
        try:
            async with asyncio.timeout(60):
                await act(lab)
                if self._chance.random() * CRASH_EVERY < 1:
                    await self._crash(lab)
        except Exception as fault:
            self._say(f"asterisk {self._version}: {act.__name__} did not end: {type(fault).__name__}")
            self.result.unfinished += 1
            await self._clear(lab)
        lab.forget()

    async def _crash(self, lab: Lab) -> None:
        """Have Asterisk die while two talk."""
        await converse(lab)
        self._say("asterisk killed while two talk")
        await lab.asterisk.kill()
        self._crashes.append(time.time())
        await lab.restart()
        self.result.crashes += 1

    async def _clear(self, lab: Lab) -> None:
        with suppress(Exception):
            for name in list(lab.ami.channels.values()):
                with suppress(Exception):
                    await lab.ami.action("Hangup", Channel=name)
            await lab.ami.quiet()

    async def _suffer(self, there: Post) -> None:
        weather = Weather(there.planfix, self._seed)
        while not self.finish.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._mishaps.uniform(*BETWEEN)):
                    await self.finish.wait()
            kind = self._mishaps.choice((Kind.KILLED, Kind.TERMINATED, Kind.CLOSED, Kind.FROZEN, *_WEATHERS))
            self._say(f"beside asterisk {self._version}: {kind}")
            await self._bring(there, weather, kind, self._mishaps.uniform(*AWAY))
            self.result.faults[kind] = self.result.faults.get(kind, 0) + 1

    async def _bring(self, there: Post, weather: Weather, kind: Kind, lasts: float) -> None:
        match kind:
            case Kind.KILLED | Kind.TERMINATED:
                self._deaths.note()
                await there.end(kill=kind is Kind.KILLED)
                await asyncio.sleep(lasts)
                await there.start()
            case Kind.CLOSED:
                before = there.wire.snapshots
                await there.wire.cut()
                await asyncio.sleep(lasts)
                there.wire.mend()
                await there.wire.snapshot(before)
            case Kind.FROZEN:
                there.wire.freeze()
                await asyncio.sleep(min(lasts, 2.0))
                there.wire.mend()
            case _:
                await weather.become(kind)
                await asyncio.sleep(lasts)
                await weather.clear_up()

    async def _calm(self, suffers: Post, witness: Post) -> None:
        """Wait until both have said all."""
        until = time.monotonic() + CALM
        for one in (witness, suffers):
            while time.monotonic() < until:
                with suppress(OSError, KeyError):
                    counts = (await one.ask("/deliveries"))["counts"]
                    assert isinstance(counts, dict)
                    if (await one.ask("/calls"))["calls"] == [] and counts["waiting"] == 0:
                        break
                await asyncio.sleep(0.5)


def compare(
    result: RealResult,
    truth: Sequence[Report],
    received: Sequence[Received],
    deaths: Deaths,
    returns: Sequence[float],
) -> None:
    """Judge what Planfix was told by the daemon that suffered, by what the witness told its own (pure).

    Calls that went on when either of them listened again, or Asterisk died (`returns`), are known in part.
    """
    wanted: dict[str, list[Report]] = defaultdict(list)
    for report in truth:
        wanted[report.callid].append(report)
    came: dict[str, list[Received]] = defaultdict(list)
    for one in received:
        if one.fields.get("cmd") == "event":
            came[one.fields["callid"]].append(one)
    result.calls = len(wanted)
    for callid in {**wanted, **came}:
        said = sayings(came[callid], deaths)
        result.again += sum(one.again for one in said)
        times = [one.at for one in (*wanted[callid], *reported(came[callid]))]
        in_part = not wanted[callid] or any(min(times) - DOUBT <= at <= max(times) + DOUBT for at in returns)
        result.exact += not in_part
        problems = list(_wrong(result, wanted[callid], said, exact=not in_part))
        if problems:
            expected = ", ".join(" ".join(_named(one)).strip() for one in wanted[callid])
            told = ", ".join(map(str, said))
            result.problems[callid] = [*problems, f"the witness: {expected}", f"came: {told}"]


def _wrong(result: RealResult, wanted: Sequence[Report], said: Sequence[Saying], *, exact: bool) -> list[str]:
    problems: list[str] = []
    ended = Counter((one.get("ext"), one.get("status")) for one in said if one.get("event") == "COMPLETED")
    if exact:
        right = Counter(_named(one)[1:] for one in wanted if one.stage is Stage.COMPLETED)
        for part, count in (right - ended).items():
            result.lost += count
            problems.append(f"lost: {part}")
        for part, count in (ended - right).items():
            result.double += count if part in right else 0
            result.wrong += 0 if part in right else count
            problems.append(f"{'double' if part in right else 'wrong'}: {part}")
    is_open: Counter[str] = Counter()
    for one in said:
        event, ext = one.get("event"), one.get("ext")
        if event == "ACCEPTED":
            continue
        is_open[ext] += -1 if event == "COMPLETED" else 1
        if is_open[ext] not in (0, 1):
            result.double += 1
            problems.append(f"twice, or an end without a beginning: {one}")
            is_open[ext] = 0
    for ext in +is_open:
        result.lost += 1
        problems.append(f"never ended: {ext}")
    return problems


def _named(report: Report) -> tuple[str, str, str]:
    return EVENTS[report.stage], str(report.extension), STATUSES[report.outcome] if report.outcome is not None else ""
