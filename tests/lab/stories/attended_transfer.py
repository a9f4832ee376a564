"""Attended and blonde transfers: by the phone (REFER with Replaces), by *2, by AMI Atxfer."""

import asyncio
from dataclasses import dataclass

from tests.lab.pbx import COLLEAGUE_OUTSIDE, Lab, talk
from tests.lab.sip.call import Call
from tests.lab.sip.incoming import IncomingCall
from tests.lab.sip.outgoing import OutgoingCall
from tests.lab.stories.blind_transfer import press_transfer_code
from tests.lab.stories.telling import TALK, answer_and_end, call_out, converse, finish, moment, ring


@dataclass(frozen=True, slots=True)
class Consultation:
    """An employee who has the client on hold and asks a colleague on a second line."""

    client: Call
    employee: Call
    second_line: OutgoingCall
    colleague: IncomingCall


async def _consult(lab: Lab, client: Call, employee: Call, asker: str = "101", number: str = "102") -> Consultation:
    """Hold, and dial on the second line until the colleague rings."""
    await employee.hold()
    second_line = await lab.phones[asker].dial(number)
    line = lab.phones[number] if number in lab.phones else lab.provider.line(number)
    colleague = await line.rings()
    await second_line.ringing()
    await moment()
    return Consultation(client, employee, second_line, colleague)


async def _consult_and_talk(
    lab: Lab, client: Call, employee: Call, asker: str = "101", number: str = "102"
) -> Consultation:
    consultation = await _consult(lab, client, employee, asker, number)
    await consultation.colleague.answer()
    await talk(consultation.second_line, consultation.colleague, 1.0)
    return consultation


async def _join(consultation: Consultation) -> None:
    await consultation.employee.transfer_to(consultation.second_line)
    await asyncio.gather(consultation.employee.ended(), consultation.second_line.ended())


async def attended_refer(lab: Lab) -> None:
    """As real phones do it: 101 holds, calls 102 on a second line, REFER with Replaces."""
    conversation = await converse(lab)
    consultation = await _consult_and_talk(lab, conversation.client, conversation.employee)
    await _join(consultation)
    await talk(conversation.client, consultation.colleague, TALK)
    await finish(lab, conversation.client, consultation.colleague)


async def attended_refer_taken_back(lab: Lab) -> None:
    """102 does not want the call: 101 ends the second line and goes on with the client."""
    conversation = await converse(lab)
    consultation = await _consult_and_talk(lab, conversation.client, conversation.employee)
    await consultation.second_line.hang_up()
    await consultation.colleague.ended()
    await conversation.employee.unhold()
    await talk(conversation.client, conversation.employee, TALK)
    await conversation.client_hangs_up(lab)


async def attended_client_gives_up(lab: Lab) -> None:
    """The client hangs up while 101 consults 102 on a second line."""
    conversation = await converse(lab)
    consultation = await _consult_and_talk(lab, conversation.client, conversation.employee)
    await conversation.client.hang_up()
    await conversation.employee.ended()
    await finish(lab, consultation.second_line, consultation.colleague)


async def blonde_refer(lab: Lab) -> None:
    """REFER with Replaces while 102 still rings."""
    conversation = await converse(lab)
    consultation = await _consult(lab, conversation.client, conversation.employee)
    await _join(consultation)
    await answer_and_end(lab, conversation.client, consultation.colleague)


async def blonde_refer_not_answered(lab: Lab) -> None:
    """REFER with Replaces while 102 rings, who does not answer."""
    conversation = await converse(lab)
    consultation = await _consult(lab, conversation.client, conversation.employee)
    await _join(consultation)
    await consultation.colleague.ended()
    await conversation.client.ended()
    await lab.quiet()


async def blonde_refer_client_gives_up(lab: Lab) -> None:
    """REFER with Replaces while 102 rings; the client hangs up."""
    conversation = await converse(lab)
    consultation = await _consult(lab, conversation.client, conversation.employee)
    await _join(consultation)
    await moment()
    await finish(lab, conversation.client, consultation.colleague)


