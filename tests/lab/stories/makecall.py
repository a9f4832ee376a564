"""Originate: the employee's phone rings first, then the client is dialled."""

import itertools

from tests.lab.pbx import CLIENT, Lab, talk
from tests.lab.stories.telling import TALK, finish, moment

_numbers = itertools.count(1)


async def originate(lab: Lab, extension: str = "101", number: str = CLIENT, **headers: str) -> str:
    """Click to dial; returns the ChannelId."""
    channel_id = f"planfix-{next(_numbers)}"
    wanted = {
        "Channel": lab.device(extension),
        "Context": "from-internal",
        "Exten": number,
        "Priority": "1",
        "CallerID": f'"{number}" <{number}>',
        "ChannelId": channel_id,
        "Timeout": "3000",
        "Async": "true",
    }
    await lab.ami.action("Originate", **(wanted | headers))
    return channel_id


async def originate_answered(lab: Lab) -> None:
    """101 picks up the own phone, then the client is called and answers."""
    await originate(lab)
    employee = await lab.phones["101"].rings()
    await moment()
    await employee.answer()
    client = await lab.client.rings()
    await moment()
    await client.answer()
    await talk(employee, client, TALK)
    await finish(lab, client, employee)


async def originate_not_picked_up(lab: Lab) -> None:
    """101 does not pick up: the client was never called."""
    await originate(lab)
    await (await lab.phones["101"].rings()).ended()
    await lab.quiet()


async def originate_client_busy(lab: Lab) -> None:
    """101 picks up, the client is busy."""
    await originate(lab)
    employee = await lab.phones["101"].rings()
    await employee.answer()
    client = await lab.client.incoming()
    client.refuse(486)
    await employee.ended()
    await lab.quiet()


async def originate_rejected(lab: Lab) -> None:
    """101 rejects the own phone's ringing."""
    await originate(lab)
    (await lab.phones["101"].rings()).refuse(486)
    await lab.quiet()


async def originate_hung_up_before_client_answers(lab: Lab) -> None:
    """101 picks up and hangs up again while the client's phone rings."""
    await originate(lab)
    employee = await lab.phones["101"].rings()
    await employee.answer()
    client = await lab.client.rings()
    await moment()
    await finish(lab, employee, client)
