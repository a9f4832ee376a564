"""Asterisk's own records (CEL, CDR) as a broken Asterisk or a poisoned database has them, read for the backfill."""

import csv
import io
import json
import tempfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Self

from pydantic import SecretStr

from ami_planfix.backfill.deciding import derive
from ami_planfix.backfill.grouping import group
from ami_planfix.backfill.reading import Reader
from ami_planfix.config.model import Backfill
from ami_planfix.errors import BackfillError
from ami_planfix.planfix.messages import as_json_line
from tests.backfill.cases import CASES, load, names
from tests.fuzz.mutation import damaged, poison
from tests.fuzz.target import Target

WORDS = (
    b"0000-00-00 00:00:00", b"9999-12-31 23:59:59", b"2026-03-29 02:30:00+99:00", b"CHAN_START", b"HANGUP",
    b'{"a":' * 2000, b'{"channel2_uniqueid":"\\ud800"}', b"1795441050.1", b"PJSIP/101-00000001",
    b"Local/101@x-00000001;2", b"LINKEDID_END",
)  # fmt: skip
ROOM = {"callid": 200, "extension": 64, "client": 64}
"""Characters that the outbox has for them."""
_BETWEEN = b"\n=====\n"


class HostileRecords(Target):
    """Whatever the rows say: they are skipped, or lead to reports that a database takes."""

    name = "records"
    about = "Asterisk's own records for the backfill: poisoned cells, damaged files, rows lost, doubled, out of order"

    async def __aenter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-")
        self._cel, self._cdr = (Path(self._folder.name) / f"{kind}.csv" for kind in ("cel", "cdr"))
        section = Backfill(cel=SecretStr(str(self._cel)), cdr=SecretStr(str(self._cdr)), timezone="UTC")
        self._section = section
        return self

    async def __aexit__(self, *_: object) -> None:
        self._folder.cleanup()

    def make(self, random: Random) -> bytes:
        """Make the two files; the first line says whose calls they are of."""
        name = random.choice(names())
        files = [_poisoned(random, rows) for rows in _rows(name)]
        if random.random() < 0.3:
            files = [damaged(random, file, WORDS) for file in files]
        return _BETWEEN.join([name.encode(), *files])

    async def attempt(self, data: bytes) -> None:
        """Read them and conclude from them as the backfill does."""
        name, cel, cdr = [*data.split(_BETWEEN), b"", b""][:3]
        self._cel.write_bytes(cel)
        self._cdr.write_bytes(cdr)
        try:
            found = await Reader(self._section).read(0, 4e9)
        except BackfillError:
            return
        story = load(name.decode()).story
        for one in group(found.cels, found.cdrs):
            for report in derive(one, story.tracker()):
                line = as_json_line(report)
                assert "\\u0000" not in line, f"PostgreSQL takes no NUL: {line!r}"
                line.encode()
                for column, room in ROOM.items():
                    assert len(getattr(report, column)) <= room, f"no room: {line!r}"


@cache
def _rows(name: str) -> tuple[list[list[str]], list[list[str]]]:
    found = json.loads((CASES / f"{name}.json").read_text("utf-8"))
    return list(csv.reader(found["cel"])), list(csv.reader(found["cdr"]))


def _poisoned(random: Random, rows: list[list[str]]) -> bytes:
    """Write rows as a file, some cells of which say what they should not."""
    rows = [list(row) for row in rows]
    for _ in range(random.randint(0, 6) if rows else 0):
        at = random.randrange(len(rows))
        match random.randrange(6):
            case 0:
                rows.insert(random.randint(0, len(rows)), rows[at])
            case 1 if len(rows) > 1:
                del rows[at]
            case 2:
                rows.insert(random.randint(0, len(rows)), rows.pop(at))
            case _:
                cell = random.randrange(len(rows[at]))
                other = random.choice(random.choice(rows))
                said = poison(random, WORDS).decode("utf-8", "replace")
                rows[at][cell] = random.choice((said, said, other))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
