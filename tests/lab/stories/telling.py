"""What most stories have in common: who calls whom, who picks up, how it ends."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tests.lab.pbx import Lab, talk
from tests.lab.sip.call import Call
from tests.lab.sip.incoming import IncomingCall
from tests.lab.sip.outgoing import OutgoingCall

EVERYWHERE = frozenset({"22", "16", "16sip"})
MOMENT = 0.4  # seconds that people need before they do something
TALK = 1.5

Act = TypeVar("Act", bound=Callable[..., object])


def only_on(*asterisks: str) -> Callable[[Act], Act]:
    """Say which Asterisks can play a story: "22", "16", "16sip"."""

    def mark(act: Act) -> Act:
        act.__dict__["only_on"] = frozenset(asterisks)
        return act

    return mark


def limits_of(act: Callable[..., object]) -> frozenset[str]:
    """Return the Asterisks that can play a story."""
    limits: frozenset[str] = act.__dict__.get("only_on", EVERYWHERE)
    return limits


async def moment(seconds: float = MOMENT) -> None:
    """Let a person's time pass."""
    await asyncio.sleep(seconds)


async def ring(lab: Lab, *extensions: str) -> list[IncomingCall]:
    """Let several phones ring."""
    return list(await asyncio.gather(*(lab.phones[extension].rings() for extension in extensions)))


@dataclass(frozen=True, slots=True)
class Conversation:
    """A client and an employee who talk."""

    client: OutgoingCall
    employee: IncomingCall

    async def client_hangs_up(self, lab: Lab) -> None:
        await finish(lab, self.client, self.employee)

    async def employee_hangs_up(self, lab: Lab) -> None:
        await finish(lab, self.employee, self.client)


async def converse(lab: Lab, number: str = "74951230001", extension: str = "101") -> Conversation:
    """The client calls, the employee answers, they talk."""
    client = await lab.client.dial(number)
    employee = await lab.phones[extension].rings()
    await moment()
    await employee.answer()
    await talk(client, employee, TALK)
    return Conversation(client, employee)


@dataclass(frozen=True, slots=True)
class OutgoingConversation:
    """An employee who called, and the client."""

    employee: OutgoingCall
    client: IncomingCall


async def call_out(lab: Lab, number: str = "79101234567", extension: str = "101") -> OutgoingConversation:
    """The employee calls the client, who answers; they talk."""
    employee = await lab.phones[extension].dial(number)
    client = await lab.client.rings()
    await employee.ringing()
    await moment()
    await client.answer()
    await employee.answered()
    await talk(employee, client, TALK)
    return OutgoingConversation(employee, client)


async def finish(lab: Lab, who: Call, *others: Call) -> None:
    """Somebody hangs up, and with that all is over."""
    await who.hang_up()
    await asyncio.gather(*(other.ended() for other in others))
    await lab.quiet()


async def answer_and_end(lab: Lab, client: Call, part: IncomingCall, *losers: IncomingCall) -> None:
    """One picks up and talks, the other phones stop; the client hangs up."""
    await moment()
    await part.answer()
    await asyncio.gather(*(loser.ended() for loser in losers))
    await talk(client, part, TALK)
    await finish(lab, client, part)
