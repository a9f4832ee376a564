"""Blind transfers: by the phone (REFER), by feature code (##), by AMI (BlindTransfer, Redirect)."""

from tests.lab.pbx import COLLEAGUE_OUTSIDE, Lab, talk
from tests.lab.sip.call import Call
from tests.lab.sip.incoming import IncomingCall
from tests.lab.stories.telling import (
    MOMENT,
    TALK,
    answer_and_end,
    call_out,
    converse,
    finish,
    moment,
    only_on,
    ring,
)


async def press_transfer_code(lab: Lab, employee: Call, code: str, number: str) -> None:
    """Press a feature code, and the number when the PBX asks for it."""
    since = len(lab.ami.events)
    await employee.press(code)
    await lab.ami.event("MusicOnHoldStart", since=since)
    await moment()
    await employee.press(number)


async def blind_refer_answered(lab: Lab) -> None:
    """The phone of 101 transfers by REFER to 102, who answers and hangs up."""
    conversation = await converse(lab)
    await conversation.employee.transfer("102")
    part = await lab.phones["102"].rings()
    await moment()
    await part.answer()
    await talk(conversation.client, part, TALK)
    await finish(lab, part, conversation.client)


async def blind_refer_busy(lab: Lab) -> None:
    """102 is busy: the call ends."""
    conversation = await converse(lab)
    await conversation.employee.transfer("102")
    (await lab.phones["102"].incoming()).refuse(486)
    await conversation.client.ended()
    await lab.quiet()


async def blind_not_answered(lab: Lab) -> None:
    """102 does not answer: the conversation with 101 remains."""
    conversation = await converse(lab)
    await conversation.employee.transfer("102")
    await (await lab.phones["102"].rings()).ended()
    await conversation.client.ended()
    await lab.quiet()


async def blind_client_gives_up(lab: Lab) -> None:
    """The client hangs up while 102 rings."""
    conversation = await converse(lab)
    await conversation.employee.transfer("102")
    part = await lab.phones["102"].rings()
    await moment()
    await finish(lab, conversation.client, part)


async def blind_to_unregistered(lab: Lab) -> None:
    """Transferred to a phone that is not there."""
    conversation = await converse(lab)
    await conversation.employee.transfer("106")
    await conversation.client.ended()
    await lab.quiet()


async def blind_to_group(lab: Lab) -> None:
    """Blind transfer to a group of Local channels, 102 answers; 101 is busy with another call."""
    conversation = await converse(lab)
    await conversation.employee.transfer("600")
    (await lab.phones["101"].incoming()).refuse(486)
    part = await lab.phones["102"].rings()
    await answer_and_end(lab, conversation.client, part)


async def blind_to_group_transferrer_rings(lab: Lab) -> None:
    """Blind transfer to a group that 101 is in: 101 rings again with 102, and 101 answers."""
    conversation = await converse(lab)
    await conversation.employee.transfer("600")
    first, second = await ring(lab, "101", "102")
    await answer_and_end(lab, conversation.client, first, second)


async def blind_to_group_of_phones(lab: Lab) -> None:
    """Blind transfer to a Dial of 102 and 103, 103 answers."""
    conversation = await converse(lab)
    await conversation.employee.transfer("602")
    second, third = await ring(lab, "102", "103")
    await answer_and_end(lab, conversation.client, third, second)


async def blind_to_queue(lab: Lab) -> None:
    """Blind transfer to a queue; 101 does not answer there, 102 does."""
    conversation = await converse(lab)
    await conversation.employee.transfer("500")
    await (await lab.phones["101"].rings()).ended()
    await answer_and_end(lab, conversation.client, await lab.phones["102"].rings())


async def blind_to_outside(lab: Lab) -> None:
    """Blind transfer to an outside number: 101 stays the ext of the call."""
    conversation = await converse(lab)
    await conversation.employee.transfer(COLLEAGUE_OUTSIDE)
    part = await lab.outsider.rings()
    await answer_and_end(lab, conversation.client, part)


async def blind_to_outside_not_answered(lab: Lab) -> None:
    """Blind transfer to an outside number that is busy."""
    conversation = await converse(lab)
    await conversation.employee.transfer(COLLEAGUE_OUTSIDE)
    (await lab.outsider.incoming()).refuse(486)
    await conversation.client.ended()
    await lab.quiet()


async def _transfer_and_talk(lab: Lab, client: Call, employee: Call, extension: str) -> IncomingCall:
    await employee.transfer(extension)
    part = await lab.phones[extension].rings()
    await moment()
    await part.answer()
    await talk(client, part, TALK)
    return part


async def blind_twice(lab: Lab) -> None:
    """101 to 102, 102 to 103."""
    conversation = await converse(lab)
    second = await _transfer_and_talk(lab, conversation.client, conversation.employee, "102")
    third = await _transfer_and_talk(lab, conversation.client, second, "103")
    await finish(lab, conversation.client, third)


