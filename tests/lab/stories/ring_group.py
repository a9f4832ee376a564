"""Several phones ring at once."""

from tests.lab.pbx import Lab
from tests.lab.stories.telling import answer_and_end, finish, moment, ring


async def ring_all_second_answers(lab: Lab) -> None:
    """101, 102, 103 ring; 102 answers."""
    client = await lab.client.dial("74951230002")
    first, second, third = await ring(lab, "101", "102", "103")
    await answer_and_end(lab, client, second, first, third)


async def ring_all_nobody(lab: Lab) -> None:
    """101, 102, 103 ring; the Dial times out."""
    client = await lab.client.dial("74951230002")
    for part in await ring(lab, "101", "102", "103"):
        await part.ended()
    await client.ended()
    await lab.quiet()


async def ring_all_client_gives_up(lab: Lab) -> None:
    """101, 102, 103 ring; the client hangs up."""
    client = await lab.client.dial("74951230002")
    parts = await ring(lab, "101", "102", "103")
    await client.ringing()
    await moment()
    await finish(lab, client, *parts)


async def ring_all_one_rejects(lab: Lab) -> None:
    """102 rejects while the others ring; 101 answers later."""
    client = await lab.client.dial("74951230002")
    first, second, third = await ring(lab, "101", "102", "103")
    await moment()
    second.refuse(603)
    await answer_and_end(lab, client, first, third)


async def ring_all_all_reject(lab: Lab) -> None:
    """All reject, one after another."""
    client = await lab.client.dial("74951230002")
    for part in await ring(lab, "101", "102", "103"):
        await moment(0.2)
        part.refuse(486)
    await client.ended()
    await lab.quiet()
