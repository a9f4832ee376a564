"""The whole product on one machine: Asterisk plays, the real daemon reports, Planfix hears."""

import asyncio
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ami_planfix.ami.wire import Message
from ami_planfix.config.model import Config
from ami_planfix.daemon import Daemon, End
from ami_planfix.demo.asterisk import Asterisk
from ami_planfix.demo.planfix import EmbeddedPlanfix, Received
from ami_planfix.demo.stories import STORIES, Story, messages_of
from ami_planfix.errors import AmiPlanfixError

LIMIT = 20.0
"""Seconds until something that must come has come."""

_PUBLIC_URL = "http://127.0.0.1"
_PHONES = ("PJSIP/101", "PJSIP/102", "PJSIP/103", "PJSIP/provider")


class Audience:
    """Who watches; overridden by whoever shows it."""

    def begins(self, story: Story) -> None:
        """A call begins."""

    def received(self, what: Received) -> None:
        """Planfix has received something."""


class Demo:
    """Plays all stories, once."""

    def __init__(self, audience: Audience, stories: tuple[Story, ...] = STORIES, speed: float = 1.0) -> None:
        self._audience = audience
        self._stories = stories
        self._speed = speed
        self._pbx_token = secrets.token_urlsafe(24)
        self._playing: set[asyncio.Task[None]] = set()

    async def run(self) -> dict[str, tuple[str, ...]]:
        """Play; returns for each story's title what Planfix heard of it."""
        heard: dict[str, tuple[str, ...]] = {}
        with tempfile.TemporaryDirectory(prefix="ami-planfix-demo-") as folder:
            async with (
                Asterisk(devices=[{"Device": name, "State": "NOT_INUSE"} for name in _PHONES]) as asterisk,
                EmbeddedPlanfix(pbx_token=self._pbx_token, pbx_url=f"{_PUBLIC_URL}/planfix") as planfix,
            ):
                daemon = Daemon(self._config(Path(folder), asterisk))
                running = asyncio.create_task(daemon.run())
                watching = asyncio.create_task(self._watch(planfix))
                try:
                    async with asyncio.timeout(LIMIT):
                        await _until_started(daemon, running)
                        await self._switch_on(planfix, daemon)
                        await asterisk.until(lambda: bool(asterisk.actions("CoreShowChannels")))
                    for story in self._stories:
                        heard[story.title] = await self._tell(story, asterisk, planfix, daemon)
                finally:
                    daemon.end()
                    await running
                    watching.cancel()
                    await asyncio.gather(watching, *self._playing, return_exceptions=True)
        return heard

    def _config(self, folder: Path, asterisk: Asterisk) -> Config:
        return Config.model_validate(
            {
                "ami": {"port": asterisk.port, "username": asterisk.username, "secret": asterisk.secret},
                "planfix": {"allowed_hosts": ["127.0.0.1"]},
                "server": {"listen": "127.0.0.1:0", "public_url": _PUBLIC_URL, "token": self._pbx_token},
                "admin": {"listen": "127.0.0.1:0", "socket": str(folder / "control.sock")},
                "contacts": {"fastagi": "127.0.0.1:0"},
                "numbering": {"extensions": r"10\d", "default_extension": "101"},
                "trunks": [{"channel": "PJSIP/provider", "number": "74951230000"}],
                "storage": {"url": f"sqlite:///{folder}/state.db"},
            }
        )

    async def _switch_on(self, planfix: EmbeddedPlanfix, daemon: Daemon) -> None:
        status, body = await planfix.setup(_url(daemon), self._pbx_token)
        if status != 200:
            raise AmiPlanfixError(f"the daemon refused the embedded Planfix: {status} {body}")

    async def _tell(
        self, story: Story, asterisk: Asterisk, planfix: EmbeddedPlanfix, daemon: Daemon
    ) -> tuple[str, ...]:
        self._audience.begins(story)
        before = len(planfix.events())
        if story.click is None:
            await asterisk.play(messages_of(story), self._speed)
        else:
            asterisk.on_originate = lambda action: self._originated(story, action, asterisk)
            status, body = await planfix.make_call(_url(daemon), self._pbx_token, *story.click)
            if status != 200:
                raise AmiPlanfixError(f"the daemon refused the click: {status} {body}")
        with suppress(TimeoutError):  # what is missing shows in what was heard
            await planfix.wait_for(lambda _: len(planfix.events()) - before >= len(story.expected), LIMIT)
        return tuple(planfix.events()[before:])

    def _originated(self, story: Story, action: Message, asterisk: Asterisk) -> None:
        """Let the employee pick up the phone that the daemon has had rung."""
        playing = asyncio.create_task(asterisk.play(messages_of(story, action.get("ChannelId")), self._speed))
        self._playing.add(playing)
        playing.add_done_callback(self._playing.discard)

    async def _watch(self, planfix: EmbeddedPlanfix) -> None:
        shown = 0
        while True:
            await planfix.wait_for(_more_than(shown), 3600)
            for one in planfix.received[shown:]:
                self._audience.received(one)
                shown += 1


def _more_than(count: int) -> Callable[[list[Received]], bool]:
    return lambda received: len(received) > count


def _url(daemon: Daemon) -> str:
    return f"http://127.0.0.1:{daemon.server_port}/planfix"


async def _until_started(daemon: Daemon, running: "asyncio.Task[End]") -> None:
    """Wait until the daemon has started; raise what keeps it from it."""
    started = asyncio.create_task(daemon.started.wait())
    await asyncio.wait({started, running}, return_when=asyncio.FIRST_COMPLETED)
    started.cancel()
    if running.done():
        running.result()
