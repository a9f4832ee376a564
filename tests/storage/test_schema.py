import asyncio
import os
import sqlite3
import stat
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from ami_planfix.errors import StorageError
from ami_planfix.storage import migrations
from ami_planfix.storage.schema import HEAD, open_database
from ami_planfix.storage.tables import metadata


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def test_a_fresh_database_has_exactly_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    async with await open_database(f"sqlite:///{tmp_path}/state.db") as database, database.read() as connection:
        assert await connection.run_sync(differences) == []


def test_head_is_the_newest_step() -> None:
    assert migrations.steps()[0] == HEAD


async def test_a_database_opens_again_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    await (await open_database(url)).close()
    program = (
        "import asyncio, sys\n"
        "from ami_planfix.storage.schema import open_database\n"
        "async def main():\n"
        "    async with await open_database(sys.argv[1]): pass\n"
        "asyncio.run(main())\n"
        "sys.exit('alembic' in sys.modules)\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, url)
    assert await process.wait() == 0


async def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    async with await open_database(f"sqlite:///{tmp_path}/state.db"):
        modes = {stat.S_IMODE(entry.stat().st_mode) for entry in os.scandir(tmp_path)}
    assert modes == {0o600}


async def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    await (await open_database(f"sqlite:///{path}")).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StorageError, match=r"written by a newer ami-planfix \(its tables are of step 9999"):
        await open_database(f"sqlite:///{path}")


async def test_a_step_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.db"
    real = migrations.upgrade

    def half(connection: Connection) -> None:
        real(connection)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(migrations, "upgrade", half)
    with pytest.raises(StorageError, match="the disk is full"):
        await open_database(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()
