"""The whole lab: an Asterisk set up as the captures' PBX, its phones, its providers, the people outside."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab.ami import Ami, AmiError
from tests.lab.asterisk import HOST, Asterisk, Driver
from tests.lab.sip.agent import Agent
from tests.lab.sip.call import Call
from tests.lab.sip.line import Line, Phone, Provider
from tests.lab.waiting import NotInTimeError

PROVIDER_HOST = "127.0.0.2"  # Asterisk tells its trunks by their addresses
BACKUP_HOST = "127.0.0.3"
BRANCH_HOST = "127.0.0.4"
STRANGER_HOST = "127.0.0.5"  # no trunk of ours
PHONE_SECRET = "phone-secret"

CLIENT = "79101234567"
COLLEAGUE_OUTSIDE = "79035550000"
MOBILE_OF_101 = "79261110101"
MOBILE_OF_103 = "79263330103"  # in follow-me lists only
MOBILE_OF_104 = "79264440104"
SHOWN = "74951230000"

EMPLOYEES = {
    "101": "Ivanov",
    "102": "Petrov",
    "103": "Sidorova",
    "104": "Kuznetsov",
    "105": "Smirnova",
    "106": "Popov",  # never registered
}
SECOND_DEVICE = "105b"


class Lab:
    """Everything that a story or a test needs; use with `async with`.

    `phones` are by extension (`105b` is the second device of 105); `client`, `outsider` and `mobile` (of 101)
    are behind the provider, as any number is: `provider.line(NUMBER)`; `backup` and `branch` are trunks too.
    """

    def __init__(self, version: int = 22, driver: Driver = "pjsip") -> None:
        self.provider = Provider(PROVIDER_HOST)
        self.backup = Provider(BACKUP_HOST)
        self.branch = Provider(BRANCH_HOST)
        self.stranger = Provider(STRANGER_HOST)
        self.phones: dict[str, Phone] = {
            extension: Phone(HOST, extension, 400 + 100 * number, PHONE_SECRET, name)
            for number, (extension, name) in enumerate(EMPLOYEES.items())
        }
        self.phones[SECOND_DEVICE] = Phone(HOST, "105", 450, PHONE_SECRET, EMPLOYEES["105"])
        self.client = self.provider.line(CLIENT, 1000)
        self.outsider = self.provider.line(COLLEAGUE_OUTSIDE, 1100)
        self.mobile = self.provider.line(MOBILE_OF_101, 1200)
        self.story_begins = 0  # where in `ami.events`
        self._version = version
        self._driver: Driver = driver
        self._asterisk: Asterisk | None = None
        self._ami: Ami | None = None
        self._stack = contextlib.AsyncExitStack()

    @property
    def asterisk(self) -> Asterisk:
        assert self._asterisk, "the lab is not running"
        return self._asterisk

    @property
    def ami(self) -> Ami:
        """The lab's own AMI connection, with full rights."""
        assert self._ami, "the lab is not running"
        return self._ami

    @property
    def recordings_directory(self) -> Path:
        return self.asterisk.recordings_directory

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            for agent in self._agents():
                await agent.open()
                stack.callback(agent.close)
            self._asterisk = Asterisk(self._version, self._driver, self._settings())
            for agent in self._agents():
                agent.server = self._asterisk.sip_address
            await stack.enter_async_context(self._asterisk)
            stack.push_async_callback(self._disconnect)
            await self._connect()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error:
            self._explain(error)
        await self._stack.aclose()
        if not error:
            self._raise_failures()

    async def restart(self) -> None:
        """Restart Asterisk as an administrator does; calls are cut, phones register anew."""
        await self._disconnect()
        await self.asterisk.restart()
        await self._connect()

    # What stories say

    def device(self, extension: str) -> str:
        """Return the name of an employee's device, as in a channel's name."""
        return f"{self.asterisk.technology}/{extension}"

    async def channel(self, extension: str) -> str:
        """Return the newest living channel of an employee, or of `provider`."""
        return await self.ami.channel(self.device(extension))

    async def variable(self, name: str, value: str) -> None:
        """Set a global variable of the dialplan."""
        await self.ami.action("Setvar", Variable=name, Value=value)

    async def put(self, family: str, key: str, value: str) -> None:
        """Put a value into Asterisk's own database, as FreePBX does."""
        await self.ami.action("DBPut", Family=family, Key=key, Val=value)

    async def fill_freepbx_database(self) -> None:
        """Put in what FreePBX keeps there; user 110 has logged in at device 104."""
        for device in EMPLOYEES:
            await self.put(f"DEVICE/{device}", "user", "110" if device == "104" else device)
            await self.put(f"DEVICE/{device}", "dial", self.device(device))
            await self.put(f"AMPUSER/{device}", "device", device)
        await self.put("AMPUSER/110", "device", "104")
        await self.put("AMPUSER/103/followme", "grplist", f"103-{MOBILE_OF_103}#")
        await self.put("AMPUSER/104/followme", "grplist", f"104-{MOBILE_OF_104}#")

    async def quiet(self) -> None:
        """Wait until the last channel is gone."""
        await self.ami.quiet()
        self._raise_failures()

    def forget(self) -> None:
        """Be ready for the next story: no untaken calls, no behaviours; what AMI said is of the past."""
        self.story_begins = len(self.ami.events)
        for agent in self._agents():
            agent.forget()
        for line in self._lines():
            line.forget()

    @contextlib.asynccontextmanager
    async def cleared(self) -> AsyncIterator[None]:
        """Let a story of many on one Asterisk leave nothing to the next, however it ends."""
        try:
            yield
            await self.quiet()
        except BaseException as error:
            self._explain(error)
            for channel in list(self.ami.channels.values()):
                with contextlib.suppress(AmiError):  # it has just gone by itself
                    await self.ami.action("Hangup", Channel=channel)
            raise
        finally:
            self.forget()

    # Plumbing

    def _explain(self, error: BaseException) -> None:
        error.add_note("Asterisk's log ends: " + self.asterisk.log()[-2000:])

    async def _connect(self) -> None:
        self._ami = await self.asterisk.connect()
        phones = [phone for name, phone in self.phones.items() if name != "106"]
        if self._driver == "chan_sip":
            phones.remove(self.phones[SECOND_DEVICE])  # chan_sip knows one place of a peer
        await asyncio.gather(*(phone.register() for phone in phones))

    async def _disconnect(self) -> None:
        if self._ami:
            await self._ami.close()

    def _lines(self) -> list[Line]:
        behind = [line for trunk in self._trunks() for line in trunk.lines()]
        return [*self.phones.values(), *behind]

    def _agents(self) -> list[Agent]:
        phones = [phone.agent for phone in self.phones.values()]
        return [*phones, *(trunk.agent for trunk in self._trunks())]

    def _trunks(self) -> tuple[Provider, ...]:
        return self.provider, self.backup, self.branch, self.stranger

    def _raise_failures(self) -> None:
        failures = [error for agent in self._agents() for error in agent.failures]
        for agent in self._agents():
            agent.failures.clear()
        if failures:
            raise BaseExceptionGroup("a phone or a provider failed in the background", failures)

    def _settings(self) -> dict[str, str]:
        trunks = {"PROVIDER": self.provider, "BACKUP": self.backup, "BRANCH": self.branch}
        settings = {
            f"{name}{suffix}": value
            for name, trunk in trunks.items()
            for suffix, value in (
                ("", f"{trunk.agent.address[0]}:{trunk.agent.address[1]}"),
                ("_HOST", trunk.agent.address[0]),
                ("_PORT", str(trunk.agent.address[1])),
            )
        }
        pjsip = self._driver == "pjsip"
        return settings | {
            "PHONE_SECRET": PHONE_SECRET,
            "DRIVER_MODULES": f"noload => {'chan_sip' if pjsip else 'chan_pjsip'}.so",
            "BOTH_DEVICES": "${PJSIP_DIAL_CONTACTS(105)}" if pjsip else "SIP/105",
            "PJSIP_PHONES": "\n".join(_pjsip_phone(*employee) for employee in EMPLOYEES.items()),
            "SIP_PHONES": "\n".join(
                f'[{extension}](phone)\ncallerid = "{name}" <{extension}>\n' for extension, name in EMPLOYEES.items()
            ),
        }


async def talk(one: Call, other: Call, seconds: float = 1.5) -> None:
    """Let two people talk: both must hear the other's tone, then time passes."""
    await asyncio.gather(_hear(one, other), _hear(other, one))
    await asyncio.sleep(seconds)


async def _hear(listener: Call, speaker: Call) -> None:
    try:
        await listener.media.hears(speaker.media.frequency)
    except NotInTimeError as error:
        error.add_note(f"{listener} does not hear {speaker}")
        raise


def _pjsip_phone(extension: str, name: str) -> str:
    contacts, replaces = (2, "no") if extension == "105" else (1, "yes")
    return (
        f'[{extension}](phone)\ncallerid = "{name}" <{extension}>\nauth = {extension}\naors = {extension}\n'
        f"[{extension}](password)\nusername = {extension}\n"
        f"[{extension}](aor)\nmax_contacts = {contacts}\nremove_existing = {replaces}\n"
    )
