"""Calls through a dialplan of FreePBX's shape: macros in 16, Gosub in 22."""

import asyncio

from tests.lab.pbx import CLIENT, COLLEAGUE_OUTSIDE, MOBILE_OF_103, MOBILE_OF_104, Lab, talk
from tests.lab.sip.incoming import IncomingCall
from tests.lab.sip.outgoing import OutgoingCall
from tests.lab.stories.makecall import originate
from tests.lab.stories.telling import TALK, answer_and_end, converse, finish, moment, ring

MOBILE_OF_102 = "79262220102"


async def freepbx_direct(lab: Lab) -> None:
    """ext-did, from-did-direct, ext-local, exten-vm, dial-one: 101 answers."""
    conversation = await converse(lab, "74951230050")
    await conversation.client_hangs_up(lab)


async def freepbx_direct_not_answered(lab: Lab) -> None:
    """The same; 101 does not answer."""
    client = await lab.client.dial("74951230050")
    await (await lab.phones["101"].rings()).ended()
    await client.ended()
    await lab.quiet()


async def freepbx_ring_group(lab: Lab) -> None:
    """A ring group, recorded; 102 answers."""
    client = await lab.client.dial("74951230051")
    first, second = await ring(lab, "101", "102")
    await answer_and_end(lab, client, second, first)


async def _group_with_confirmation(lab: Lab) -> tuple[OutgoingCall, IncomingCall, IncomingCall]:
    client = await lab.client.dial("74951230052")
    desk, mobile = await asyncio.gather(lab.phones["101"].rings(), lab.provider.line(MOBILE_OF_102, 1250).rings())
    await moment()
    await mobile.answer()
    await lab.ami.event("Newexten", since=lab.story_begins, Application="Read")
    await moment()
    return client, desk, mobile


async def freepbx_group_confirmed(lab: Lab) -> None:
    """A ring group with confirmation: an unconfigured mobile picks up and presses 1."""
    client, desk, mobile = await _group_with_confirmation(lab)
    await mobile.press("1")
    await desk.ended()
    await talk(client, mobile, TALK)
    await finish(lab, client, mobile)


async def freepbx_group_not_confirmed(lab: Lab) -> None:
    """A ring group with confirmation: the mobile's mailbox picks up, then 101 answers and presses 1."""
    client, desk, mobile = await _group_with_confirmation(lab)
    await mobile.ended()
    await desk.answer()
    await moment(1.0)
    await desk.press("1")
    await talk(client, desk, TALK)
    await finish(lab, client, desk)


async def freepbx_queue(lab: Lab) -> None:
    """A queue of Local/10x@from-queue/n, recorded; 102 answers."""
    client = await lab.client.dial("74951230053")
    first, second = await ring(lab, "101", "102")
    await answer_and_end(lab, client, second, first)


async def freepbx_queue_second_round(lab: Lab) -> None:
    """The queue's members do not answer; in the next round 101 does."""
    client = await lab.client.dial("74951230053")
    for part in await ring(lab, "101", "102"):
        await part.ended()
    first, second = await ring(lab, "101", "102")
    await answer_and_end(lab, client, first, second)


async def _followed(
    lab: Lab, number: str, extension: str, mobile: str
) -> tuple[OutgoingCall, IncomingCall, IncomingCall]:
    client = await lab.client.dial(number)
    desk, elsewhere = await asyncio.gather(lab.phones[extension].rings(), lab.provider.line(mobile, 1250).rings())
    return client, desk, elsewhere


async def freepbx_follow_me_mobile(lab: Lab) -> None:
    """Local/FMPR-103 and Local/FMGL-...: the mobile, which nobody configured, answers."""
    client, desk, mobile = await _followed(lab, "74951230054", "103", MOBILE_OF_103)
    await answer_and_end(lab, client, mobile, desk)


async def freepbx_follow_me_desk(lab: Lab) -> None:
    """Local/FMPR-103 and Local/FMGL-...: the desk phone answers."""
    client, desk, mobile = await _followed(lab, "74951230054", "103", MOBILE_OF_103)
    await answer_and_end(lab, client, desk, mobile)


async def freepbx_follow_me_confirmed(lab: Lab) -> None:
    """Follow-me with confirmation: the mobile of 104 picks up and presses 1."""
    client, desk, mobile = await _followed(lab, "74951230055", "104", MOBILE_OF_104)
    await moment()
    await mobile.answer()
    await lab.ami.event("Newexten", since=lab.story_begins, Application="Read")
    await moment()
    await mobile.press("1")
    await desk.ended()
    await talk(client, mobile, TALK)
    await finish(lab, client, mobile)


async def freepbx_follow_me_not_confirmed(lab: Lab) -> None:
    """Follow-me with confirmation: the mobile's mailbox picks up; nobody answers."""
    client, desk, mobile = await _followed(lab, "74951230055", "104", MOBILE_OF_104)
    await moment()
    await mobile.answer()
    await asyncio.gather(mobile.ended(20), desk.ended(20), client.ended(20))
    await lab.quiet()


async def freepbx_call_forward(lab: Lab) -> None:
    """102 has set a call forward to a mobile: Local/NUMBER@from-internal/n."""
    await lab.put("CF", "102", f"0{MOBILE_OF_102}")
    client = await lab.client.dial("74951230056")
    mobile = await lab.provider.line(MOBILE_OF_102, 1250).rings()
    await lab.ami.action("DBDel", Family="CF", Key="102")
    await answer_and_end(lab, client, mobile)


async def freepbx_hot_desk(lab: Lab) -> None:
    """Device and user: 110 has logged in at device 104."""
    await lab.fill_freepbx_database()
    client = await lab.client.dial("74951230057")
    await answer_and_end(lab, client, await lab.phones["104"].rings())


