import asyncio
import os
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from pydantic import SecretStr

from ami_planfix.backfill import csvfiles
from ami_planfix.backfill.reading import Found, Reader
from ami_planfix.backfill.records import BadRecordError, Value, cel_of
from ami_planfix.backfill.times import WallClock
from ami_planfix.config.model import Backfill as Section
from ami_planfix.errors import BackfillError
from tests.backfill.making import NOW, cdr_row, cel_rows, csv_line

DAY = 86400.0


def reader(cdr: str = "", cel: str = "", timezone: str = "UTC") -> Reader:
    return Reader(Section(cdr=SecretStr(cdr), cel=SecretStr(cel), timezone=timezone))


async def read(one: Reader, since: float = NOW - DAY, until: float = NOW + DAY) -> Found:
    return await one.read(since, until)


def fill(path: Path, table: str, rows: Iterable[dict[str, Value]], types: str = "") -> str:
    """Make a table with these rows, as Asterisk would; tell its URL."""
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    with sqlite3.connect(path) as connection:
        columns = ", ".join(f"{name} {'DATETIME' if name in types.split() else 'TEXT'}" for name in names)
        connection.execute(f"CREATE TABLE {table} ({columns})")
        marks = ", ".join("?" for _ in names)
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", [[row.get(n) for n in names] for row in rows])
    connection.close()
    return f"sqlite:///{path}"


class TestNonsense:
    """What a broken Asterisk writes, or whoever has taken its database over."""

    @pytest.mark.parametrize(
        "wrong",
        [
            {"eventtime": "inf"}, {"eventtime": "nan"}, {"eventtime": "1e400"}, {"eventtime": "0001-01-01"},
            {"eventtime": "9999-12-31 23:59:59"}, {"linkedid": "1" * 300}, {"linkedid": "a b"}, {"uniqueid": "1" * 300},
        ],
    )  # fmt: skip
    def test_is_no_event(self, wrong: dict[str, Value]) -> None:
        row = cel_rows()[0]
        cel_of(row, WallClock("UTC").read)
        with pytest.raises(BadRecordError):
            cel_of(row | wrong, WallClock("UTC").read)

    @pytest.mark.parametrize("extra", ['{"a":' * 100_000, "[" * 100_000, '{"a": "\\ud800"}', "9" * 5000])
    async def test_tells_nothing_more(self, tmp_path: Path, extra: str) -> None:
        first, *others = cel_rows()
        url = fill(tmp_path / "cel.db", "cel", [first | {"extra": extra, "eventtype": "9" * 5000}, *others])
        for one in (await read(reader(cel=url))).cels:
            assert all(text.encode() is not None for text in one.extra.values())

    @pytest.mark.parametrize("wrong", [{"duration": "1e308"}, {"billsec": "nan"}, {"sequence": "1e300"}])
    async def test_is_no_record(self, tmp_path: Path, wrong: dict[str, Value]) -> None:
        url = fill(tmp_path / "cdr.db", "cdr", [cdr_row(1) | wrong, cdr_row(2)])
        found = await read(reader(cdr=url))
        assert [one.sequence for one in found.cdrs] == [2]


class TestTables:
    async def test_rows_of_the_shape_of_freepbx_are_read(self, tmp_path: Path) -> None:
        row = cdr_row(1, answer=NOW + 2, did="74951230009", outbound_cnum="", recordingfile="in-1.wav")
        url = fill(tmp_path / "cdr.db", "cdr", [row], types="calldate")
        [one] = (await read(reader(cdr=url))).cdrs
        assert (one.start, one.answer, one.end, one.talk) == (NOW, NOW + 2, NOW + 5, 3)
        assert (one.caller, one.did, one.recording) == ("79101234567", "74951230009", "in-1.wav")

    async def test_only_the_time_that_is_asked_for_is_read(self, tmp_path: Path) -> None:
        rows = [cdr_row(n, start=NOW + n * 7200) for n in range(-5, 6)]
        url = fill(tmp_path / "cdr.db", "cdr", rows)
        found = await read(reader(cdr=url), NOW - 100, NOW + 100)
        assert [one.sequence for one in found.cdrs] == [0]

    async def test_channel_events_with_epoch_times_are_read_in_order(self, tmp_path: Path) -> None:
        rows = [{**row, "eventtime": f"{row['eventtime']:.6f}"} for row in cel_rows()]
        url = fill(tmp_path / "cel.db", "cel", rows)
        found = await read(reader(cel=url))
        assert [one.kind for one in found.cels][:3] == ["CHAN_START", "APP_START", "CHAN_START"]
        assert found.cels[0].at == NOW

    async def test_a_bad_row_is_skipped_and_said(self, tmp_path: Path) -> None:
        rows = [
            cdr_row(1),
            {**cdr_row(2), "uniqueid": ""},
            {**cdr_row(3), "duration": "long"},
            {**cdr_row(4), "uniqueid": "\n"},
        ]
        found = await read(reader(cdr=fill(tmp_path / "cdr.db", "cdr", rows)))
        assert [one.sequence for one in found.cdrs] == [1]
        assert found.bad == {"no uniqueid": 2, "duration is no number": 1}

    async def test_the_file_is_never_made_nor_written(self, tmp_path: Path) -> None:
        with pytest.raises(BackfillError, match="unable to open database file"):
            await read(reader(cdr=f"sqlite:///{tmp_path}/none.db"))
        assert not os.listdir(tmp_path)
        for thread in threading.enumerate():  # the driver does not wait for its own, which still speaks to this loop
            if "_connection_worker_thread" in thread.name:
                await asyncio.to_thread(thread.join)

    async def test_another_table_is_said(self, tmp_path: Path) -> None:
        url = fill(tmp_path / "cdr.db", "calls", [cdr_row(1)])
        with pytest.raises(BackfillError, match=r"table cdr of sqlite:.*: cdr"):
            await read(reader(cdr=url))

    async def test_a_table_without_times_is_said(self, tmp_path: Path) -> None:
        url = fill(tmp_path / "cdr.db", "cdr", [{"uniqueid": "1.1"}])
        with pytest.raises(BackfillError, match="no column eventtime, calldate or start"):
            await read(reader(cdr=url))

    async def test_a_password_is_in_no_error(self) -> None:
        with pytest.raises(BackfillError) as caught:
            await read(reader(cdr="postgresql://me:my-secret@127.0.0.1:1/cdr"))
        assert "my-secret" not in str(caught.value)


