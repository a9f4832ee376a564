"""A client and two employees in one room."""

from tests.lab.pbx import Lab
from tests.lab.sip.outgoing import OutgoingCall
from tests.lab.stories.telling import TALK, converse, finish, moment


async def _enter(lab: Lab, extension: str) -> OutgoingCall:
    call = await lab.phones[extension].dial("800")
    await call.answered()
    await lab.ami.event("ConfbridgeJoin", since=lab.story_begins, Channel=await lab.channel(extension))
    return call


async def conference_room(lab: Lab) -> None:
    """The client calls the room, 101 and 102 join; 101 leaves first, the client last."""
    client = await lab.client.dial("74951230014")
    await client.answered()
    first = await _enter(lab, "101")
    await moment(1.0)
    second = await _enter(lab, "102")
    await moment(TALK)
    await first.hang_up()
    await moment(1.0)
    await second.hang_up()
    await finish(lab, client)


async def conference_client_leaves(lab: Lab) -> None:
    """The client leaves the room first, 101 and 102 go on."""
    client = await lab.client.dial("74951230014")
    await client.answered()
    first, second = await _enter(lab, "101"), await _enter(lab, "102")
    await moment(TALK)
    await client.hang_up()
    await moment(1.0)
    await first.hang_up()
    await finish(lab, second)


async def conference_after_conversation(lab: Lab) -> None:
    """101 talks with the client, sends it to the room, follows with 102; all leave when the client does."""
    conversation = await converse(lab)
    await conversation.employee.transfer("800")
    await lab.ami.event("ConfbridgeJoin", since=lab.story_begins)
    first, second = await _enter(lab, "101"), await _enter(lab, "102")
    await moment(TALK)
    await conversation.client.hang_up()
    await first.hang_up()
    await finish(lab, second)
