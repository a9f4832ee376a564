"""Calls that are sent on: by the phone (302) and by the dialplan, to colleagues, groups and mobiles."""

import asyncio

from tests.lab.pbx import COLLEAGUE_OUTSIDE, MOBILE_OF_101, Lab
from tests.lab.sip.outgoing import OutgoingCall
from tests.lab.stories.telling import answer_and_end, moment, ring


async def _redirected(lab: Lab, number: str) -> OutgoingCall:
    client = await lab.client.dial("74951230001")
    (await lab.phones["101"].incoming()).redirect(number)
    return client


async def forward_by_phone_302(lab: Lab) -> None:
    """The phone of 101 answers 302 to 102 without ringing."""
    client = await _redirected(lab, "102")
    await answer_and_end(lab, client, await lab.phones["102"].rings())


async def forward_302_after_ringing(lab: Lab) -> None:
    """The phone of 101 rings, then answers 302 to 102 (forwarded when not answered)."""
    client = await lab.client.dial("74951230001")
    part = await lab.phones["101"].rings()
    await moment(1.0)
    part.redirect("102")
    await answer_and_end(lab, client, await lab.phones["102"].rings())


async def forward_302_not_answered(lab: Lab) -> None:
    """The phone of 101 answers 302 to 102, who does not answer."""
    client = await _redirected(lab, "102")
    await (await lab.phones["102"].rings()).ended()
    await client.ended()
    await lab.quiet()


async def forward_302_to_group(lab: Lab) -> None:
    """The phone of 101 answers 302 to a group of 102 and 103; 103 answers."""
    client = await _redirected(lab, "602")
    second, third = await ring(lab, "102", "103")
    await answer_and_end(lab, client, third, second)


async def forward_302_to_mobile(lab: Lab) -> None:
    """The phone of 101 answers 302 to the own mobile."""
    client = await _redirected(lab, MOBILE_OF_101)
    await answer_and_end(lab, client, await lab.mobile.rings())


async def forward_302_to_outside(lab: Lab) -> None:
    """The phone of 101 answers 302 to a number that is nobody's: it is dialled in 101's name."""
    client = await _redirected(lab, COLLEAGUE_OUTSIDE)
    await answer_and_end(lab, client, await lab.outsider.rings())


async def forward_302_in_ring_group(lab: Lab) -> None:
    """101, 102, 103 ring; the phone of 101 sends on to 104, who answers."""
    client = await lab.client.dial("74951230002")
    redirecting, second, third = await asyncio.gather(
        lab.phones["101"].incoming(), lab.phones["102"].rings(), lab.phones["103"].rings()
    )
    redirecting.redirect("104")
    fourth = await lab.phones["104"].rings()
    await answer_and_end(lab, client, fourth, second, third)


async def forward_by_dialplan(lab: Lab) -> None:
    """The dialplan sends 101's calls on to 102."""
    client = await lab.client.dial("74951230008")
    await answer_and_end(lab, client, await lab.phones["102"].rings())


async def forward_by_dialplan_to_group(lab: Lab) -> None:
    """The dialplan sends 101's calls on to a group."""
    client = await lab.client.dial("74951230011")
    first, second = await ring(lab, "101", "102")
    await answer_and_end(lab, client, second, first)


async def forward_to_mobile(lab: Lab) -> None:
    """The DID of 101 leads to the configured mobile of 101 through the trunk."""
    client = await lab.client.dial("74951230013")
    await answer_and_end(lab, client, await lab.mobile.rings())


async def forward_to_mobile_not_answered(lab: Lab) -> None:
    """The mobile of 101 does not answer."""
    client = await lab.client.dial("74951230013")
    await (await lab.mobile.rings()).ended()
    await client.ended()
    await lab.quiet()


async def forward_to_queue(lab: Lab) -> None:
    """101 does not answer, then a queue rings 101 and 102; 102 answers."""
    client = await lab.client.dial("74951230017")
    for _ in range(2):
        await (await lab.phones["101"].rings()).ended()
    await answer_and_end(lab, client, await lab.phones["102"].rings())
