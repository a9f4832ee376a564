"""The PBX's own phones: asked of Asterisk at every connect, remembered across restarts.

Remembered, because what the journal replays at start must find the same owners of channels as it did before,
and Asterisk may be away then.
"""

import json

import structlog

from ami_planfix.ami.endpoints import Asker, devices
from ami_planfix.errors import AmiError, StorageError
from ami_planfix.numbering import Numbering
from ami_planfix.storage.settings import Settings

log = structlog.get_logger("ami_planfix.phones")

DEVICES = "devices"
"""Its name in storage."""


class Phones:
    """Keeps the directory's knowledge of the PBX's phones up to date."""

    def __init__(self, numbering: Numbering, settings: Settings) -> None:
        self._numbering = numbering
        self._settings = settings
        self._known: list[tuple[str, str | None]] = []

    async def load(self) -> None:
        """Take what the last connection told; raises StorageError."""
        kept = await self._settings.read((DEVICES,))
        self._take(_read(kept.get(DEVICES, "")))

    @property
    def known(self) -> list[tuple[str, str | None]]:
        """Tell devices and their extensions, as Asterisk told them last."""
        return self._known

    async def ask(self, asker: Asker) -> None:
        """Ask Asterisk; what it does not tell now is what it told last."""
        try:
            found = await devices(asker)
        except AmiError as fault:
            log.warning("phones not asked", reason=str(fault), consequence="those known before are used")
            return
        told = [(device.name, device.extension) for device in found]
        if told == self._known:
            return
        self._take(told)
        log.info("phones learned", devices=len(told))
        try:
            await self._settings.write({DEVICES: json.dumps(told)})
        except StorageError as fault:
            log.warning("phones not kept", reason=str(fault))

    def _take(self, told: list[tuple[str, str | None]]) -> None:
        self._known = told
        self._numbering.learn(told)


def _read(text: str) -> list[tuple[str, str | None]]:
    try:
        items = json.loads(text) if text else []
    except ValueError:
        return []
    return [(str(name), None if extension is None else str(extension)) for name, extension in items]
