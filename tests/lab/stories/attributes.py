"""Fields for the call's data tag, told from wherever a dialplan or a program can."""

from tests.lab.pbx import Lab, talk
from tests.lab.stories.telling import TALK, finish, moment


async def attributes_told(lab: Lab) -> None:
    """By variables and UserEvent on the client's, a Local and the employee's channel, by a program, at the hangup."""
    client = await lab.client.dial("74951230037")
    part = await lab.phones["101"].rings()
    await lab.ami.settle()  # the phone may ring before this connection has heard of the client's channel
    began = next(one for one in lab.ami.events[lab.story_begins :] if one["Event"] == "Newchannel")
    told = {"UserEvent": "PlanfixData", "Uniqueid": began["Uniqueid"], "robot": "asked"}
    await lab.ami.action("UserEvent", **told)
    await lab.ami.action("UserEvent", **(told | {"Uniqueid": "1.1", "robot": "of a channel that is nowhere"}))
    await moment()
    await part.answer()
    await talk(client, part, TALK)
    await finish(lab, part, client)
