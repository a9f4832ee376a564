"""What a busy PBX says besides: events that nobody here uses, recorded from a real Asterisk with all classes on.

`python -m tests.benchmarks.noise FILE.ami.gz` records them anew in the lab, in the proportion in which they come.
"""

import asyncio
import gzip
import sys
from pathlib import Path

from ami_planfix.ami import capture
from ami_planfix.ami.decode import decode
from tests.lab import Lab, talk
from tests.lab.ami import Ami
from tests.lab.record import NEUTRAL_FOLDER
from tests.lab.stories import every_story

RECORDED = Path(__file__).with_name("noise.ami.gz")
KINDS = ("incoming", "ring_group", "queue", "outgoing", "ivr", "hold", "recording", "internal")
MOST = 6000
LONG_TALK = 16.0
"""Seconds: RTCP reports come every five."""


def recorded() -> list[bytes]:
    """Give the recorded messages, without their empty lines."""
    return list(capture.read(RECORDED))


async def record(path: Path) -> None:
    """Let people call in the lab for some minutes, and keep what the product drops."""
    async with Lab() as lab:
        account = lab.asterisk.folder / "etc" / "manager.conf"
        account.write_text(account.read_text("utf-8").replace("read = system,call", "read = all,call"), "utf-8")
        await lab.restart()
        observer = await lab.asterisk.connect()
        for story in every_story().values():
            if story.kind in KINDS and story.can_be_played_on("22"):
                print(story.name, file=sys.stderr, flush=True)
                lab.forget()
                await story.act(lab)
        await _talk_for_long(lab)
        await lab.ami.settle(observer)
        await observer.close()
        _write(path, lab, observer)


async def _talk_for_long(lab: Lab) -> None:
    lab.forget()
    client = await lab.client.dial("74951230001")
    phone = await lab.phones["101"].rings()
    await phone.answer()
    await client.press("12")
    await talk(client, phone, LONG_TALK)
    await client.hang_up()
    await lab.quiet()


def _write(path: Path, lab: Lab, observer: Ami) -> None:
    spool = str(lab.asterisk.asterisk_recordings_directory.parent).encode()
    messages = [block.rstrip(b"\r\n").replace(spool, NEUTRAL_FOLDER) for block in observer.raw]
    noise = [raw for raw in messages if raw.startswith(b"Event: ") and b"TestEvent" not in raw and not decode(raw, 0.0)]
    data = b"".join(capture.redacted(raw) + b"\r\n\r\n" for raw in noise[-MOST:])
    path.write_bytes(gzip.compress(data, mtime=0))
    print(f"{len(noise)} messages, the last {MOST} of them in {path}", file=sys.stderr)


if __name__ == "__main__":
    asyncio.run(record(Path(sys.argv[1])))
