"""An employee calls out: what the far side says, and what the dialplan allows."""

from tests.lab.pbx import CLIENT, Lab, talk
from tests.lab.stories.telling import TALK, call_out, finish, moment


async def out_answered(lab: Lab) -> None:
    """101 calls a client, who answers; 101 hangs up."""
    conversation = await call_out(lab)
    await finish(lab, conversation.employee, conversation.client)


async def out_client_hangs_up(lab: Lab) -> None:
    """101 calls a client, who answers and hangs up."""
    conversation = await call_out(lab)
    await finish(lab, conversation.client, conversation.employee)


async def _refused(lab: Lab, status: int, *, rings: bool = False) -> None:
    employee = await lab.phones["101"].dial(CLIENT)
    client = await (lab.client.rings() if rings else lab.client.incoming())
    await moment()
    client.refuse(status)
    await employee.ended()
    await lab.quiet()


async def out_busy(lab: Lab) -> None:
    """486, after ringing."""
    await _refused(lab, 486, rings=True)


async def out_404(lab: Lab) -> None:
    """Unallocated number (cause 1)."""
    await _refused(lab, 404)


async def out_403(lab: Lab) -> None:
    """Forbidden by the provider."""
    await _refused(lab, 403)


async def out_480(lab: Lab) -> None:
    """Temporarily unavailable."""
    await _refused(lab, 480)


async def out_603(lab: Lab) -> None:
    """The client declines (603, cause 21)."""
    await _refused(lab, 603)


async def out_603_after_ringing(lab: Lab) -> None:
    """The client's phone rings, then the client declines."""
    await _refused(lab, 603, rings=True)


async def out_no_answer(lab: Lab) -> None:
    """The Dial times out."""
    employee = await lab.phones["101"].dial(CLIENT)
    client = await lab.client.rings()
    await employee.ringing()
    await client.ended()
    await employee.ended()
    await lab.quiet()


async def out_given_up(lab: Lab) -> None:
    """101 hangs up while the client's phone rings."""
    employee = await lab.phones["101"].dial(CLIENT)
    client = await lab.client.rings()
    await employee.ringing()
    await moment()
    await finish(lab, employee, client)


async def out_early_media_then_busy(lab: Lab) -> None:
    """The provider announces something before the answer (183), then 486."""
    employee = await lab.phones["101"].dial(CLIENT)
    client = await lab.client.incoming()
    await client.progress()
    await employee.media.hears(client.media.frequency)
    client.refuse(486)
    await employee.ended()
    await lab.quiet()


async def out_failover_answered(lab: Lab) -> None:
    """503 on the first trunk, answered on the second."""
    employee = await lab.phones["101"].dial(CLIENT)
    (await lab.client.incoming()).refuse(503)
    client = await lab.backup.anyone.rings()
    await moment()
    await client.answer()
    await talk(employee, client, TALK)
    await finish(lab, employee, client)


async def out_both_trunks_down(lab: Lab) -> None:
    """503 on both trunks."""
    employee = await lab.phones["101"].dial(CLIENT)
    (await lab.client.incoming()).refuse(503)
    (await lab.backup.anyone.incoming()).refuse(503)
    await employee.ended()
    await lab.quiet()


async def out_forbidden_by_dialplan(lab: Lab) -> None:
    """A forbidden direction: an announcement, no Dial."""
    employee = await lab.phones["101"].dial("88091234567")
    await employee.ended()
    await lab.quiet()


async def out_forbidden_by_congestion(lab: Lab) -> None:
    """A forbidden direction: Congestion()."""
    employee = await lab.phones["101"].dial("88031234567")
    await employee.ended()
    await lab.quiet()


async def out_national_number(lab: Lab) -> None:
    """Dialled as 89101234567."""
    employee = await lab.phones["101"].dial("89101234567")
    client = await lab.provider.line("89101234567", 1000).rings()
    await moment()
    await client.answer()
    await talk(employee, client, TALK)
    await finish(lab, employee, client)


async def service_code(lab: Lab) -> None:
    """101 dials *97."""
    employee = await lab.phones["101"].dial("*97")
    await employee.answered()
    await employee.ended()
    await lab.quiet()


async def no_such_number(lab: Lab) -> None:
    """101 dials what no pattern matches."""
    employee = await lab.phones["101"].dial("999")
    await employee.refused()
    await lab.quiet()
