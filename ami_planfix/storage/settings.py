"""What the daemon was told while it ran and must not forget: a few named texts.

What it has read or written it knows: should the database be damaged, and the texts with it, they are written anew.
"""

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import delete, select

from ami_planfix.storage.database import Database
from ami_planfix.storage.notices import Topic
from ami_planfix.storage.tables import settings as rows


class Settings:
    """The settings of one PBX (`ami.name`); other daemons on it hear of each change."""

    def __init__(self, database: Database, pbx: str = "") -> None:
        self._database = database
        self._pbx = pbx
        self._known: dict[str, str] = {}
        database.when_renewed(self._restore)

    async def read(self, names: Iterable[str]) -> dict[str, str]:
        """Tell those of the named settings that are known."""
        query = select(rows.c.name, rows.c.value).where(rows.c.pbx == self._pbx, rows.c.name.in_(names))
        async with self._database.read() as connection:
            found = {row.name: row.value for row in await connection.execute(query)}
        self._known |= found
        return found

    async def write(self, values: Mapping[str, str]) -> None:
        """Keep all of these, so that a power cut does not lose them either."""
        kept = [{"pbx": self._pbx, "name": name, "value": value} for name, value in values.items()]
        insert = self._database.insert(rows).values(kept)
        change = insert.on_conflict_do_update(index_elements=["pbx", "name"], set_={"value": insert.excluded.value})
        async with self._database.write() as connection:
            await connection.execute(change)
            await self._database.notify(connection, Topic.SETTINGS, self._pbx)
        await self._database.sync()
        self._known |= values

    async def keep_first(self, name: str, value: str) -> str:
        """Keep a value unless there is one already, from another daemon perhaps; return the one that is kept."""
        known = (await self.read((name,))).get(name)
        if known is not None:
            return known
        fresh = self._database.insert(rows).values(pbx=self._pbx, name=name, value=value)
        async with self._database.write() as connection:
            await connection.execute(fresh.on_conflict_do_nothing())
        await self._database.sync()
        return (await self.read((name,)))[name]

    async def remove(self, names: Collection[str]) -> None:
        """Forget these."""
        async with self._database.write() as connection:
            await connection.execute(delete(rows).where(rows.c.pbx == self._pbx, rows.c.name.in_(names)))
            await self._database.notify(connection, Topic.SETTINGS, self._pbx)
        for name in names:
            self._known.pop(name, None)

    async def _restore(self) -> None:
        kept = [{"pbx": self._pbx, "name": name, "value": value} for name, value in self._known.items()]
        if kept:
            async with self._database.write() as connection:
                await connection.execute(self._database.insert(rows).values(kept).on_conflict_do_nothing())
