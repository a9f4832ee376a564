"""Hold, in every direction."""

from tests.lab.asterisk import MUSIC
from tests.lab.pbx import Lab, talk
from tests.lab.stories.telling import TALK, call_out, converse, finish, moment


async def hold_and_unhold(lab: Lab) -> None:
    """101 puts the client on hold (music) and comes back."""
    conversation = await converse(lab)
    await conversation.employee.hold()
    await conversation.client.media.hears(MUSIC)
    await moment(1.0)
    await conversation.employee.unhold()
    await talk(conversation.client, conversation.employee, TALK)
    await conversation.client_hangs_up(lab)


async def hold_client_gives_up(lab: Lab) -> None:
    """The client hangs up while on hold."""
    conversation = await converse(lab)
    await conversation.employee.hold()
    await conversation.client.media.hears(MUSIC)
    await conversation.client_hangs_up(lab)


async def hold_by_client(lab: Lab) -> None:
    """The client puts 101 on hold and comes back."""
    conversation = await converse(lab)
    await conversation.client.hold()
    await moment(1.0)
    await conversation.client.unhold()
    await talk(conversation.client, conversation.employee, TALK)
    await conversation.employee_hangs_up(lab)


async def out_hold_and_unhold(lab: Lab) -> None:
    """An outgoing call: 101 puts the client on hold and comes back."""
    conversation = await call_out(lab)
    await conversation.employee.hold()
    await conversation.client.media.hears(MUSIC)
    await conversation.employee.unhold()
    await talk(conversation.client, conversation.employee, TALK)
    await finish(lab, conversation.client, conversation.employee)