async def attended_refer_twice(lab: Lab) -> None:
    """101 to 102, 102 to 103, both attended."""
    conversation = await converse(lab)
    first = await _consult_and_talk(lab, conversation.client, conversation.employee)
    await _join(first)
    await talk(conversation.client, first.colleague, 1.0)
    second = await _consult_and_talk(lab, conversation.client, first.colleague, "102", "103")
    await _join(second)
    await talk(conversation.client, second.colleague, TALK)
    await finish(lab, second.colleague, conversation.client)


async def attended_then_back(lab: Lab) -> None:
    """101 to 102 attended, 102 back to 101 blindly."""
    conversation = await converse(lab)
    consultation = await _consult_and_talk(lab, conversation.client, conversation.employee)
    await _join(consultation)
    await talk(conversation.client, consultation.colleague, 1.0)
    await consultation.colleague.transfer("101")
    again = await lab.phones["101"].rings()
    await answer_and_end(lab, conversation.client, again)


async def attended_to_group(lab: Lab) -> None:
    """101 consults a group on a second line: 103 answers there, then both are joined."""
    conversation = await converse(lab)
    await conversation.employee.hold()
    second_line = await lab.phones["101"].dial("602")
    second, third = await ring(lab, "102", "103")
    await moment()
    await third.answer()
    await second.ended()
    await talk(second_line, third, 1.0)
    await _join(Consultation(conversation.client, conversation.employee, second_line, third))
    await talk(conversation.client, third, TALK)
    await finish(lab, conversation.client, third)


async def attended_to_queue(lab: Lab) -> None:
    """101 consults a queue on a second line: 102 answers there, then both are joined."""
    conversation = await converse(lab)
    await conversation.employee.hold()
    second_line = await lab.phones["101"].dial("500")
    (await lab.phones["101"].incoming()).refuse(486)
    second = await lab.phones["102"].rings()
    await moment()
    await second.answer()
    await talk(second_line, second, 1.0)
    await _join(Consultation(conversation.client, conversation.employee, second_line, second))
    await talk(conversation.client, second, TALK)
    await finish(lab, conversation.client, second)


async def attended_to_outside(lab: Lab) -> None:
    """101 consults an outside number on a second line and joins both: 101 stays the ext."""
    conversation = await converse(lab)
    consultation = await _consult_and_talk(lab, conversation.client, conversation.employee, number=COLLEAGUE_OUTSIDE)
    await _join(consultation)
    await talk(conversation.client, consultation.colleague, TALK)
    await finish(lab, conversation.client, consultation.colleague)


async def two_clients_joined(lab: Lab) -> None:
    """101 talks with a client, then with another who called too, and joins the two."""
    conversation = await converse(lab)
    await conversation.employee.hold()
    other_client = await lab.provider.line("79102222222", 1400).dial("74951230001")
    second_line = await lab.phones["101"].rings()
    await moment()
    await second_line.answer()
    await talk(other_client, second_line, TALK)
    await conversation.employee.transfer_to(second_line)
    await asyncio.gather(conversation.employee.ended(), second_line.ended())
    await talk(conversation.client, other_client, TALK)
    await finish(lab, conversation.client, other_client)


async def out_then_attended_refer(lab: Lab) -> None:
    """An outgoing call, handed over to 102 after a consultation."""
    conversation = await call_out(lab)
    consultation = await _consult_and_talk(lab, conversation.client, conversation.employee)
    await _join(consultation)
    await talk(conversation.client, consultation.colleague, TALK)
    await finish(lab, conversation.client, consultation.colleague)


async def _atxfer(lab: Lab, number: str = "102") -> None:
    await lab.ami.action(
        "Atxfer", Channel=await lab.channel("101"), Exten=number, Context="from-internal", Priority="1"
    )


async def attended_ami(lab: Lab) -> None:
    """AMI Atxfer: 101 consults 102 and hangs up: the client meets 102."""
    conversation = await converse(lab)
    await _atxfer(lab)
    colleague = await lab.phones["102"].rings()
    await moment()
    await colleague.answer()
    await talk(conversation.employee, colleague, 1.0)
    await conversation.employee.hang_up()
    await talk(conversation.client, colleague, TALK)
    await finish(lab, conversation.client, colleague)


