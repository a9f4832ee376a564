"""Local channels: groups and follow-me, kept and optimized away."""

import asyncio

from tests.lab.pbx import Lab, talk
from tests.lab.sip.incoming import IncomingCall
from tests.lab.sip.outgoing import OutgoingCall
from tests.lab.stories.telling import TALK, answer_and_end, finish, moment, ring


async def local_group_kept(lab: Lab) -> None:
    """Dial(Local/101@ext-local/n&Local/102@ext-local/n); 102 answers; the Local channels stay."""
    client = await lab.client.dial("74951230006")
    first, second = await ring(lab, "101", "102")
    await answer_and_end(lab, client, second, first)


async def local_group_optimized(lab: Lab) -> None:
    """The same without /n: the Local channels go after the answer."""
    client = await lab.client.dial("74951230007")
    first, second = await ring(lab, "101", "102")
    await answer_and_end(lab, client, second, first)


async def local_group_nobody(lab: Lab) -> None:
    """Nobody in the group of Local channels answers."""
    client = await lab.client.dial("74951230007")
    for part in await ring(lab, "101", "102"):
        await part.ended()
    await client.ended()
    await lab.quiet()


async def _desk_and_mobile(lab: Lab) -> tuple[OutgoingCall, IncomingCall, IncomingCall]:
    client = await lab.client.dial("74951230012")
    desk, mobile = await asyncio.gather(lab.phones["101"].rings(), lab.mobile.rings())
    return client, desk, mobile


async def follow_me_mobile_answers(lab: Lab) -> None:
    """The desk phone and the mobile of 101 ring together, the mobile answers."""
    client, desk, mobile = await _desk_and_mobile(lab)
    await answer_and_end(lab, client, mobile, desk)


async def follow_me_desk_answers(lab: Lab) -> None:
    """The desk phone and the mobile of 101 ring together, the desk phone answers."""
    client, desk, mobile = await _desk_and_mobile(lab)
    await answer_and_end(lab, client, desk, mobile)


async def _mobile_asked_to_confirm(lab: Lab) -> tuple[OutgoingCall, IncomingCall]:
    client = await lab.client.dial("74951230019")
    mobile = await lab.mobile.rings()
    await moment()
    await mobile.answer()
    await lab.ami.event("Newexten", since=lab.story_begins, Application="Read")
    await moment()
    return client, mobile


async def follow_me_confirmed(lab: Lab) -> None:
    """The mobile of 101 picks up and presses 1 to accept."""
    client, mobile = await _mobile_asked_to_confirm(lab)
    await mobile.press("1")
    await talk(client, mobile, TALK)
    await finish(lab, client, mobile)


async def follow_me_not_confirmed(lab: Lab) -> None:
    """The mobile of 101 (a mailbox, say) picks up and presses nothing."""
    client, mobile = await _mobile_asked_to_confirm(lab)
    await mobile.ended()
    await client.ended()
    await lab.quiet()


async def follow_me_client_gives_up_before_confirmation(lab: Lab) -> None:
    """The mobile of 101 picks up, the client hangs up before 1 is pressed."""
    client, mobile = await _mobile_asked_to_confirm(lab)
    await finish(lab, client, mobile)


async def follow_me_application(lab: Lab) -> None:
    """FollowMe(): the mobile of 102 picks up and presses 1."""
    client = await lab.client.dial("74951230028")
    mobile = await lab.provider.line("79262220102", 1250).rings()
    await moment()
    await mobile.answer()
    await moment(1.5)
    await mobile.press("1")
    await talk(client, mobile, TALK)
    await finish(lab, client, mobile)
