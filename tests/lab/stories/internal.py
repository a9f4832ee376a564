"""Colleagues call each other."""

from tests.lab.pbx import Lab, talk
from tests.lab.stories.telling import TALK, answer_and_end, finish, ring


async def internal_answered(lab: Lab) -> None:
    """101 calls 102."""
    caller = await lab.phones["101"].dial("102")
    part = await lab.phones["102"].rings()
    await answer_and_end(lab, caller, part)


async def internal_not_answered(lab: Lab) -> None:
    """101 calls 102, who does not answer."""
    caller = await lab.phones["101"].dial("102")
    part = await lab.phones["102"].rings()
    await part.ended()
    await caller.ended()
    await lab.quiet()


async def internal_to_group(lab: Lab) -> None:
    """103 calls the group, 102 answers."""
    caller = await lab.phones["103"].dial("600")
    first, second = await ring(lab, "101", "102")
    await answer_and_end(lab, caller, second, first)


async def internal_through_did(lab: Lab) -> None:
    """The mobile of 101 calls 102 through a DID and the menu."""
    caller = await lab.mobile.dial("74951230003")
    await (await lab.phones["101"].rings()).ended()
    part = await lab.phones["102"].rings()
    await part.answer()
    await talk(caller, part, TALK)
    await finish(lab, caller, part)
