"""A damaged file: what can still be read is carried over into a new one, and the file is set aside.

Row by row, past the pages that are broken, as far as SQLite can read at all. The new file is made beside the old one
and takes its name when it is whole, so that a death meanwhile loses nothing.
"""

import asyncio
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from sqlalchemy import Table

from ami_planfix.errors import StorageError
from ami_planfix.storage.database import in_words
from ami_planfix.storage.schema import open_database
from ami_planfix.storage.sqlite import is_damage
from ami_planfix.storage.tables import metadata, outbox

KEPT = 86400.0
"""Seconds for which reports that are settled are carried over: so that nothing is told twice."""
STEP = 500
FURTHEST_HOP = 1 << 40
_SUFFIXES = ("-wal", "-shm")
_HEADER, _MAGIC = 100, b"SQLite format 3\0"
_LIVE = "id IN (SELECT journal_id FROM journal_channels WHERE live)"


class Carried(NamedTuple):
    """What was saved."""

    rows: dict[str, int]
    """By table."""
    whole: bool
    """Nothing of it was unreadable."""


class Mended(NamedTuple):
    """What became of a damaged file."""

    aside: Path
    carried: Carried


def is_ours(path: Path) -> bool:
    """Tell whether a file may be set aside: by a mistake in storage.url it might be anything."""
    return path.suffix in (".db", ".sqlite", ".sqlite3")


async def mend(path: Path) -> Mended:
    """Replace a damaged file, which nobody has open; raises StorageError, OSError: then it is where it was."""
    fresh = path.with_name(f"{path.name}.new")
    await make_fresh(fresh)
    carried = await asyncio.to_thread(carry_over, path, fresh)
    aside = set_aside(path)
    fresh.rename(path)
    return Mended(aside, carried)


async def make_fresh(path: Path) -> None:
    """Make an empty database with our tables; raises StorageError, OSError."""
    remove(path)
    await (await open_database(f"sqlite:///{path}")).close()


def remove(path: Path) -> None:
    """Remove a file of ours and what belongs to it; raises OSError."""
    for one in (path, *(Path(f"{path}{suffix}") for suffix in _SUFFIXES)):
        one.unlink(missing_ok=True)


def set_aside(path: Path) -> Path:
    """Rename a damaged file and what belongs to it; return its new name. Raises OSError."""
    stem = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    aside, number = stem, 1
    while aside.exists():
        number += 1
        aside = stem.with_name(f"{stem.name}-{number}")
    for suffix in _SUFFIXES:
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    path.rename(aside)
    return aside


def found_aside(path: Path) -> list[Path]:
    """Find what was set aside of a database's file, oldest first."""
    return sorted(one for one in path.parent.glob(f"{path.name}.damaged-*") if not one.name.endswith(_SUFFIXES))


def carry_over(source: Path, target: Path, *, everything: bool = False) -> Carried:
    """Copy what can be read into another file with our tables; what that has already is replaced.

    Without `everything` what is needed to go on: reports that wait or were refused, the latest of the others, live
    calls, and all of the small tables. Raises StorageError if the target cannot be written: then it is unchanged.
    """
    try:
        return _carry_over(source, target, everything)
    except sqlite3.Error as fault:
        raise StorageError(f"database {target}: {in_words(fault)}") from fault


