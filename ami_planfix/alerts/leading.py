"""Which of several daemons on one database tells what concerns them all: the one that has been there longest."""

import asyncio
import time

from ami_planfix.errors import StorageError
from ami_planfix.following import Following
from ami_planfix.storage.database import Database


class Leading:
    """This daemon among them."""

    def __init__(self, database: Database, pbx: str) -> None:
        self._following = Following(database, f"alerts {pbx}")
        self._beginning: asyncio.Task[None] | None = None
        """It waits for a database that is away; who asks does not."""

    async def leads(self) -> bool:
        """Tell whether it is this one; who cannot know is not."""
        if self._beginning is None:
            self._beginning = asyncio.create_task(self._following.begin(time.time()))
        try:
            return await self._following.seniors() == 0
        except StorageError:
            return False

    async def end(self) -> None:
        """Leave it to the others."""
        if self._beginning is not None:
            self._beginning.cancel()
            await asyncio.gather(self._beginning, return_exceptions=True)
        await self._following.end()