async def freepbx_misc_destination(lab: Lab) -> None:
    """A DID that leads to a number that is nobody's, through the outbound route."""
    client = await lab.client.dial("74951230058")
    await answer_and_end(lab, client, await lab.outsider.rings())


async def freepbx_ivr(lab: Lab) -> None:
    """ivr-1: the client presses 1, 101 answers."""
    client = await lab.client.dial("74951230059")
    await client.answered()
    await lab.ami.event("Newexten", since=lab.story_begins, Application="WaitExten")
    await moment()
    await client.press("1")
    await answer_and_end(lab, client, await lab.phones["101"].rings())


async def _into_real_menu(lab: Lab) -> OutgoingCall:
    client = await lab.client.dial("74951230070")
    await client.answered()
    await lab.ami.event("Newexten", since=lab.story_begins, Application="Read")
    await moment()
    return client


async def freepbx_ivr_two_menus(lab: Lab) -> None:
    """ivr-2, which reads digit by digit: 2; ivr-3, which waits for them: 1; of the group 102 answers."""
    client = await _into_real_menu(lab)
    below = len(lab.ami.events)
    await client.press("2")
    await lab.ami.event("Newexten", since=below, Context="ivr-3", Application="WaitExten")
    await moment()
    await client.press("1")
    first, second = await ring(lab, "101", "102")
    await answer_and_end(lab, client, second, first)


async def freepbx_ivr_direct_dial(lab: Lab) -> None:
    """ivr-2: 2; ivr-3: the extension 101 itself, which answers."""
    client = await _into_real_menu(lab)
    below = len(lab.ami.events)
    await client.press("2")
    await lab.ami.event("Newexten", since=below, Context="ivr-3", Application="WaitExten")
    await moment()
    for key in "101":
        await client.press(key)
    await answer_and_end(lab, client, await lab.phones["101"].rings())


async def freepbx_ivr_nothing_pressed(lab: Lab) -> None:
    """ivr-2: the client presses nothing, the time-out leads to 101, who answers."""
    client = await _into_real_menu(lab)
    await answer_and_end(lab, client, await lab.phones["101"].rings(10))


async def freepbx_blind_transfer(lab: Lab) -> None:
    """REFER to 102 through from-internal-xfer."""
    conversation = await converse(lab, "74951230050")
    await conversation.employee.transfer("102")
    await answer_and_end(lab, conversation.client, await lab.phones["102"].rings())


async def freepbx_blind_transfer_out_of_queue(lab: Lab) -> None:
    """Answered through Local/101@from-queue/n, then transferred by REFER to 103."""
    client = await lab.client.dial("74951230053")
    first, second = await ring(lab, "101", "102")
    await moment()
    await first.answer()
    await second.ended()
    await talk(client, first, TALK)
    await first.transfer("103")
    await answer_and_end(lab, client, await lab.phones["103"].rings())


async def freepbx_attended_transfer_out_of_queue(lab: Lab) -> None:
    """Answered through Local/101@from-queue/n, handed over to 103 after a consultation."""
    client = await lab.client.dial("74951230053")
    first, second = await ring(lab, "101", "102")
    await moment()
    await first.answer()
    await second.ended()
    await talk(client, first, TALK)
    await first.hold()
    second_line = await lab.phones["101"].dial("103")
    colleague = await lab.phones["103"].rings()
    await colleague.answer()
    await talk(second_line, colleague, 1.0)
    await first.transfer_to(second_line)
    await talk(client, colleague, TALK)
    await finish(lab, client, colleague)


async def freepbx_outgoing(lab: Lab) -> None:
    """outrt-1, dialout-trunk: with a prefix, the client answers."""
    employee = await lab.phones["101"].dial(f"0{CLIENT}")
    await answer_and_end(lab, employee, await lab.client.rings())


async def freepbx_outgoing_busy(lab: Lab) -> None:
    """outrt-1: busy."""
    employee = await lab.phones["101"].dial(f"0{CLIENT}")
    (await lab.client.incoming()).refuse(486)
    await employee.ended()
    await lab.quiet()


async def freepbx_outgoing_failover(lab: Lab) -> None:
    """outrt-1: 503 on the first trunk, answered on the second."""
    employee = await lab.phones["101"].dial(f"0{CLIENT}")
    (await lab.client.incoming()).refuse(503)
    await answer_and_end(lab, employee, await lab.backup.anyone.rings())


async def freepbx_outgoing_both_down(lab: Lab) -> None:
    """outrt-1: 503 on both trunks, then an announcement."""
    employee = await lab.phones["101"].dial(f"0{CLIENT}")
    (await lab.client.incoming()).refuse(503)
    (await lab.backup.anyone.incoming()).refuse(503)
    await employee.ended()
    await lab.quiet()


async def freepbx_originate(lab: Lab) -> None:
    """Click to dial through Local/101@originate-skipvm."""
    await originate(lab, number=f"0{CLIENT}", Channel="Local/101@originate-skipvm")
    employee = await lab.phones["101"].rings()
    await moment()
    await employee.answer()
    client = await lab.client.rings()
    await moment()
    await client.answer()
    await talk(employee, client, TALK)
    await finish(lab, client, employee)


async def freepbx_transfer_to_outside(lab: Lab) -> None:
    """REFER to an outside number through from-internal-xfer and the outbound route."""
    conversation = await converse(lab, "74951230050")
    await conversation.employee.transfer(f"0{COLLEAGUE_OUTSIDE}")
    await answer_and_end(lab, conversation.client, await lab.outsider.rings())
