"""What can be wrong with where reports wait: caused, found, mended as advised."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from ami_planfix.doctor import storage
from ami_planfix.doctor.finding import Fault, Sign
from ami_planfix.storage.schema import HEAD
from tests.doctor.bed import Bed, nobody

ALL = ("storage", "disk")


async def test_all_is_well_before_during_and_after(bed: Bed) -> None:
    assert (await bed.findings("storage"))[0].sign is Sign.UNTRIED
    assert not (bed.folder / "state.db").exists()
    async with bed.daemon():
        assert [finding.sign for finding in await bed.findings("storage")] == [Sign.WELL]
    await bed.is_well(*ALL)


async def test_a_file_that_is_no_database(bed: Bed) -> None:
    bed.sections["storage"]["url"] = f"sqlite:///{bed.folder}/letter.txt"
    (bed.folder / "letter.txt").write_text("this is no database" * 100)
    await bed.has(storage.AWAY, "storage")


async def test_a_damaged_database(bed: Bed) -> None:
    (bed.folder / "state.db").write_bytes(b"this is no database, whatever its name says" * 100)
    await bed.has(storage.DAMAGED, "storage")
    async with bed.daemon():
        finding = await bed.has(storage.WAS_DAMAGED, "storage")
    assert "state.db.damaged-" in finding.remedy
    for file in bed.folder.glob("state.db.damaged-*"):
        file.unlink()
    await bed.is_well("storage")


async def test_a_server_that_is_away_and_its_password_in_no_finding(bed: Bed) -> None:
    bed.sections["storage"]["url"] = f"postgresql://planfix:hush-hush@127.0.0.1:{bed.port}/planfix"
    finding = await bed.has(storage.AWAY, "storage")
    assert "hush-hush" not in str(finding)


async def test_tables_of_a_newer_version(bed: Bed) -> None:
    async with bed.daemon():
        pass
    change(bed.folder / "state.db", "9999")
    await bed.has(storage.NEWER, "storage")
    change(bed.folder / "state.db", HEAD)
    await bed.is_well("storage")


async def test_tables_of_an_older_version_are_no_fault(bed: Bed) -> None:
    async with bed.daemon():
        pass
    change(bed.folder / "state.db", "0001")
    assert (await bed.findings("storage"))[0].sign is Sign.UNTRIED


@pytest.mark.parametrize(
    ("megabytes", "fault"), [(10, storage.FULL), (500, storage.LITTLE), (5000, None)], ids=["full", "little", "enough"]
)
async def test_room_on_the_disk(bed: Bed, monkeypatch: pytest.MonkeyPatch, megabytes: int, fault: Fault | None) -> None:
    usage = shutil.disk_usage(bed.folder)._replace(free=megabytes * 1024**2)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert await bed.faults("disk") == ([fault.name] if fault else [])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
async def test_a_folder_that_is_not_the_daemons(bed: Bed) -> None:
    async with bed.daemon():
        pass
    bed.user = nobody()
    finding = await bed.has(storage.RIGHTS, *ALL)
    assert f"chown -R nobody: {bed.folder}" in finding.remedy
    os.chown(bed.folder, bed.user.uid, bed.user.gid)
    await bed.has(storage.RIGHTS, *ALL)
    os.chown(bed.folder / "state.db", bed.user.uid, bed.user.gid)
    await bed.is_well(*ALL)


def change(file: Path, version: str) -> None:
    with sqlite3.connect(file) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (version,))
    database.close()
