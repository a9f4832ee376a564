"""What the daemon was told while it ran and must not forget: a few named texts."""

from collections.abc import Iterable, Mapping

from sqlalchemy import delete, insert, select

from ami_planfix.storage.database import Database
from ami_planfix.storage.tables import settings


async def read_settings(database: Database, names: Iterable[str]) -> dict[str, str]:
    """Tell those of the named settings that are known."""
    query = select(settings.c.name, settings.c.value).where(settings.c.name.in_(names))
    async with database.read() as connection:
        return {row.name: row.value for row in await connection.execute(query)}


async def write_settings(database: Database, values: Mapping[str, str]) -> None:
    """Keep all of these, so that a power cut does not lose them either."""
    async with database.write() as connection:
        await connection.execute(delete(settings).where(settings.c.name.in_(values)))
        await connection.execute(insert(settings), [{"name": n, "value": v} for n, v in values.items()])
    await database.sync()


async def remove_settings(database: Database, names: Iterable[str]) -> None:
    """Forget these."""
    async with database.write() as connection:
        await connection.execute(delete(settings).where(settings.c.name.in_(names)))
