"""Phones ring one after another."""

from tests.lab.pbx import Lab
from tests.lab.stories.telling import answer_and_end, ring


async def hunt_third_answers(lab: Lab) -> None:
    """101 and 102 do not answer, 103 does."""
    client = await lab.client.dial("74951230003")
    for extension in ("101", "102"):
        await (await lab.phones[extension].rings()).ended()
    await answer_and_end(lab, client, await lab.phones["103"].rings())


async def hunt_nobody(lab: Lab) -> None:
    """Nobody answers."""
    client = await lab.client.dial("74951230003")
    for extension in ("101", "102", "103"):
        await (await lab.phones[extension].rings()).ended()
    await client.ended()
    await lab.quiet()


async def group_after_group(lab: Lab) -> None:
    """101 and 102 ring together and do not answer, then 103 rings and answers."""
    client = await lab.client.dial("74951230021")
    for part in await ring(lab, "101", "102"):
        await part.ended()
    await answer_and_end(lab, client, await lab.phones["103"].rings())
