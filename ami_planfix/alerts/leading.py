"""Which of several daemons on one database tells what concerns them all: the one that has been there longest."""

from ami_planfix.errors import StorageError
from ami_planfix.following import Following
from ami_planfix.storage.database import Database


class Leading:
    """This daemon among them."""

    def __init__(self, database: Database, pbx: str) -> None:
        self._following = Following(database, f"alerts {pbx}")
        self._joined = False

    async def leads(self) -> bool:
        """Tell whether it is this one; who cannot know is not."""
        try:
            if not self._joined:
                await self._following.begin()
                self._joined = True
            return await self._following.seniors() == 0
        except StorageError:
            await self.end()
            return False

    async def end(self) -> None:
        """Leave it to the others."""
        self._joined = False
        await self._following.end()
