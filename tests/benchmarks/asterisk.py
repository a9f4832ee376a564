"""The daemon beside a real Asterisk under load: its processor time in per cent of Asterisk's.

Calls are made at growing rates until one fails: at the highest rate at which all went well everything is measured. A
call without sound costs Asterisk least, and us as much as any; with sound Asterisk works for as long as they talk, and
we do not: three minutes are as in life. With and without the event filter that `init` writes, for 22 in both of its
forms.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ami_planfix.demo.planfix import EmbeddedPlanfix
from ami_planfix.init.manager import Login, section
from tests.benchmarks import callers
from tests.benchmarks.lag import end_of, memory, processor, receiver, until_quiet
from tests.benchmarks.measuring import Figure, Result, say
from tests.daemon_process import Home, Process
from tests.lab.asterisk import DAEMON, LAB, Asterisk

RATES = (5.0, 10.0, 20.0, 40.0)
RUN = 12.0
"""Seconds in which calls begin."""
SILENT_TALK, TALK, LONG_TALK = 2.0, 20.0, 180.0
"""Seconds of a call without sound, with it, and as in life."""
AT_ONCE = (20, 40, 80)
"""Calls with sound."""
REPORTS_OF_A_CALL = 3
GOAL = "< 3 %"
SETUPS = ((22, "no filter"), (22, "filter"), (22, "old filter"), (16, "no filter"), (16, "filter"))


@dataclass
class Load:
    """What one run found; milliseconds of processor time for a call."""

    rate: float
    well: bool
    ours: float
    asterisk: float
    megabytes: float


def run() -> Result:
    """Measure."""
    callers.require_sipp()
    figures: list[Figure] = []
    silent, sounding = list(RATES), [count / TALK for count in AT_ONCE]
    for version, chosen in SETUPS:
        name = f"Asterisk {version}, {chosen}"
        found = asyncio.run(_highest(version, chosen, silent, SILENT_TALK, audio=False))
        figures += _figures(f"{name}: {found.rate:g} calls/s without sound", found)
        silent = [found.rate]
        found = asyncio.run(_highest(version, chosen, sounding, TALK, audio=True))
        sounding = [found.rate]
        at_once = f"{found.rate * TALK:.0f} calls at once with sound"
        figures += _figures(f"{name}: {at_once}, of {TALK:g} s", found)
        found = asyncio.run(_measure(version, chosen, found.rate, LONG_TALK, audio=True, begin_in=TALK))
        _say(version, chosen, found, audio=True)
        figures += _figures(f"{name}: {at_once}, of {LONG_TALK:g} s", found)
    return Result("asterisk", figures)


def _figures(name: str, load: Load) -> list[Figure]:
    return [
        Figure(name, 100 * load.ours / load.asterisk, "% of Asterisk's", goal=GOAL),
        Figure("  a call costs", load.ours, "ms of processor", "Asterisk", load.asterisk, load.asterisk / load.ours),
    ]


async def _highest(version: int, chosen: str, rates: Sequence[float], talk: float, *, audio: bool) -> Load:
    best: Load | None = None
    for rate in rates:
        found = await _measure(version, chosen, rate, talk, audio=audio, begin_in=max(RUN, talk))
        _say(version, chosen, found, audio=audio)
        if not found.well and best is not None:
            break
        best = found
        if not found.well:
            say("  (calls failed: this machine does other things too)")
            break
    assert best is not None
    return best


def _say(version: int, chosen: str, found: Load, *, audio: bool) -> None:
    share = 100 * found.ours / found.asterisk
    say(
        f"{version}, {chosen}, {found.rate:g} calls/s{' with sound' * audio}: {'well' if found.well else 'too much'}, "
        f"{found.ours:.1f} ms beside {found.asterisk:.1f} ms a call, {share:.1f} %"
    )


async def _measure(version: int, chosen: str, rate: float, talk: float, *, audio: bool, begin_in: float) -> Load:
    """Have calls of so many seconds begin for `begin_in` seconds."""
    count = round(rate * begin_in)
    with tempfile.TemporaryDirectory(prefix="ami-planfix-") as name:
        folder = Path(name)
        port = callers.phone_port()
        asterisk = callers.asterisk_of(version, port)
        async with asterisk, _beside(asterisk, chosen, folder) as (process, planfix), callers.answering(port, folder):
            before = processor(process.process.pid), processor(asterisk.pid)
            well = await callers.call(asterisk, folder, rate=rate, count=count, seconds=talk, audio=audio)
            await until_quiet(process.process.pid)
            ours, theirs = processor(process.process.pid) - before[0], processor(asterisk.pid) - before[1]
            megabytes = memory(process.process.pid)
            reports = len(await end_of(planfix))
    if well and reports != REPORTS_OF_A_CALL * count:
        raise AssertionError(f"{count} calls, and {reports} reports: {REPORTS_OF_A_CALL} of each were to come")
    return Load(rate, well, 1000 * ours / count, 1000 * theirs / count, megabytes)


@asynccontextmanager
async def _beside(
    asterisk: Asterisk, chosen: str, folder: Path
) -> AsyncIterator[tuple[Process, asyncio.subprocess.Process]]:
    await _choose(asterisk, chosen)
    ami = {"port": asterisk.ami_port, "username": asterisk.ami_username, "secret": asterisk.ami_secret}
    async with receiver() as (url, planfix):
        account = EmbeddedPlanfix()
        account.url = url
        home = Home(account, folder, ami)
        home.sections["log"] = {"format": "json", "level": "info"}
        home.write_config()
        async with home.daemon() as process:
            await process.logged("ami connected")
            yield process, planfix


async def _choose(asterisk: Asterisk, chosen: str) -> None:
    """Have our user in Asterisk as `init` writes it, with or without its filter."""
    new = asterisk.version == 22 and chosen != "old filter"
    ours = section(Login(DAEMON.secret, username=DAEMON.username), new)
    if chosen == "no filter":
        ours = "\n".join(line for line in ours.splitlines() if not line.startswith("eventfilter")) + "\n"
    path = asterisk.folder / "etc" / "manager.conf"
    text = path.read_text("utf-8")
    before, after = text.index(f"[{DAEMON.username}]"), text.index(f"[{LAB.username}]")
    path.write_text(text[:before] + ours + text[after:], "utf-8")
    await asterisk.restart()