class TestZones:
    async def test_a_zone_that_is_wrong_by_hours_is_found_out(self, tmp_path: Path) -> None:
        url = fill(tmp_path / "cdr.db", "cdr", [cdr_row(n, start=NOW + n) for n in range(3)])
        with pytest.raises(BackfillError, match=r"backfill.cdr: its times are -3 h .* set backfill.timezone"):
            await read(reader(cdr=url, timezone="Europe/Moscow"))


class TestKinds:
    async def test_events_that_lack_a_kind_are_said(self, tmp_path: Path) -> None:
        rows = [row for n in range(9) for row in cel_rows(10 * n) if row["eventtype"] != "CHAN_START"]
        url = fill(tmp_path / "cel.db", "cel", rows)
        with pytest.raises(BackfillError, match="no CHAN_START among its events"):
            await read(reader(cel=url))

    async def test_kinds_as_numbers_are_understood(self, tmp_path: Path) -> None:
        rows = [{**row, "eventtype": "1"} for row in cel_rows()[:1]]
        [one] = (await read(reader(cel=fill(tmp_path / "cel.db", "cel", rows)))).cels
        assert one.kind == "CHAN_START"


class TestFiles:
    async def test_the_end_of_a_long_file_is_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(csvfiles, "BLOCK", 1000)
        path = tmp_path / "Master.csv"
        path.write_text("".join(csv_line(cdr_row(n, start=NOW + 60 * n)) for n in range(500)))
        read_at: list[int] = []
        pread = os.pread

        def watched(descriptor: int, size: int, at: int) -> bytes:
            read_at.append(at)
            return pread(descriptor, size, at)

        monkeypatch.setattr(os, "pread", watched)
        found = await read(reader(cdr=str(path)), NOW + 60 * 490, NOW + DAY)
        assert [one.sequence for one in found.cdrs] == list(range(490, 500))
        assert min(read_at) > 100_000

    async def test_a_short_file_is_read_from_its_first_line(self, tmp_path: Path) -> None:
        path = tmp_path / "Master.csv"
        path.write_text("".join(csv_line(cdr_row(n)) for n in range(3)))
        assert [one.sequence for one in (await read(reader(cdr=str(path)))).cdrs] == [0, 1, 2]

    async def test_a_line_that_is_being_written_is_left_for_the_next_time(self, tmp_path: Path) -> None:
        path = tmp_path / "Master.csv"
        path.write_text(csv_line(cdr_row(1)) + csv_line(cdr_row(2))[:-1])
        found = await read(reader(cdr=str(path)))
        assert ([one.sequence for one in found.cdrs], found.bad) == ([1], {})

    async def test_what_is_no_row_is_skipped_and_said(self, tmp_path: Path) -> None:
        path = tmp_path / "Master.csv"
        path.write_bytes(b'\xff\xfe\n,,,\n"\n' + csv_line(cdr_row(1)).encode())
        found = await read(reader(cdr=str(path)))
        assert [one.sequence for one in found.cdrs] == [1]
        assert found.bad == {"other columns than expected": 3}

    async def test_a_file_that_is_not_there_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(BackfillError, match=r"Master.csv: cannot be read: No such file"):
            await read(reader(cdr=str(tmp_path / "Master.csv")))

    @pytest.mark.parametrize(
        ("count", "more"),
        [(16, ()), (17, ("uniqueid",)), (18, ("uniqueid", "userfield")), (21, csvfiles._NEW)],
    )
    def test_columns_are_those_that_asterisk_was_told_to_write(self, count: int, more: tuple[str, ...]) -> None:
        row = ["", "1", "2", "ctx", "clid", "PJSIP/101-1", *[""] * (count - 6)]
        found = csvfiles.cdr_columns(row)
        assert len(found) == count
        assert found[-len(more) :] == more if more else found[-1] == "amaflags"

    def test_columns_of_the_sample_of_cdr_custom_are_known(self) -> None:
        row = ["clid", "1", "2", "ctx", "PJSIP/101-1", *[""] * 14]
        assert csvfiles.cdr_columns(row)[-1] == "sequence"
        assert csvfiles.cdr_columns(["no", "columns"]) == ()
