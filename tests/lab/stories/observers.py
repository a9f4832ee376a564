"""Who listens, and who has no business here: nobody's part in a call."""

from tests.lab.pbx import Lab
from tests.lab.stories.telling import converse, finish, moment, only_on


async def chanspy(lab: Lab) -> None:
    """104 listens to 101's conversation for a while."""
    conversation = await converse(lab)
    spy = await lab.phones["104"].dial("*55101")
    await spy.answered()
    await spy.media.hears_anything()
    await moment(1.0)
    await spy.hang_up()
    await spy.ended()
    await moment(1.0)
    await conversation.client_hangs_up(lab)


async def chanspy_to_the_end(lab: Lab) -> None:
    """104 listens longer than the conversation lasts."""
    conversation = await converse(lab)
    spy = await lab.phones["104"].dial("*55101")
    await spy.answered()
    await moment(1.0)
    await conversation.client.hang_up()
    await conversation.employee.ended()
    await moment(1.0)
    await finish(lab, spy)


@only_on("22", "16")
async def guest(lab: Lab) -> None:
    """A scanner that no trunk knows calls in as PJSIP/anonymous."""
    scanner = await lab.stranger.line("1000", 800).dial("900441234567")
    await scanner.ended()
    await lab.quiet()


@only_on("22", "16")
async def guest_reaches_a_phone(lab: Lab) -> None:
    """A guest calls 101, whose phone rings and is not answered."""
    scanner = await lab.stranger.line("1000", 800).dial("101")
    await (await lab.phones["101"].rings()).ended()
    await scanner.ended()
    await lab.quiet()
