"""Opens a database and sees to it that its tables are those of this version."""

from enum import StrEnum

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ami_planfix.errors import StorageRefused
from ami_planfix.storage.database import Database

HEAD = "0004"
"""The newest step in `migrations/versions`."""
_MIGRATING = 0x616D6970
"""PostgreSQL: the advisory lock of daemons that start at once."""


class Standing(StrEnum):
    """How a database's tables are against those of this version."""

    CURRENT = "current"
    OLDER = "older"
    """`open_database` brings them up to date."""
    NEWER = "newer"


async def standing(database: Database) -> Standing:
    """Tell how its tables are, changing nothing; raises StorageError."""
    async with database.read() as connection:
        version = await connection.run_sync(_version)
    if version == HEAD:
        return Standing.CURRENT
    return Standing.OLDER if version < HEAD else Standing.NEWER


async def open_database(url: str, durable: bool = False, most: int = 0) -> Database:
    """Open the database of `storage.url`, bringing its tables up to date if needed; raise StorageError.

    `most`: bytes to which a file may grow, 0: without limit.
    """
    database = Database(url, durable, most)
    try:
        async with database.read() as connection:
            version = await connection.run_sync(_version)
        if version != HEAD:
            async with database.change_tables() as connection:
                await _upgrade(connection, database)
        await database.measure_clock()
    except BaseException:
        await database.close()
        raise
    return database


def _version(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")


async def _upgrade(connection: AsyncConnection, database: Database) -> None:
    # Alembic costs 15 MB of memory and half a second, on one start in a hundred.
    from ami_planfix.storage import migrations  # noqa: PLC0415

    if not database.is_sqlite:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
    version = await connection.run_sync(_version)
    if version and version not in migrations.steps():
        raise StorageRefused(
            f"the database was written by a newer ami-planfix (its tables are of step {version}, "
            f"this version knows {HEAD}): install the newer version again, or use another storage.url"
        )
    await connection.run_sync(migrations.upgrade)
