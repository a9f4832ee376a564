"""Ring the employee, then dial the client: what a click in Planfix asks for.

A stolen token is toll fraud, so a click may only name an extension of this PBX and a number in an allowed
country, no more than so many a minute; and since Planfix may repeat a request whose answer was late, the
same click within a few seconds is the same call. Nothing is kept for later: with Asterisk away a click
fails at once.
"""

import asyncio
import re
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import phonenumbers
import structlog

from ami_planfix.ami.answering import auto_answer
from ami_planfix.ami.endpoints import device_state
from ami_planfix.ami.originate import Dialler, Originated, OriginateRequest, originate, why_not_picked_up
from ami_planfix.calls.reports import Extension
from ami_planfix.config.model import Config
from ami_planfix.config.model import MakeCall as Settings
from ami_planfix.errors import AmiError, ClickRefused, TooManyClicks
from ami_planfix.numbering import Numbering

log = structlog.get_logger("ami_planfix.makecall")

REPEAT = 5.0
"""Seconds within which the same click is the same call."""
MINUTE = 60.0

_EXTENSION = re.compile(r"[0-9A-Za-z_*#-]{1,32}", re.ASCII)
_NUMBER = re.compile(r"\+?[0-9]{3,18}", re.ASCII)
_BARE = "{number}"
_SKIPVM = "@originate-skipvm"
"""FreePBX's context: with the client's number there, its routes and recordings would not know whose call it is."""
_NOT_THERE = frozenset({"UNAVAILABLE", "INVALID", "UNKNOWN", ""})


class Click(NamedTuple):
    """A click that may be dialled."""

    extension: Extension
    number: str
    """The client's number as digits with country code."""
    exten: str
    """What the dialplan is given to dial."""


def read_click(raw_from: str, raw_to: str, directory: Numbering, settings: Settings, home: str) -> Click:
    """Check what a click names, and find what to dial; `home` is the country of the PBX (`RU`).

    `ClickRefused` says what is wrong with it.
    """
    extension = directory.extension(raw_from) if _EXTENSION.fullmatch(raw_from) else None
    if extension is None or not directory.has_phone(extension):
        raise ClickRefused("from: no extension of this PBX")
    if not _NUMBER.fullmatch(raw_to):
        raise ClickRefused("to: a phone number is digits, with or without a + before them")
    if directory.extension(raw_to) is not None:
        raise ClickRefused("to: an extension of this PBX; only outside numbers are dialled")
    number = directory.number(raw_to)
    parsed = _parsed(number)
    if parsed is None or not directory.is_outside(raw_to):
        raise ClickRefused("to: no phone number")
    country = country_of(parsed)
    if country not in settings.countries:
        allowed = ", ".join(settings.countries)
        raise ClickRefused(f"to: a number in {country or 'no country'}; makecall.countries allows {allowed}")
    if phonenumbers.number_type(parsed) == phonenumbers.PhoneNumberType.PREMIUM_RATE:
        raise ClickRefused("to: a premium-rate number; whoever means it dials it by hand")
    return Click(extension, number, dialled(parsed, number, settings, home))


def _parsed(number: str) -> phonenumbers.PhoneNumber | None:
    try:
        parsed = phonenumbers.parse("+" + number)
    except phonenumbers.NumberParseException:
        return None
    return parsed if phonenumbers.is_possible_number(parsed) else None


def country_of(number: phonenumbers.PhoneNumber) -> str:
    """Tell a number's country (`RU`), `''` if it has none; in doubt the main one of its calling code."""
    code = number.country_code or 0
    found = phonenumbers.region_code_for_number(number) or phonenumbers.region_code_for_country_code(code)
    return "" if found in {"ZZ", "001"} else found


def dialled(parsed: phonenumbers.PhoneNumber, number: str, settings: Settings, home: str) -> str:
    """Write a number as the dialplan wants it: `79101234567`, or with a prefix `89101234567`, `810375...`.

    A pattern with a prefix for national numbers gets them without the country code, since that is what a
    national prefix replaces; `{number}` alone is the number as Planfix has it.
    """
    if parsed.country_code != phonenumbers.country_code_for_region(home):
        return settings.dial.international.replace(_BARE, number)
    if settings.dial.national == _BARE:
        return number
    return settings.dial.national.replace(_BARE, phonenumbers.national_significant_number(parsed))


def new_channel_id(now: float) -> str:
    """Choose a call's id: unique, and recognisable in Asterisk's own logs."""
    return f"planfix-{int(now)}-{secrets.token_hex(4)}"


