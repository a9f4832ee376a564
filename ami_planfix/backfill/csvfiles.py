"""Records from Asterisk's `Master.csv` (cdr_csv, cdr_custom, cel_custom), read from its end; blocks: for a thread."""

import csv
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ami_planfix.backfill.records import Value
from ami_planfix.errors import BackfillError

BLOCK = 1 << 20
MOST_BYTES = 512 << 20
"""Bytes that are read at most, from the end of the file."""
_LONGEST = 1 << 20

_CDR = (
    "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata", "start", "answer",
    "end", "duration", "billsec", "disposition", "amaflags",
)  # fmt: skip
_NEW = ("peeraccount", "linkedid", "sequence")
_CDR_CUSTOM = (
    "clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata", "start", "answer", "end",
    "duration", "billsec", "disposition", "amaflags", "accountcode", "uniqueid", "userfield", "sequence",
)  # fmt: skip
_CEL = (
    "eventtype", "eventtime", "cid_name", "cid_num", "cid_ani", "cid_rdnis", "cid_dnid", "exten", "context", "channame",
    "appname", "appdata", "amaflags", "accountcode", "uniqueid", "linkedid", "peer", "userfield", "userdeftype",
    "extra",
)  # fmt: skip

Columns = Callable[[Sequence[str]], tuple[str, ...]]
Time = Callable[[Mapping[str, Value]], float]
"""Tells the time of a row (seconds since the epoch); raises ValueError."""


def cel_columns(row: Sequence[str]) -> tuple[str, ...]:
    """Name the columns of a row of cel_custom's sample."""
    return _CEL if len(row) == len(_CEL) else ()


def cdr_columns(row: Sequence[str]) -> tuple[str, ...]:
    """Name the columns of a row of cdr_csv, or of cdr_custom's sample; none if there are others."""
    if len(row) == len(_CDR_CUSTOM) and _is_channel(row[4]):
        return _CDR_CUSTOM
    if len(row) < len(_CDR) or not _is_channel(row[5]):
        return ()
    more = row[len(_CDR) :]
    new = _NEW if len(more) >= len(_NEW) else ()
    own = {0: (), 1: ("uniqueid",), 2: ("uniqueid", "userfield")}.get(len(more) - len(new))
    return (*_CDR, *own, *new) if own is not None else ()


def _is_channel(text: str) -> bool:
    return "/" in text


def rows(path: Path, columns: Columns, time: Time, since: float) -> Iterator[Mapping[str, Value] | None]:
    """Tell the rows of a file from about `since` on, in their order, None for each that cannot be read.

    Raises BackfillError.
    """
    try:
        with path.open("rb") as file:
            begin = _find(file.fileno(), columns, time, since)
            file.seek(begin)
            if begin:
                file.readline()
            for line in _lines(file.fileno(), file.tell()):
                yield _row(line, columns)
    except OSError as fault:
        raise BackfillError(
            f"{path}: cannot be read: {os.strerror(fault.errno or 0)}; the daemon's user must have the right"
        ) from fault


def _find(descriptor: int, columns: Columns, time: Time, since: float) -> int:
    """Find a place in the file before which all is older."""
    size = os.fstat(descriptor).st_size
    at = size
    while at > 0 and size - at < MOST_BYTES:
        at = max(0, at - BLOCK)
        if at and _first_time(os.pread(descriptor, BLOCK, at), columns, time) < since:
            break
    return at


def _first_time(block: bytes, columns: Columns, time: Time) -> float:
    for line in block.split(b"\n")[1:-1]:
        row = _row(line, columns)
        if row is not None:
            try:
                return time(row)
            except ValueError:
                continue
    return float("inf")


def _lines(descriptor: int, at: int) -> Iterator[bytes]:
    """Tell the whole lines from a place on; one that is being written has no end yet."""
    rest = b""
    while block := os.pread(descriptor, BLOCK, at):
        at += len(block)
        *lines, rest = (rest + block).split(b"\n")
        yield from (line for line in lines if line)
        if len(rest) > _LONGEST:
            rest = b""


def _row(line: bytes, columns: Columns) -> Mapping[str, Value] | None:
    try:
        cells = next(csv.reader([line.decode("utf-8", "replace")]))
    except (csv.Error, StopIteration):
        return None
    names = columns(cells)
    return dict(zip(names, cells, strict=True)) if names else None
