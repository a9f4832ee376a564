"""Actions and their answers on one connection, and a connection for those who only ask."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager

from ami_planfix.ami.link import AmiSettings, Headers, Link, Pending, open_link
from ami_planfix.ami.listening import Ears, Heard, Observer
from ami_planfix.ami.wire import Message
from ami_planfix.calls.events import Event, Snapshot
from ami_planfix.errors import ActionRefused, AmiError, NotConnected


class Asking:
    """Does actions while there is a connection."""

    def __init__(self, settings: AmiSettings, ears: Ears) -> None:
        self._settings = settings
        self._ears = ears
        self._link: Link | None = None

    @property
    def where(self) -> str:
        """Say whom we talk to, for a person."""
        return self._settings.where

    async def act(
        self, action: str, headers: Headers = (), *, within: float = 5.0, or_hang_up: bool = False
    ) -> Message:
        """Do an action and return its response, `within` seconds; `or_hang_up`: else close the connection.

        Raises NotConnected at once if there is no connection (nothing is sent, now or later), ActionRefused
        with Asterisk's words, WireError for what cannot be sent, AmiError if no answer comes: then nobody
        knows whether Asterisk did it.
        """
        link = self._connected()
        try:
            pending = await self._ask(action, headers, within, as_list=False)
        except TimeoutError as error:
            silent = AmiError(f"{self._settings.where} did not answer {action} within {within:g} s")
            if or_hang_up:
                link.drop(silent)
            raise silent from error
        return pending.messages[0]

    async def collect(
        self,
        action: str,
        headers: Headers = (),
        *,
        within: float = 10.0,
        on_complete: Callable[[list[Message]], None] | None = None,
    ) -> list[Message]:
        """Do an action that answers with a list and return its items; raises as `act` does.

        `on_complete` is called with them where the list ends in the stream, before any later event is heard.
        """
        try:
            return (await self._ask(action, headers, within, on_complete=on_complete)).items()
        except TimeoutError as error:
            raise AmiError(f"{self._settings.where} did not answer {action} within {within:g} s") from error

    def expect(self, ident: str) -> "asyncio.Future[Message]":
        """Return the coming event that carries an ActionID of ours; AmiError there if it cannot come.

        Cancel it to wait no more. Raises NotConnected at once if there is no connection.
        """
        expected = self._connected().expected
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        expected[ident] = future

        def done(future: "asyncio.Future[Message]") -> None:
            expected.pop(ident, None)
            if not future.cancelled():
                future.exception()  # whoever waits is told; if nobody does, nobody need be

        future.add_done_callback(done)
        return future

    def now(self) -> float:
        """Tell the time by the clock of events, seconds since the epoch."""
        return self._ears.now()

    def tap(self, hear: Callable[[Event], None]) -> AbstractContextManager[None]:
        """Let `hear` take every wanted event too, while the context lasts."""
        return self._ears.tap(hear)

    def observe(self, observer: Observer | None) -> None:
        """Let `observer` see every raw message from now on, or nobody."""
        self._ears.observer = observer

    def _connected(self) -> Link:
        if self._link is None or self._link.gone.done():
            raise NotConnected(f"there is no connection to {self._settings.where} now; nothing was sent")
        return self._link

    async def _ask(
        self,
        action: str,
        headers: Headers,
        within: float,
        as_list: bool | None = None,
        on_complete: Callable[[list[Message]], None] | None = None,
    ) -> Pending:
        pending = self._connected().ask(action, headers, as_list, on_complete)
        try:
            async with asyncio.timeout(within):
                await pending.answered
        finally:
            pending.forget()
        response = pending.messages[0]
        if pending.is_refused():
            words = response.get("Message") or response.get("Response")
            raise ActionRefused(f"Asterisk refused {action}: {words}{_remedy(words)}")
        return pending


class Visit(Asking):
    """A connection that is made once, and not again."""

    def __init__(self, settings: AmiSettings, ears: Ears, link: Link) -> None:
        super().__init__(settings, ears)
        self._link = link
        self.gone = link.gone
        """Its end, and why."""


@asynccontextmanager
async def visit(settings: AmiSettings, observer: Observer | None = None) -> AsyncIterator[Visit]:
    """Connect and log in for a while; raises AmiError. `observer` sees every raw message from the first."""
    ears = Ears(Nobody(), lambda: None)
    ears.observer = observer
    link = await open_link(settings, ears)
    try:
        yield Visit(settings, ears, link)
    finally:
        link.close()
        await link.gone


class Nobody:
    """A listener that does not listen."""

    def heard(self, batch: list[Heard]) -> None:
        """Drop them."""

    def connected(self, since: float) -> None:
        """Drop it."""

    def resync(self, snapshot: Snapshot) -> None:
        """Drop it."""

    def lost(self, at: float) -> None:
        """Drop it."""


def _remedy(words: str) -> str:
    return ". Its AMI user lacks a right: see asterisk/manager.conf" if "ermission" in words else ""
