"""What the tests of contacts share: a clock that is set by hand, and what answers in Planfix's and Asterisk's place."""

import asyncio
from collections.abc import Callable, Iterable

from ami_planfix.ami.wire import Message
from ami_planfix.calls.reports import Extension
from ami_planfix.planfix.messages import Contact


class Clock:
    """Seconds that a test turns by hand."""

    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


def contact(name: str = "Иванов Пётр", responsible: str = "103") -> Contact:
    return Contact(name, Extension(responsible) if responsible else None)


class Planfix:
    """Answers at once, or when `held` is set, or raises `fault`."""

    def __init__(self) -> None:
        self.is_set_up = True
        self.contacts = {"79101234567": contact()}
        self.asked: list[tuple[str, str]] = []
        self.fault: Exception | None = None
        self.held: asyncio.Event | None = None
        self.running = self.most_running = 0
        self._changed = asyncio.Event()

    async def until(self, truth: Callable[[], bool]) -> None:
        while not truth():
            self._changed.clear()
            await self._changed.wait()

    async def contact(self, phone: str, callid: str = "") -> Contact:
        self.asked.append((phone, callid))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        self._changed.set()
        try:
            if self.held is not None:
                await self.held.wait()
            if self.fault is not None:
                raise self.fault
            return self.contacts.get(phone, Contact("", None))
        finally:
            self.running -= 1
            self._changed.set()


class Hints:
    """Answers `ExtensionState` and `Getvar` as Asterisk does."""

    def __init__(self) -> None:
        self.states: dict[str, tuple[int, str]] = {}
        """Extension -> status and hint; `PJSIP/...` -> its device state's name in the second."""
        self.asked: list[str] = []
        self.fault: Exception | None = None
        self.silent = False

    async def act(self, action: str, headers: Iterable[tuple[str, str]] = (), *, within: float = 5.0) -> Message:
        given = dict(headers)
        self.asked.append(" ".join([action, *given.values()]))
        if self.silent:
            await asyncio.Event().wait()
        if self.fault is not None:
            raise self.fault
        if action == "Getvar":
            device = given["Variable"].removeprefix("DEVICE_STATE(").removesuffix(")")
            return Message([("Response", "Success"), ("Value", self.states[device][1])])
        status, hint = self.states.get(given["Exten"], (-1, ""))
        return Message([("Response", "Success"), ("Status", str(status)), ("StatusText", ""), ("Hint", hint)])
