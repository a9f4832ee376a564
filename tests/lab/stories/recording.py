"""MixMonitor, in all the ways that dialplans use it."""

from tests.lab.pbx import CLIENT, Lab, talk
from tests.lab.stories.telling import TALK, answer_and_end, converse, finish, moment, ring


async def recorded_on_client_channel(lab: Lab) -> None:
    """MixMonitor with option b on the client's channel, before Dial."""
    client = await lab.client.dial("74951230009")
    first, second = await ring(lab, "101", "102")
    await answer_and_end(lab, client, first, second)


async def recorded_from_the_answer_on(lab: Lab) -> None:
    """MixMonitor on the employee's channel, by Dial's option U."""
    conversation = await converse(lab, "74951230022")
    await conversation.client_hangs_up(lab)


async def recorded_by_queue(lab: Lab) -> None:
    """The queue records, from the answer on."""
    client = await lab.client.dial("74951230023")
    first, second = await ring(lab, "101", "102")
    await answer_and_end(lab, client, first, second)


async def recorded_but_missed(lab: Lab) -> None:
    """MixMonitor runs from the first moment on, nobody answers: an empty recording of a missed call."""
    client = await lab.client.dial("74951230029")
    await (await lab.phones["101"].rings()).ended()
    await client.ended()
    await lab.quiet()


async def recorded_on_demand(lab: Lab) -> None:
    """101 presses *1 during the conversation (automixmon)."""
    conversation = await converse(lab)
    await conversation.employee.press("*1")
    await lab.ami.event("MixMonitorStart", since=lab.story_begins)
    await talk(conversation.client, conversation.employee, TALK)
    await conversation.client_hangs_up(lab)


async def out_recorded(lab: Lab) -> None:
    """Recorded; dialled with a prefix, so that the client's number is seen in the leg only."""
    employee = await lab.phones["101"].dial(f"9{CLIENT}")
    client = await lab.client.rings()
    await moment()
    await client.answer()
    await talk(employee, client, TALK)
    await finish(lab, employee, client)
