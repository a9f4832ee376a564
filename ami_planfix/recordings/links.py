"""The link to a call's recording: what makes it hard to guess, and addresses at other places."""

import hashlib
import hmac
import json
import secrets
from datetime import datetime
from pathlib import PurePosixPath
from urllib.parse import quote

from ami_planfix.storage.settings import Settings

PATH = "/recordings"
KEY = "recordings.key"
"""Its name in storage."""
SIGNATURE = 32
"""Characters of a signature: 128 bits in hexadecimal."""
NOBODYS = f"{'0' * SIGNATURE}/doctor.mp3"
"""A link to nothing: doctor asks for it, to see whether the way leads here."""


class Links:
    """Signs and checks links; `load` first."""

    def __init__(self, settings: Settings, public_url: str) -> None:
        self._settings = settings
        self._base = public_url + PATH
        self._key = b""

    async def load(self) -> None:
        """Read the key from storage, making one at the first start."""
        self._key = bytes.fromhex(await self._settings.keep_first(KEY, secrets.token_hex(32)))

    async def refresh(self) -> None:
        """Read the key again: another daemon on the same database may have renewed it."""
        self._key = bytes.fromhex((await self._settings.read((KEY,)))[KEY])

    async def renew(self) -> None:
        """Make a new key: no link that was given before is good any more."""
        await self._settings.write({KEY: secrets.token_hex(32)})
        await self.refresh()

    def signature(self, callid: str, file: str) -> str:
        """Sign a call's id together with the name of its first recording."""
        return hmac.new(self._key, json.dumps([callid, file]).encode(), hashlib.sha256).hexdigest()[:SIGNATURE]

    def is_signed(self, signature: str, callid: str, file: str) -> bool:
        """Compare a signature in a time that does not depend on how much of it is right."""
        return hmac.compare_digest(signature.encode(), self.signature(callid, file).encode())

    def link(self, callid: str, file: str, extension: str) -> str:
        """Write the link; `extension` (`.mp3`) is for people and players, it is not signed."""
        return f"{self._base}/{self.signature(callid, file)}/{quote(callid, safe='')}{extension}"


def elsewhere(template: str, callid: str, relative: PurePosixPath, at: float) -> str:
    """Fill in `recordings.url`; `at` is the end of the call, seconds since the epoch."""
    day = datetime.fromtimestamp(at).astimezone()
    values = {
        "path": quote(str(relative)),
        "name": quote(relative.name, safe=""),
        "callid": quote(callid, safe=""),
        "year": day.strftime("%Y"),
        "month": day.strftime("%m"),
        "day": day.strftime("%d"),
    }
    return template.format_map(values)
