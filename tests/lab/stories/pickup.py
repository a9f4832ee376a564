"""A colleague takes a call that rings elsewhere."""

import asyncio

from tests.lab.pbx import Lab, talk
from tests.lab.sip.call import Call
from tests.lab.stories.telling import TALK, finish, moment, ring


async def _pick_up(lab: Lab, code: str, who: str, client: Call, *ringing: Call) -> None:
    taker = await lab.phones[who].dial(code)
    await taker.answered()
    await asyncio.gather(*(part.ended() for part in ringing))
    await talk(client, taker, TALK)
    await finish(lab, client, taker)


async def pickup_group(lab: Lab) -> None:
    """102 dials *8 while 101 rings."""
    client = await lab.client.dial("74951230001")
    part = await lab.phones["101"].rings()
    await moment()
    await _pick_up(lab, "*8", "102", client, part)


async def pickup_directed(lab: Lab) -> None:
    """102 dials **101 while 101 rings."""
    client = await lab.client.dial("74951230001")
    part = await lab.phones["101"].rings()
    await moment()
    await _pick_up(lab, "**101", "102", client, part)


async def pickup_out_of_ring_group(lab: Lab) -> None:
    """101, 102, 103 ring; 104 dials *8."""
    client = await lab.client.dial("74951230002")
    parts = await ring(lab, "101", "102", "103")
    await moment()
    await _pick_up(lab, "*8", "104", client, *parts)


async def pickup_out_of_local_group(lab: Lab) -> None:
    """A group of Local channels rings; 104 dials **102."""
    client = await lab.client.dial("74951230006")
    parts = await ring(lab, "101", "102")
    await moment()
    await _pick_up(lab, "**102", "104", client, *parts)


async def pickup_nothing(lab: Lab) -> None:
    """104 dials *8 and nobody's phone rings."""
    taker = await lab.phones["104"].dial("*8")
    await taker.ended()
    await lab.quiet()


async def pickup_of_internal_call(lab: Lab) -> None:
    """103 calls 101, 102 takes the call."""
    caller = await lab.phones["103"].dial("101")
    part = await lab.phones["101"].rings()
    await moment()
    await _pick_up(lab, "*8", "102", caller, part)
