"""A daemon at a lab's Asterisk: its own Planfix, its own wire to Asterisk, its own folder."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from ami_planfix.calls.reports import Report
from ami_planfix.demo.planfix import EmbeddedPlanfix, Received
from tests.calls.story import Expectation, shown
from tests.daemon import hearing
from tests.daemon.wire import Wire
from tests.daemon_process import PBX_TOKEN, Home, Process
from tests.lab import Lab

MOBILE = "+79261110101"


class Post(Home):
    """Where a daemon stands: between the lab's Asterisk and a Planfix of its own."""

    def __init__(self, lab: Lab, planfix: EmbeddedPlanfix, wire: Wire, folder: Path) -> None:
        asterisk = lab.asterisk
        ami = {"port": wire.port, "username": asterisk.ami_username, "secret": asterisk.ami_secret}
        super().__init__(planfix, folder, ami)
        self.lab, self.wire = lab, wire
        numbers = {"extensions": r"10\d", "default_extension": "100"}
        self.sections["numbering"] = {**numbers, "employees": [{"extension": "101", "mobiles": [MOBILE]}]}
        self.sections["trunks"] = [
            {"channel": f"{asterisk.technology}/{trunk}", "number": "74951230000"} for trunk in ("provider", "backup")
        ]
        self.sections["makecall"] = {"channel": f"{asterisk.technology}/{{extension}}", "timeout": 3}
        self.write_config()
        self._process: Process | None = None
        self._past = self._judged = 0
        self._since = time.time()

    @property
    def asterisk(self) -> str:
        """Tell which Asterisk it is, as the stories say: 22, 16 or 16sip."""
        asterisk = self.lab.asterisk
        return f"{asterisk.version}{'sip' if asterisk.driver == 'chan_sip' else ''}"

    @property
    def process(self) -> Process:
        assert self._process, "no daemon runs"
        return self._process

    async def start(self) -> None:
        """Start the daemon; it is ready, and has asked Asterisk what exists."""
        before = self.wire.snapshots
        self._process = await Process.start(self, (), None)
        await self._process.ready()
        await self.wire.snapshot(before)

    async def end(self, kill: bool = False) -> None:
        """End the daemon if one runs: with SIGTERM, or `kill -9`."""
        if self._process is None:
            return
        if kill:
            self._process.signal(signal.SIGKILL)
        status = await self._process.end()
        assert kill or status == 0, self._process.raw.decode()
        self._process = None

    def forget(self) -> None:
        """Be ready for the next story: what Planfix got is of the past; nothing came late."""
        late = [one.event for one in self.planfix.received[self._judged :] if one.fields.get("cmd") == "event"]
        self._past = self._judged = len(self.planfix.received)
        self._since = time.time()
        assert not late, f"after a story was over, Planfix heard {late}"

    @property
    def received(self) -> list[Received]:
        """Tell what Planfix got since `forget`."""
        return self.planfix.received[self._past :]

    def reports(self) -> list[Report]:
        """Tell the reports that Planfix took since `forget`."""
        return hearing.reported(self.received)

    def told(self) -> list[str]:
        """Tell the same as `INCOMING 101`."""
        return [one.event for one in self.received if one.taken and one.fields.get("cmd") == "event"]

    def judge(self) -> list[str]:
        """Take what Planfix was told as all that there is to a story: whatever comes now comes late."""
        self._judged = len(self.planfix.received)
        return self.told()

    async def until(self, truth: Callable[[], bool], limit: float = 30.0) -> None:
        """Wait until something is true that depends on what Planfix got."""
        try:
            await self.planfix.wait_for(lambda _: truth(), limit)
        except TimeoutError as error:
            error.add_note(self.account())
            raise

    async def hears(self, *wanted: str) -> None:
        """Wait until Planfix has taken these reports (`INCOMING 101`), in whatever order."""
        await self.until(lambda: set(wanted) <= set(self.told()))

    async def demand(self, expected: Expectation) -> None:
        """Have Planfix hear what is expected, and no more; what is wrong is shown with the daemon's log.

        To be asked when the last channel is gone.
        """
        wanted = hearing.count(expected)
        with suppress(TimeoutError):  # what is missing shows in the comparison
            await self.planfix.wait_for(lambda _: len(self.told()) >= wanted, 10)
        await self.settle()
        self.judge()
        found = hearing.wrong(expected, self.received, int(time.time() - self._since))
        assert not found, "\n".join([expected.about, *found, self.account()])

    async def settle(self) -> None:
        """Wait until the daemon has heard of the end of all channels."""
        calls: object = None
        async with asyncio.timeout(10):
            while calls != []:
                calls = (await self.ask("/calls"))["calls"]

    async def keeps(self, count: int) -> None:
        """Wait until just so many reports are not yet known to be taken."""
        waiting = -1
        async with asyncio.timeout(10):
            while waiting != count:
                counts = (await self.ask("/deliveries"))["counts"]
                assert isinstance(counts, dict)
                waiting = counts["waiting"]

    def account(self) -> str:
        """Tell what Planfix heard and what the daemon logged, for whoever must find out why."""
        lines = [shown(report) for report in self.reports()]
        log = self._process.raw.decode().splitlines()[-25:] if self._process else ["(no daemon)"]
        return "\n".join(["Planfix heard:", *lines, "the daemon's log ends:", *log])


@asynccontextmanager
async def post(lab: Lab, folder: Path, start: bool = True) -> AsyncIterator[Post]:
    """Set up a daemon at the lab's Asterisk."""
    async with AsyncExitStack() as stack:
        asterisk = lab.asterisk
        planfix = EmbeddedPlanfix(pbx_token=PBX_TOKEN, pbx_url="https://pbx.example.com/planfix")
        await stack.enter_async_context(planfix)
        wire = await stack.enter_async_context(Wire(asterisk.ami_host, asterisk.ami_port))
        there = Post(lab, planfix, wire, folder)
        stack.push_async_callback(there.end)
        if start:
            await there.start()
        yield there
