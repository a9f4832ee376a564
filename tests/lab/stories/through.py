"""Calls that pass through: DISA, a branch behind an internal trunk, diallers."""

import asyncio

from tests.lab.pbx import CLIENT, Lab, talk
from tests.lab.stories.makecall import originate
from tests.lab.stories.telling import TALK, answer_and_end, finish, moment


async def disa(lab: Lab) -> None:
    """The mobile of 101 calls in, dials the client through DISA, and talks."""
    mobile = await lab.mobile.dial("74951230025")
    await mobile.answered()
    await lab.ami.event("Newexten", since=lab.story_begins, Application="DISA")
    await moment(1.0)
    await mobile.press(CLIENT)
    client = await lab.client.rings()
    await moment()
    await client.answer()
    await talk(mobile, client, TALK)
    await finish(lab, client, mobile)


async def branch_calls_out(lab: Lab) -> None:
    """201 in the branch calls the client through the company's provider."""
    employee = await lab.branch.line("201", 1500).dial(CLIENT)
    client = await lab.client.rings()
    await answer_and_end(lab, employee, client)


async def client_reaches_branch(lab: Lab) -> None:
    """A client's call is sent to 201 in the branch."""
    client = await lab.client.dial("74951230034")
    part = await lab.branch.line("201", 1500).rings()
    await answer_and_end(lab, client, part)


async def branch_calls_colleague(lab: Lab) -> None:
    """201 in the branch calls 101."""
    caller = await lab.branch.line("201", 1500).dial("101")
    await answer_and_end(lab, caller, await lab.phones["101"].rings())


async def dialler_client_first(lab: Lab) -> None:
    """A dialler calls the client first; the client answers, then 101's phone rings and is answered."""
    await originate(lab, Channel=f"{lab.device(CLIENT)}@provider", Exten="101", CallerID="<74951230000>")
    client = await lab.client.rings()
    await moment()
    await client.answer()
    part = await lab.phones["101"].rings()
    await moment()
    await part.answer()
    await talk(client, part, TALK)
    await finish(lab, client, part)


async def dialler_nobody(lab: Lab) -> None:
    """A dialler calls the client first, who answers; 101 does not."""
    await originate(lab, Channel=f"{lab.device(CLIENT)}@provider", Exten="101", CallerID="<74951230000>")
    client = await lab.client.rings()
    await client.answer()
    part = await lab.phones["101"].rings()
    await asyncio.gather(part.ended(), client.ended())
    await lab.quiet()


async def originate_through_local(lab: Lab) -> None:
    """Click to dial by a program that rings the employee through a Local channel."""
    await originate(lab, Channel="Local/101@from-internal")
    employee = await lab.phones["101"].rings()
    await moment()
    await employee.answer()
    client = await lab.client.rings()
    await moment()
    await client.answer()
    await talk(employee, client, TALK)
    await finish(lab, client, employee)