class RecentClicks:
    """Remembers the clicks of the last minute: which are repeated, and whether there are too many."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._times: deque[float] = deque()
        self._calls: dict[Click, tuple[float, asyncio.Task[str]]] = {}

    def same(self, click: Click, now: float) -> asyncio.Task[str] | None:
        """Find the call that this click has already asked for; while Asterisk thinks, however long."""
        for known, (at, task) in list(self._calls.items()):
            if task.done() and now - at >= REPEAT:
                del self._calls[known]
        found = self._calls.get(click)
        return None if found is None else found[1]

    def count(self, now: float) -> None:
        """Count one more call, or raise `TooManyClicks`."""
        while self._times and now - self._times[0] >= MINUTE:
            self._times.popleft()
        if len(self._times) >= self._per_minute:
            raise TooManyClicks(
                f"more than {self._per_minute} calls a minute (makecall.per_minute); nothing was dialled"
            )
        self._times.append(now)

    def remember(self, click: Click, now: float, task: asyncio.Task[str]) -> None:
        """Keep a call for those who ask for it again; one that failed may be tried again at once."""
        self._calls[click] = (now, task)

        def forget_failure(done: asyncio.Task[str]) -> None:
            failed = done.cancelled() or done.exception() is not None
            if failed and self._calls.get(click, (0.0, None))[1] is done:
                del self._calls[click]

        task.add_done_callback(forget_failure)


class MakeCall:
    """Rings employees for clicks."""

    def __init__(
        self,
        config: Config,
        directory: Numbering,
        dialler: Dialler,
        name_of: Callable[[str, str], Awaitable[str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`name_of` tells a client's name for the screen, by number and call, in time; `''` if there is none."""
        self._settings = settings = config.makecall
        self._home = config.numbering.country
        self._employees = {who.extension: who for who in config.numbering.employees}
        self._name_of = name_of
        self._directory = directory
        self._dialler = dialler
        self._clock = clock
        self._recent = RecentClicks(settings.per_minute)
        self._watching: set[asyncio.Task[None]] = set()

    async def click(self, raw_from: str, raw_to: str) -> str:
        """Ring `from`, then dial `to`; returns the call's channel id once Asterisk has taken it.

        Raises `ClickRefused`, `TooManyClicks`, or an `AmiError` if Asterisk does not take it.
        """
        click = read_click(raw_from, raw_to, self._directory, self._settings, self._home)
        now = self._clock()
        task = self._recent.same(click, now)
        if task is None:
            self._recent.count(now)
            task = asyncio.create_task(self._ring(click))
            self._recent.remember(click, now, task)
        else:
            log.info("click repeated", extension=click.extension, client=click.number)
        return await asyncio.shield(task)

    async def _ring(self, click: Click) -> str:
        channel_id = new_channel_id(time.time())
        await self._dialler.act("Ping")  # without Asterisk it fails at once, not after Planfix was asked for a name
        asked = self._name_of(click.number, channel_id), self._phone(click)
        name, (channel, variables) = await asyncio.gather(*asked)
        settings = self._settings
        own = settings.caller_id == "extension" or (settings.caller_id == "auto" and _SKIPVM in channel)
        originated = await originate(
            self._dialler,
            OriginateRequest(
                channel=channel,
                context=settings.context,
                exten=click.exten,
                channel_id=channel_id,
                caller_id=f'"{name or click.number}" <{click.extension if own else click.number}>',
                timeout=settings.timeout,
                variables=(*variables, *self._shown(click), *(auto_answer(channel) if settings.auto_answer else ())),
            ),
        )
        log.info("click dialled", call=channel_id, extension=click.extension, client=click.number)
        watching = asyncio.create_task(_tell_outcome(originated, channel_id, click))
        self._watching.add(watching)
        watching.add_done_callback(self._watching.discard)
        return channel_id

    async def _phone(self, click: Click) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Choose what rings: the channel, and what our dialplan must know of it."""
        employee = self._employees.get(click.extension)
        phones = employee.click if employee is not None else ()
        if not phones:
            return self._settings.channel.replace("{extension}", click.extension), ()
        if self._settings.together and len(phones) > 1:
            seconds = ("PLANFIX_SECONDS", f"{self._settings.timeout:.0f}")
            return f"Local/{click.extension}@ami-planfix-click/n", (("PLANFIX_PHONES", "&".join(phones)), seconds)
        return await self._first_free(phones), ()

    async def _first_free(self, phones: Sequence[str]) -> str:
        if len(phones) == 1:
            return phones[0]
        states = {phone: await device_state(self._dialler, phone) for phone in phones}
        free = [phone for phone in phones if states[phone] == "NOT_INUSE"]
        there = [phone for phone in phones if states[phone] not in _NOT_THERE]
        return (free or there or phones)[0]

    def _shown(self, click: Click) -> tuple[tuple[str, str], ...]:
        employee = self._employees.get(click.extension)
        shown = (employee.shown if employee is not None else "") or self._settings.shown
        return (("PLANFIX_SHOWN", self._directory.number(shown)),) if shown else ()

    async def close(self) -> None:
        """Wait no more for what becomes of calls."""
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)


async def _tell_outcome(originated: Originated, channel_id: str, click: Click) -> None:
    """Log whether the employee picked up: if not, the client was never called and nothing is reported."""
    try:
        outcome = await originated.outcome()
    except AmiError as fault:
        log.warning("click outcome unknown", call=channel_id, reason=str(fault))
        return
    if not outcome.answered:
        reason = why_not_picked_up(outcome.reason)
        log.info("click not picked up", call=channel_id, extension=click.extension, reason=reason)
