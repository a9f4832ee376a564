"""A call is parked and fetched, comes back, or is forgotten."""

from tests.lab.pbx import Lab, talk
from tests.lab.sip.call import Call
from tests.lab.stories.telling import TALK, answer_and_end, call_out, converse, finish, moment


async def _fetch(lab: Lab, who: str, client: Call) -> None:
    await moment()
    fetcher = await lab.phones[who].dial("701")
    await fetcher.answered()
    await talk(client, fetcher, TALK)
    await finish(lab, client, fetcher)


async def parked_and_fetched(lab: Lab) -> None:
    """101 parks the client by REFER to 700; 102 fetches it."""
    conversation = await converse(lab)
    await conversation.employee.transfer("700", stay=True)
    await lab.ami.event("ParkedCall", since=lab.story_begins)
    await _fetch(lab, "102", conversation.client)


async def parked_phone_leaves(lab: Lab) -> None:
    """101 parks the client and does not listen to the number; 102 fetches it."""
    conversation = await converse(lab)
    await conversation.employee.transfer("700")
    await lab.ami.event("ParkedCall", since=lab.story_begins)
    await _fetch(lab, "102", conversation.client)


async def parked_and_fetched_by_parker(lab: Lab) -> None:
    """101 parks the client and fetches it again."""
    conversation = await converse(lab)
    await conversation.employee.transfer("700", stay=True)
    await lab.ami.event("ParkedCall", since=lab.story_begins)
    await _fetch(lab, "101", conversation.client)


async def parked_by_feature(lab: Lab) -> None:
    """101 presses #7; 102 fetches the client."""
    conversation = await converse(lab)
    await conversation.employee.press("#7")
    await lab.ami.event("ParkedCall", since=lab.story_begins)
    await _fetch(lab, "102", conversation.client)


async def parked_by_ami(lab: Lab) -> None:
    """AMI Park of the client's channel; 102 fetches it."""
    conversation = await converse(lab)
    channel, parker = await lab.channel("provider"), await lab.channel("101")
    await lab.ami.action("Park", Channel=channel, TimeoutChannel=parker, Timeout="5000")
    await lab.ami.event("ParkedCall", since=lab.story_begins)
    await _fetch(lab, "102", conversation.client)


async def parked_and_returned(lab: Lab) -> None:
    """Nobody fetches the call: 101 rings again and answers."""
    conversation = await converse(lab)
    await conversation.employee.transfer("700", stay=True)
    again = await lab.phones["101"].rings()
    await answer_and_end(lab, conversation.client, again)


async def parked_and_returned_in_vain(lab: Lab) -> None:
    """Nobody fetches the call, and 101 does not answer when it comes back."""
    conversation = await converse(lab)
    await conversation.employee.transfer("700", stay=True)
    await (await lab.phones["101"].rings()).ended()
    await conversation.client.ended()
    await lab.quiet()


async def parked_client_gives_up(lab: Lab) -> None:
    """The client hangs up while parked."""
    conversation = await converse(lab)
    await conversation.employee.transfer("700", stay=True)
    await lab.ami.event("ParkedCall", since=lab.story_begins)
    await moment()
    await finish(lab, conversation.client)


async def out_then_parked(lab: Lab) -> None:
    """An outgoing call is parked; 102 fetches it."""
    conversation = await call_out(lab)
    await conversation.employee.transfer("700", stay=True)
    await lab.ami.event("ParkedCall", since=lab.story_begins)
    await _fetch(lab, "102", conversation.client)
