"""`capture`: writes what Asterisk says, for `replay` and for whoever is to help."""

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import click

from ami_planfix.ami.asking import visit
from ami_planfix.ami.capture import Writer
from ami_planfix.ami.settings import settings_of
from ami_planfix.cli.options import DEFAULT, config_option
from ami_planfix.cli.output import private_file, tell
from ami_planfix.config.load import load
from ami_planfix.config.model import Ami
from ami_planfix.errors import CaptureError


@click.command()
@config_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write (default: stdout).",
)
@click.option("--seconds", type=click.FloatRange(min=0), help="End after so long (default: at Ctrl-C).")
def capture(config: Path | None, output: Path | None, seconds: float | None) -> int:
    """Write what Asterisk says as a raw AMI log, with a time in each event and without secrets.

    The daemon may go on running meanwhile. Caller IDs and numbers are in the file: it is made readable for
    its owner only.
    """
    section = load(config or DEFAULT, {"ami"}).ami
    try:
        stream = sys.stdout.buffer if output is None else private_file(output)
    except OSError as fault:
        raise CaptureError(f"{output}: cannot be written: {fault.strerror}") from fault
    tell("capturing; Ctrl-C ends it")
    count = asyncio.run(_capture(section, stream, seconds))
    tell(f"{count} messages captured")
    return 0


async def _capture(section: Ami, stream: BinaryIO, seconds: float | None) -> int:
    """Write until time, a signal or the end of the connection; returns how many messages; raises AmiError."""
    writer = Writer(stream)
    count = 0

    def write(raw: bytes, arrival: float) -> None:
        nonlocal count
        # What came before the first event belongs to our own login.
        if raw.startswith(b"Event: ") and not raw.startswith(b"Event: FullyBooted"):
            writer.write(raw, arrival)
            stream.flush()
            count += 1

    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)  # before the first event: whoever sees one may end us
    async with visit(settings_of(section), write) as there:
        there.gone.add_done_callback(lambda _: ended.set())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await ended.wait()
        if there.gone.done():
            raise there.gone.result()
    return count
