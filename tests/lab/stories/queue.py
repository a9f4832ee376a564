"""Queues, of phones and of Local channels."""

from tests.lab.pbx import Lab
from tests.lab.stories.telling import answer_and_end, finish, moment, ring


async def queue_answered(lab: Lab) -> None:
    """Queue, ringall; 102 answers."""
    client = await lab.client.dial("74951230004")
    first, second, third = await ring(lab, "101", "102", "103")
    await answer_and_end(lab, client, second, first, third)


async def queue_two_rounds(lab: Lab) -> None:
    """All ring twice, nobody answers, the queue's time is over."""
    client = await lab.client.dial("74951230044")
    for _ in range(2):
        for part in await ring(lab, "101", "102", "103"):
            await part.ended()
    await client.ended()
    await lab.quiet()


async def queue_abandoned(lab: Lab) -> None:
    """The client gives up while the queue rings everybody."""
    client = await lab.client.dial("74951230004")
    parts = await ring(lab, "101", "102", "103")
    await moment()
    await finish(lab, client, *parts)


async def queue_second_round_answered(lab: Lab) -> None:
    """Nobody answers the first time; the second time 103 does, after 101 rejected."""
    client = await lab.client.dial("74951230004")
    for part in await ring(lab, "101", "102", "103"):
        await part.ended()
    first, second, third = await ring(lab, "101", "102", "103")
    await moment()
    first.refuse(486)
    await answer_and_end(lab, client, third, second)


async def queue_local_optimized(lab: Lab) -> None:
    """Linear queue of Local/10x@agents, optimized away after the answer."""
    client = await lab.client.dial("74951230024")
    await (await lab.phones["101"].rings()).ended()
    await answer_and_end(lab, client, await lab.phones["102"].rings())


async def queue_local_kept(lab: Lab) -> None:
    """Linear queue of Local/10x@agents/n: the Local channels stay."""
    client = await lab.client.dial("74951230026")
    await (await lab.phones["101"].rings()).ended()
    await answer_and_end(lab, client, await lab.phones["102"].rings())


async def queue_empty(lab: Lab) -> None:
    """Nobody is in the queue: the client is not even let in."""
    client = await lab.client.dial("74951230027")
    await client.ended()
    await lab.quiet()
