"""`support-bundle`: one file that an administrator can send."""

import asyncio
import io
import secrets
import tarfile
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from ami_planfix.bundle.contents import PIECES, Piece, gather, hidden, newest_capture
from ami_planfix.bundle.hiding import Hiding
from ami_planfix.cli.main import WELL
from ami_planfix.cli.options import DEFAULT, config_option
from ami_planfix.cli.output import private_file, tell
from ami_planfix.errors import AmiPlanfixError


@click.command("support-bundle")
@config_option
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Where to write (default: ami-planfix-support-TIME.tar.gz here).",
)  # fmt: skip
@click.option(
    "--capture", "recorded", type=click.Path(path_type=Path, dir_okay=False, exists=True), metavar="FILE",
    help="A capture to add (default: the newest *.ami here).",
)  # fmt: skip
@click.option("--numbers", is_flag=True, help="Keep telephone numbers and names of callers as they are.")
def support_bundle(config: Path | None, output: Path | None, recorded: Path | None, numbers: bool) -> int:
    """Put everything that helps into one file that can be sent: no secrets, and numbers shortened.

    It lists what is in it, before and after. Run it with sudo; look into it before you send it.
    """
    recorded = recorded or newest_capture([Path.cwd()])
    tell("It will contain, as far as there is something:")
    for name, about in PIECES.items():
        tell(f"  {name.ljust(16)}  {about}{f': {recorded}' if name == 'capture.ami' and recorded else ''}")
    tell("Telephone numbers and names stay as they are." if numbers else "Telephone numbers and names are hidden.")
    pieces, known = asyncio.run(gather(config or DEFAULT, recorded))
    pieces = hidden(pieces, Hiding(known, secrets.token_bytes(16), numbers))
    file = output or Path(datetime.now(UTC).strftime("ami-planfix-support-%Y%m%d-%H%M%S.tar.gz"))
    _pack(file, pieces)
    tell(f"\nWritten to {file}, readable for you alone:")
    for piece in pieces:
        tell(f"  {piece.name.ljust(16)}  {len(piece.text.encode())} bytes")
    click.echo(file)
    return WELL


def _pack(file: Path, pieces: list[Piece]) -> None:
    """Write the file, for its owner alone from its first byte on."""
    try:
        stream = private_file(file)
    except OSError as fault:
        raise AmiPlanfixError(f"{file}: cannot be written: {fault.strerror}") from fault
    folder = file.name.removesuffix(".gz").removesuffix(".tar")
    with stream, tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for piece in pieces:
            data = piece.text.encode("utf-8", "surrogateescape")
            info = tarfile.TarInfo(f"{folder}/{piece.name}")
            info.size, info.mtime, info.mode = len(data), int(time.time()), 0o600
            archive.addfile(info, io.BytesIO(data))