def _carry_over(source: Path, target: Path, everything: bool) -> Carried:
    since = time.time() - KEPT
    which = {
        "outbox": f"state IN ('waiting', 'dead') OR created > {since}",
        "journal": _LIVE,
        "journal_channels": "live",
    }
    rows: dict[str, int] = {}
    whole = True
    with _readable(source, target) as readable, closing(sqlite3.connect(target, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for table in metadata.sorted_tables:
            reader = _Reader(readable, table, "" if everything else which.get(table.name, ""))
            rows[table.name] = _insert(connection, table, reader.rows())
            whole &= reader.whole
        connection.execute("DELETE FROM journal_channels WHERE journal_id NOT IN (SELECT id FROM journal)")
        if not whole:
            _begin_anew(connection)
        connection.execute("COMMIT")
    return Carried(rows, whole)


def _insert(connection: sqlite3.Connection, table: Table, rows: Iterator[dict[str, object]]) -> int:
    count = 0
    for row in rows:
        names = ", ".join(row)
        values = ", ".join("?" * len(row))
        with suppress(sqlite3.IntegrityError):  # a value is missing that must be there
            connection.execute(f"INSERT OR REPLACE INTO {table.name} ({names}) VALUES ({values})", list(row.values()))  # noqa: S608
            count += 1
    return count


def _begin_anew(connection: sqlite3.Connection) -> None:
    """Let reports be numbered from a number on that none had before: one that is on its way must not be another."""
    number = int(time.time() * 1e6)
    values = {
        "id": number,
        "kind": "event",
        "pbx": "",
        "callid": f"damaged-{number}",
        "extension": "",
        "part": 0,
        "stage": "",
        "client": "",
        "at": time.time(),
        "payload": "{}",
        "state": "dropped",
        "next_at": 0.0,
        "answer": "the database was damaged: reports before may be missing",
        "created": time.time(),
        "settled": time.time(),
    }
    _insert(connection, outbox, iter([values]))


class _readable:  # noqa: N801 - a context manager that is used like a function
    """Gives a file that SQLite opens: the damaged one, or a copy whose first bytes are put right."""

    def __init__(self, source: Path, like: Path) -> None:
        self._source = source
        self._like = like
        self._copy: Path | None = None

    def __enter__(self) -> Path:
        with suppress(OSError):
            with self._source.open("rb") as file:
                begin = file.read(_HEADER)
            if len(begin) == _HEADER and not begin.startswith(_MAGIC):
                self._copy = self._put_right()
        return self._copy or self._source

    def __exit__(self, *_: object) -> None:
        if self._copy is not None:
            with suppress(OSError):
                remove(self._copy)

    def _put_right(self) -> Path:
        copy = self._like.with_name(f"{self._like.name}.copy")
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{self._source}{suffix}", f"{copy}{suffix}")
        header = bytearray(self._like.read_bytes()[:_HEADER])
        page = int.from_bytes(header[16:18], "big")
        header[28:32] = (copy.stat().st_size // page).to_bytes(4, "big")  # pages
        header[32:40] = bytes(8)  # none of them free
        header[92:96] = header[24:28]  # the number of pages is right
        with copy.open("r+b") as file:
            file.write(header)
        return copy


class _Reader:
    """One table of a damaged file."""

    def __init__(self, path: Path, table: Table, which: str) -> None:
        self.whole = True
        self._path = path
        self._table = table
        self._which = which or "1"
        self._unreachable = False
        self._begin = 0
        """The number of the row that is read next."""

    def rows(self) -> Iterator[dict[str, object]]:
        """Give what can be read: past broken pages where rows have numbers, else from both ends."""
        keys = [column.name for column in self._table.primary_key]
        if keys != ["id"]:
            yield from self._read(", ".join(keys))
            if not self.whole:
                yield from self._read(", ".join(f"{key} DESC" for key in keys))
            return
        hop = 0
        while hop < FURTHEST_HOP and not self._unreachable:
            before = self._begin
            self.whole = True
            yield from self._read("id", f"id >= {before}")
            if self.whole:
                break
            hop = 2 * hop or 1 if self._begin == before else 1
            self._begin += hop
        self.whole = hop == 0

    def _read(self, order: str, where: str = "1") -> Iterator[dict[str, object]]:
        query = f"SELECT *, {self._which} FROM {self._table.name} NOT INDEXED WHERE {where} ORDER BY {order}"  # noqa: S608
        try:
            with closing(_open_to_read(self._path)) as source:
                source.text_factory = lambda raw: raw.decode(errors="replace")
                source.execute("PRAGMA writable_schema = ON")  # else a file that was cut short is not read at all
                cursor = source.execute(query)
                names = [column[0] for column in cursor.description[:-1]]
                for *values, wanted in cursor:
                    row = {name: value for name, value in zip(names, values, strict=True) if name in self._table.c}
                    if "id" in row:
                        self._begin = int(row["id"]) + 1
                    if wanted:
                        yield row
        except sqlite3.Error as fault:
            self.whole = False
            self._unreachable = not is_damage(fault)
        except ValueError:
            self.whole = False


def _open_to_read(path: Path) -> sqlite3.Connection:
    """Open a file that nobody writes, on a disk that may be full or take no writing at all."""
    log = Path(f"{path}-wal")
    # With something in its write-ahead log SQLite needs more files beside it; without it can do with this one alone.
    how = "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"
    return sqlite3.connect(f"file:{quote(str(path))}?{how}", uri=True, timeout=1.0)
