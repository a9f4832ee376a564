"""A client calls the company and one phone is meant."""

import asyncio

from tests.lab.pbx import SECOND_DEVICE, Lab, talk
from tests.lab.stories.telling import TALK, answer_and_end, converse, finish, moment, only_on


async def direct_client_hangs_up(lab: Lab) -> None:
    """101 answers, the client hangs up."""
    conversation = await converse(lab)
    await conversation.client_hangs_up(lab)


async def direct_employee_hangs_up(lab: Lab) -> None:
    """101 answers and hangs up."""
    conversation = await converse(lab)
    await conversation.employee_hangs_up(lab)


async def direct_no_answer(lab: Lab) -> None:
    """The Dial of 101 times out."""
    client = await lab.client.dial("74951230001")
    part = await lab.phones["101"].rings()
    await part.ended()
    await client.ended()
    await lab.quiet()


async def direct_client_gives_up(lab: Lab) -> None:
    """The client hangs up while 101 rings."""
    client = await lab.client.dial("74951230001")
    part = await lab.phones["101"].rings()
    await client.ringing()
    await moment()
    await finish(lab, client, part)


async def direct_busy(lab: Lab) -> None:
    """101 answers 486 at once: nobody's phone rang."""
    client = await lab.client.dial("74951230001")
    (await lab.phones["101"].incoming()).refuse(486)
    await client.ended()
    await lab.quiet()


async def direct_rejected(lab: Lab) -> None:
    """101 rings, then the employee presses the reject key."""
    client = await lab.client.dial("74951230001")
    part = await lab.phones["101"].rings()
    await moment()
    part.refuse(603)
    await client.ended()
    await lab.quiet()


async def direct_early_media(lab: Lab) -> None:
    """101 sends 183 with media and never 180, then answers."""
    client = await lab.client.dial("74951230001")
    part = await lab.phones["101"].incoming()
    await part.progress()
    await client.media.hears(part.media.frequency)
    await answer_and_end(lab, client, part)


async def direct_answered_at_once(lab: Lab) -> None:
    """101 answers without ringing (auto-answer)."""
    client = await lab.client.dial("74951230001")
    part = await lab.phones["101"].incoming()
    await part.answer()
    await talk(client, part, TALK)
    await finish(lab, client, part)


@only_on("22", "16")
async def two_devices_one_employee(lab: Lab) -> None:
    """105 has two devices; the second one answers."""
    client = await lab.client.dial("74951230015")
    desk, softphone = await asyncio.gather(lab.phones["105"].rings(), lab.phones[SECOND_DEVICE].rings())
    await answer_and_end(lab, client, softphone, desk)


@only_on("22", "16")
async def two_devices_one_rejects(lab: Lab) -> None:
    """One of 105's devices is rejected, the other answers."""
    client = await lab.client.dial("74951230015")
    desk, softphone = await asyncio.gather(lab.phones["105"].rings(), lab.phones[SECOND_DEVICE].rings())
    await moment()
    desk.refuse(486)
    await answer_and_end(lab, client, softphone)


async def only_unregistered(lab: Lab) -> None:
    """The only phone has no registration: no leg at all."""
    client = await lab.client.dial("74951230018")
    await client.ended()
    await lab.quiet()


async def anonymous_caller(lab: Lab) -> None:
    """A hidden number."""
    client = await lab.client.dial("74951230001", caller='"Anonymous" <sip:anonymous@anonymous.invalid>')
    part = await lab.phones["101"].rings()
    await answer_and_end(lab, client, part)


async def national_caller_number(lab: Lab) -> None:
    """The provider sends the number as 89101234567."""
    client = await lab.client.dial("74951230001", caller="<sip:89101234567@provider.example>")
    part = await lab.phones["101"].rings()
    await answer_and_end(lab, client, part)


async def caller_with_a_name(lab: Lab) -> None:
    """The provider sends a name in Cyrillic."""
    client = await lab.client.dial("74951230001", caller='"Пётр Семёнович" <sip:79101234567@provider.example>')
    part = await lab.phones["101"].rings()
    await answer_and_end(lab, client, part)


async def number_rewritten_by_dialplan(lab: Lab) -> None:
    """The dialplan changes the caller's number and name before it dials."""
    client = await lab.client.dial("74951230033")
    part = await lab.phones["101"].rings()
    await answer_and_end(lab, client, part)


async def same_phone_rings_again(lab: Lab) -> None:
    """101 does not answer, is dialled again and answers."""
    client = await lab.client.dial("74951230020")
    await (await lab.phones["101"].rings()).ended()
    again = await lab.phones["101"].rings()
    await answer_and_end(lab, client, again)


async def did_to_outside(lab: Lab) -> None:
    """A DID forwarded to a mobile that is nobody's."""
    client = await lab.client.dial("74951230010")
    part = await lab.outsider.rings()
    await answer_and_end(lab, client, part)


async def did_to_outside_not_answered(lab: Lab) -> None:
    """A DID forwarded to a mobile that is nobody's and does not answer."""
    client = await lab.client.dial("74951230010")
    part = await lab.outsider.rings()
    await asyncio.gather(part.ended(), client.ended())
    await lab.quiet()


async def closed(lab: Lab) -> None:
    """Out of hours: an announcement, then the PBX hangs up."""
    client = await lab.client.dial("74951230016")
    await client.answered()
    await client.ended()
    await lab.quiet()


async def message_left(lab: Lab) -> None:
    """101 does not answer, the client leaves a message."""
    client = await lab.client.dial("74951230030")
    await (await lab.phones["101"].rings()).ended()
    await client.answered()
    await moment(1.5)
    await finish(lab, client)


async def two_calls_crossing(lab: Lab) -> None:
    """One client talks with 101 while another is answered by 103 out of a group whose 101 is busy."""
    first = await lab.provider.line("79101111111", 1300).dial("74951230001")
    part = await lab.phones["101"].rings()
    await moment()
    await part.answer()
    await talk(first, part, 0.2)
    second = await lab.provider.line("79102222222", 1400).dial("74951230002")
    busy, waiting, taking = await asyncio.gather(
        lab.phones["101"].incoming(), lab.phones["102"].rings(), lab.phones["103"].rings()
    )
    busy.refuse(486)
    await moment()
    await taking.answer()
    await waiting.ended()
    await talk(second, taking, TALK)
    await first.hang_up()
    await part.ended()
    await finish(lab, second, taking)


async def same_client_twice(lab: Lab) -> None:
    """The same client calls two numbers at once and talks with both."""
    first = await converse(lab)
    second = await lab.client.dial("74951230021")
    one, other = await asyncio.gather(lab.phones["101"].incoming(), lab.phones["102"].rings())
    one.refuse(486)
    await moment()
    await other.answer()
    await talk(second, other, TALK)
    await second.hang_up()
    await other.ended()
    await first.client_hangs_up(lab)