async def attended_feature(lab: Lab) -> None:
    """101 presses *2 102, consults and hangs up: the client meets 102."""
    conversation = await converse(lab)
    await press_transfer_code(lab, conversation.employee, "*2", "102")
    colleague = await lab.phones["102"].rings()
    await moment()
    await colleague.answer()
    await talk(conversation.employee, colleague, 1.0)
    await conversation.employee.hang_up()
    await talk(conversation.client, colleague, TALK)
    await finish(lab, conversation.client, colleague)


async def blonde_ami(lab: Lab) -> None:
    """AMI Atxfer, 101 hangs up while 102 rings, 102 answers."""
    conversation = await converse(lab)
    await _atxfer(lab)
    colleague = await lab.phones["102"].rings()
    await moment()
    await conversation.employee.hang_up()
    await answer_and_end(lab, conversation.client, colleague)


async def atxfer_busy(lab: Lab) -> None:
    """Atxfer: 102 rings and rejects, 101 is with the client again."""
    conversation = await converse(lab)
    await _atxfer(lab)
    colleague = await lab.phones["102"].rings()
    await moment()
    colleague.refuse(486)
    await talk(conversation.client, conversation.employee, TALK)
    await conversation.client_hangs_up(lab)


async def atxfer_not_answered(lab: Lab) -> None:
    """Atxfer: 102 does not answer, 101 is with the client again."""
    conversation = await converse(lab)
    await _atxfer(lab)
    await (await lab.phones["102"].rings()).ended()
    await talk(conversation.client, conversation.employee, TALK)
    await conversation.client_hangs_up(lab)


async def atxfer_client_gives_up(lab: Lab) -> None:
    """Atxfer: the client hangs up while 101 and 102 consult."""
    conversation = await converse(lab)
    await _atxfer(lab)
    colleague = await lab.phones["102"].rings()
    await colleague.answer()
    await talk(conversation.employee, colleague, 1.0)
    await conversation.client.hang_up()
    await moment(1.0)
    await finish(lab, conversation.employee, colleague)


async def blonde_ami_recalled(lab: Lab) -> None:
    """Atxfer: 101 hangs up while 102 rings, who does not answer: 101 rings again and answers."""
    conversation = await converse(lab)
    await _atxfer(lab)
    await lab.phones["102"].rings()
    await moment()
    await conversation.employee.hang_up()
    again = await lab.phones["101"].rings()
    await answer_and_end(lab, conversation.client, again)


async def atxfer_to_group(lab: Lab) -> None:
    """Atxfer to a group of Local channels; 102 answers."""
    conversation = await converse(lab)
    await _atxfer(lab, "602")
    second, third = await ring(lab, "102", "103")
    await moment()
    await second.answer()
    await third.ended()
    await talk(conversation.employee, second, 1.0)
    await conversation.employee.hang_up()
    await talk(conversation.client, second, TALK)
    await finish(lab, conversation.client, second)


async def atxfer_to_outside(lab: Lab) -> None:
    """Atxfer to an outside number, joined after the consultation."""
    conversation = await converse(lab)
    await _atxfer(lab, COLLEAGUE_OUTSIDE)
    colleague = await lab.outsider.rings()
    await moment()
    await colleague.answer()
    await talk(conversation.employee, colleague, 1.0)
    await conversation.employee.hang_up()
    await talk(conversation.client, colleague, TALK)
    await finish(lab, conversation.client, colleague)


async def out_then_atxfer(lab: Lab) -> None:
    """An outgoing call, handed over to 102 by Atxfer."""
    conversation = await call_out(lab)
    await _atxfer(lab)
    colleague = await lab.phones["102"].rings()
    await moment()
    await colleague.answer()
    await talk(conversation.employee, colleague, 1.0)
    await conversation.employee.hang_up()
    await talk(conversation.client, colleague, TALK)
    await finish(lab, conversation.client, colleague)
