"""What other daemons have just written, heard at once (PostgreSQL's LISTEN); with SQLite there are none."""

import asyncio
from collections.abc import Callable
from enum import StrEnum

import structlog

from ami_planfix.errors import StorageError
from ami_planfix.storage.database import Database

log = structlog.get_logger("ami_planfix.storage")

PAUSE = 1.0
"""Seconds until the server is asked to be heard again."""


class Topic(StrEnum):
    """What may have been written."""

    REPORTS = "reports"
    SETTINGS = "settings"


class Notices:
    """Tells whom it concerns, of one PBX (`ami.name`)."""

    def __init__(self, database: Database, pbx: str = "") -> None:
        self._database = database
        self._pbx = pbx
        self._listeners: dict[Topic, list[Callable[[], None]]] = {topic: [] for topic in Topic}

    def listen(self, topic: Topic, listener: Callable[[], None]) -> None:
        """Call `listener` when others have written; also when they may have, unheard."""
        self._listeners[topic].append(listener)

    async def run(self) -> None:
        """Listen, and listen again when the connection was lost, until cancelled."""
        if self._database.is_sqlite:
            return
        failing = False
        while True:
            try:
                async with self._database.listening(self._heard) as gone:
                    if failing:
                        log.info("other daemons heard again")
                    failing = False
                    for topic in Topic:
                        self._tell(topic)
                    await gone
            except StorageError as fault:
                if not failing:
                    log.warning("other daemons not heard", error=str(fault), again_in=PAUSE)
                failing = True
            await asyncio.sleep(PAUSE)

    def _heard(self, topic: str, pbx: str) -> None:
        if pbx == self._pbx and topic in self._listeners:
            self._tell(Topic(topic))

    def _tell(self, topic: Topic) -> None:
        for listener in self._listeners[topic]:
            listener()
