"""A menu answers first."""

import asyncio

from tests.lab.pbx import Lab
from tests.lab.sip.outgoing import OutgoingCall
from tests.lab.stories.telling import answer_and_end, finish, moment, ring


async def _into_menu(lab: Lab) -> OutgoingCall:
    client = await lab.client.dial("74951230005")
    await client.answered()
    await lab.ami.event("Newexten", since=lab.story_begins, Application="WaitExten")
    await moment()
    return client


async def ivr_abandoned(lab: Lab) -> None:
    """The client hangs up in the IVR."""
    client = await _into_menu(lab)
    await finish(lab, client)


async def ivr_timed_out(lab: Lab) -> None:
    """The client presses nothing: the PBX hangs up."""
    client = await _into_menu(lab)
    await client.ended()
    await lab.quiet()


async def ivr_then_answered(lab: Lab) -> None:
    """The client presses 1, 101 answers; the time in the IVR is no talk."""
    client = await _into_menu(lab)
    _, part = await asyncio.gather(client.press("1"), lab.phones["101"].rings())
    await answer_and_end(lab, client, part)


async def ivr_then_group(lab: Lab) -> None:
    """The client presses 2, the group rings, 102 answers."""
    client = await _into_menu(lab)
    _, (first, second) = await asyncio.gather(client.press("2"), ring(lab, "101", "102"))
    await answer_and_end(lab, client, second, first)


async def ivr_below_ivr(lab: Lab) -> None:
    """The client presses a wrong key, then 2, and 1 in the menu below: 101 answers."""
    client = await lab.client.dial("74951230038")
    await client.answered()
    await lab.ami.event("Newexten", since=lab.story_begins, Application="WaitExten")
    await moment()
    again = len(lab.ami.events)
    await client.press("7")
    await lab.ami.event("Newexten", since=again, Application="WaitExten")
    await moment()
    below = len(lab.ami.events)
    await client.press("2")
    await lab.ami.event("Newexten", since=below, Context="ivr-below", Application="WaitExten")
    await moment()
    await client.press("1")
    await answer_and_end(lab, client, await lab.phones["101"].rings())
