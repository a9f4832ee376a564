"""The loop that looks at what is wrong, and the tellers, one for each way: each tells what it owes, and tries again.

What is the same for all daemons on one database (`SHARED`) is looked at and told by the one that has been there
longest; each tells of its own machine. A way that is away when something begins and back when it is over tells both in
one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress

import structlog

from ami_planfix.alerts.book import Book
from ami_planfix.alerts.deciding import Alert, Judge, Stage
from ami_planfix.alerts.looking import SHARED, Looking, Trouble
from ami_planfix.alerts.message import Place, message_of
from ami_planfix.alerts.phrases import PHRASES
from ami_planfix.alerts.ways import Way
from ami_planfix.config.alerting import Alerts as Section
from ami_planfix.errors import AlertNotSent

log = structlog.get_logger("ami_planfix.alerts")

LOOK_EVERY = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
"""Seconds until a way that failed is tried again."""
DRAIN = 3.0
"""Seconds that a telling gets to its end when the daemon ends."""


class Watch:
    """Watches, and has people told."""

    def __init__(
        self,
        section: Section,
        looking: Looking,
        books: tuple[Book, Book],
        leads: Callable[[], Awaitable[bool]],
        ways: Sequence[Way],
        place: Place,
    ) -> None:
        """`books`: this daemon's, and that of all of them; `leads` tells whether the latter is ours to keep."""
        self._section = section
        self._looking = looking
        self._own, self._shared = books
        self._ask_leads = leads
        self._leads = False
        self._ways = ways
        self._names = [way.name for way in ways]
        self._place = place
        self._judge = Judge(section.after)
        self._every = min(LOOK_EVERY, section.after / 4)
        self._looked = time.monotonic()
        self._woken = {way.name: asyncio.Event() for way in ways}

    def active(self) -> list[Alert]:
        """Tell what is wrong now, as far as this daemon tells it, oldest first."""
        found = [alert for book in self._books() for alert in book.alerts.values() if alert.until is None]
        return sorted(found, key=lambda alert: alert.since)

    async def run(self) -> None:
        """Watch until cancelled; whatever is wrong with alerts, calls are reported."""
        tellers = [asyncio.create_task(self._tell(way), name=f"alerts by {way.name}") for way in self._ways]
        try:
            while True:
                try:
                    await self._turn()
                except Exception:
                    log.exception("alerts not looked at", remedy="report this as a fault of ami-planfix")
                await asyncio.sleep(self._every)
        finally:
            for task in tellers:
                task.cancel()
            await asyncio.gather(*tellers, return_exceptions=True)

    def _books(self) -> tuple[Book, ...]:
        return (self._own, self._shared) if self._leads else (self._own,)

    async def _turn(self) -> None:
        now, steady = time.time(), time.monotonic()
        seconds = min(steady - self._looked, 2 * self._every)  # a machine that slept has seen nothing
        self._looked = steady
        self._leads = await self._ask_leads()
        if not self._leads:
            self._shared.close()
        sights = await self._looking.look()
        for book in self._books():
            await book.open()
            concerned = [sight for sight in sights if (sight.trouble in SHARED) is (book is self._shared)]
            changed = self._judge.judge(book.alerts, concerned, now, seconds)
            for alert in changed:
                self._log(alert)
            await book.take(changed, self._names, now)
        for event in self._woken.values():
            event.set()

    def _log(self, alert: Alert) -> None:
        phrase = PHRASES["en"][alert.trouble]
        if alert.stage is Stage.BEGAN:
            log.error("alert began", trouble=alert.trouble.value, what=phrase.what, reason=alert.words,
                      waiting=self._looking.unsent.waiting, remedy=phrase.remedy)  # fmt: skip
        else:
            lasted = round((alert.until or alert.since) - alert.since)
            log.info("alert over", trouble=alert.trouble.value, what=phrase.over, seconds=lasted)

    # The tellers

    async def _tell(self, way: Way) -> None:
        failures = 0
        while True:
            self._woken[way.name].clear()
            book, alert = next(self._owed(way), (None, None))
            if book is None or alert is None:
                failures = 0
                await self._woken[way.name].wait()
                continue
            telling = asyncio.create_task(self._telling(way, book, alert, failures))
            try:
                pause = await asyncio.shield(telling)
            except asyncio.CancelledError:
                with suppress(TimeoutError):  # what is on its way may have been read already
                    await asyncio.wait_for(telling, DRAIN)
                raise
            failures = failures + 1 if pause else 0
            await asyncio.sleep(pause)

    def _owed(self, way: Way) -> Iterator[tuple[Book, Alert]]:
        for book in self._books():
            if (alert := book.owed(way.name)) is not None:
                yield book, alert

    async def _telling(self, way: Way, book: Book, alert: Alert, failures: int) -> float:
        """Tell of an alert as it is now; return the seconds until it is worth trying again, 0: it was told."""
        names = {"trouble": alert.trouble.value, "stage": alert.stage.value, "way": way.name}
        message = message_of(alert, self._place, self._looking.unsent.waiting, self._section.language)
        try:
            said = await way.send(message)
        except AlertNotSent as fault:
            pause = min(FIRST_PAUSE * 2.0 ** min(failures, 30), LONGEST_PAUSE)
            log.warning("alert not sent", **names, error=str(fault), again_in=pause)
            return pause
        except Exception:
            log.exception("alert not sent", **names, remedy="report this as a fault of ami-planfix")
            return LONGEST_PAUSE
        await book.told(alert, way.name, self._names)
        log.info("alert sent", **names, answer=said)
        return 0.0


def figures(active: Sequence[Alert]) -> dict[str, bool]:
    """Tell of each trouble whether it is an alert now."""
    known = {alert.trouble for alert in active}
    return {trouble.value: trouble in known for trouble in Trouble}
