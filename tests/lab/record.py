"""Records stories as captures: the raw AMI stream of each, as an observer sees it."""

import contextlib
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.lab.ami import MARK, AmiError, parse
from tests.lab.asterisk import Driver
from tests.lab.pbx import Lab
from tests.lab.stories import Story

# What a product's AMI user may read; the lab's own connection also has `system` (registrations, FullyBooted).
CLASSES = {"call", "dialplan", "agent", "reporting", "dtmf", "user"}
NEUTRAL_FOLDER = b"/var/spool/asterisk"


async def record(stories: Iterable[Story], version: int, driver: Driver, out: Path) -> list[str]:
    """Play stories on one Asterisk; write `out/KIND/STORY[-ast16|-ast16sip].ami`; return which failed."""
    asterisk = f"{version}{'sip' if driver == 'chan_sip' else ''}"
    failed: list[str] = []
    async with Lab(version, driver) as lab:
        for story in stories:
            if not story.can_be_played_on(asterisk):
                _say(f"{story.name}: not on {asterisk}")
                continue
            try:
                stream = await _play(lab, story)
            except Exception as error:  # one story must not cost the others theirs
                failed.append(story.name)
                _say(f"{story.name}: FAILED: {type(error).__name__}: {error}")
                await _clear(lab)
                continue
            suffix = "" if asterisk == "22" else f"-ast{asterisk}"
            path = out / story.kind / f"{story.name}{suffix}.ami"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(stream)
            _say(f"{story.name}: {path}")
    return failed


async def _play(lab: Lab, story: Story) -> bytes:
    await lab.quiet()
    lab.forget()
    observer = await lab.asterisk.connect()
    try:
        await story.act(lab)
        await lab.ami.settle(observer)
    finally:
        await observer.close()
    spool = str(lab.asterisk.asterisk_recordings_directory.parent).encode()
    return b"".join(block.replace(spool, NEUTRAL_FOLDER) for block in observer.raw if _is_of_the_call(block))


def _is_of_the_call(block: bytes) -> bool:
    event = parse(block)
    privilege = set(event.get("Privilege", "").split(","))
    return bool(privilege & CLASSES) and event["Event"] != "TestEvent" and event.get("UserEvent") != MARK


async def _clear(lab: Lab) -> None:
    """Hang up what a failed story left behind."""
    for name in list(lab.ami.channels.values()):
        with contextlib.suppress(AmiError):  # it may be gone by now
            await lab.ami.action("Hangup", Channel=name)
    await lab.ami.quiet()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