async def blind_there_and_back(lab: Lab) -> None:
    """101 to 102, 102 back to 101."""
    conversation = await converse(lab)
    second = await _transfer_and_talk(lab, conversation.client, conversation.employee, "102")
    again = await _transfer_and_talk(lab, conversation.client, second, "101")
    await finish(lab, conversation.client, again)


async def blind_after_queue(lab: Lab) -> None:
    """Answered out of a queue of Local members, then transferred to 103."""
    client = await lab.client.dial("74951230024")
    employee = await lab.phones["101"].rings()
    await moment()
    await employee.answer()
    await talk(client, employee, TALK)
    part = await _transfer_and_talk(lab, client, employee, "103")
    await finish(lab, client, part)


async def blind_after_kept_local(lab: Lab) -> None:
    """Answered through Local channels that stay, then transferred to 103."""
    client = await lab.client.dial("74951230006")
    first, second = await ring(lab, "101", "102")
    await moment()
    await second.answer()
    await first.ended()
    await talk(client, second, TALK)
    part = await _transfer_and_talk(lab, client, second, "103")
    await finish(lab, client, part)


async def blind_feature_answered(lab: Lab) -> None:
    """101 presses ## 102; 102 answers."""
    conversation = await converse(lab)
    await press_transfer_code(lab, conversation.employee, "##", "102")
    part = await lab.phones["102"].rings()
    await answer_and_end(lab, conversation.client, part, conversation.employee)  # 101 is hung up


async def blind_feature_not_answered(lab: Lab) -> None:
    """101 presses ## 102; 102 does not answer."""
    conversation = await converse(lab)
    await press_transfer_code(lab, conversation.employee, "##", "102")
    await (await lab.phones["102"].rings()).ended()
    await conversation.client.ended()
    await lab.quiet()


async def blind_feature_to_outside(lab: Lab) -> None:
    """101 presses ## and an outside number."""
    conversation = await converse(lab)
    await press_transfer_code(lab, conversation.employee, "##", COLLEAGUE_OUTSIDE)
    part = await lab.outsider.rings()
    await answer_and_end(lab, conversation.client, part)


async def _ami_transfer(lab: Lab, number: str) -> None:
    await lab.ami.action("BlindTransfer", Channel=await lab.channel("101"), Context="from-internal", Exten=number)


async def blind_ami_answered(lab: Lab) -> None:
    """AMI BlindTransfer of 101's channel to 102, who answers."""
    conversation = await converse(lab)
    await _ami_transfer(lab, "102")
    part = await lab.phones["102"].rings()
    await answer_and_end(lab, conversation.client, part, conversation.employee)


async def blind_ami_busy(lab: Lab) -> None:
    """AMI BlindTransfer to 102, who rejects after ringing."""
    conversation = await converse(lab)
    await _ami_transfer(lab, "102")
    part = await lab.phones["102"].rings()
    await moment(MOMENT)
    part.refuse(486)
    await conversation.client.ended()
    await lab.quiet()


async def _redirect(lab: Lab, number: str) -> None:
    await lab.ami.action(
        "Redirect",
        Channel=await lab.channel("provider"),
        Context="from-internal",
        Exten=number,
        Priority="1",
    )


async def redirect_answered(lab: Lab) -> None:
    """AMI Redirect of the client's channel to 102, who answers: there is no BlindTransfer event."""
    conversation = await converse(lab)
    await _redirect(lab, "102")
    part = await lab.phones["102"].rings()
    await answer_and_end(lab, conversation.client, part, conversation.employee)


async def redirect_not_answered(lab: Lab) -> None:
    """AMI Redirect of the client's channel to 102, who does not answer."""
    conversation = await converse(lab)
    await _redirect(lab, "102")
    await (await lab.phones["102"].rings()).ended()
    await conversation.client.ended()
    await lab.quiet()


async def redirect_while_ringing(lab: Lab) -> None:
    """AMI Redirect of the client's channel to 102 while 101 rings."""
    client = await lab.client.dial("74951230001")
    first = await lab.phones["101"].rings()
    await moment()
    await _redirect(lab, "102")
    part = await lab.phones["102"].rings()
    await answer_and_end(lab, client, part, first)


async def out_then_blind_transfer(lab: Lab) -> None:
    """An outgoing call, transferred to 102 by REFER."""
    conversation = await call_out(lab)
    part = await _transfer_and_talk(lab, conversation.client, conversation.employee, "102")
    await finish(lab, conversation.client, part)


async def out_then_blind_feature(lab: Lab) -> None:
    """An outgoing call, transferred to 102 by ##."""
    conversation = await call_out(lab)
    await press_transfer_code(lab, conversation.employee, "##", "102")
    part = await lab.phones["102"].rings()
    await moment()
    await part.answer()
    await talk(conversation.client, part, TALK)
    await finish(lab, conversation.client, part)


@only_on("22", "16")
async def blind_to_two_devices(lab: Lab) -> None:
    """Blind transfer to 105, whose two devices ring; one answers."""
    conversation = await converse(lab)
    await conversation.employee.transfer("105")
    desk, softphone = await ring(lab, "105", "105b")
    await answer_and_end(lab, conversation.client, softphone, desk)
