"""Only a phone that is registered, idle and not in DND is rung; the hint tells."""

import pytest

from ami_planfix.calls.reports import Extension
from ami_planfix.contacts.reach import why_unreachable
from ami_planfix.errors import NotConnected
from tests.contacts.making import Hints


async def asked(hints: Hints, within: float = 5.0) -> str:
    return await why_unreachable(hints, Extension("103"), "ext-local", within)


async def test_an_idle_phone_can_be_reached() -> None:
    hints = Hints()
    hints.states["103"] = (0, "PJSIP/103")
    assert await asked(hints) == ""
    assert hints.asked == ["ExtensionState 103 ext-local"]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (-1, "103 is without a hint in ext-local (contacts.hints)"),
        (1, "103 is in use"),
        (2, "103 is busy or do not disturb"),
        (4, "103 is not registered"),
        (8, "103 is ringing"),
        (9, "103 is in state 9"),
        (16, "103 is on hold"),
    ],
)
async def test_any_other_state_is_a_reason(status: int, reason: str) -> None:
    hints = Hints()
    hints.states["103"] = (status, "PJSIP/103")
    assert await asked(hints) == reason


async def test_a_dnd_that_is_off_does_not_make_an_unregistered_phone_idle() -> None:
    hints = Hints()
    hints.states["103"] = (0, "PJSIP/103&PJSIP/99103&Custom:DND103,CustomPresence:103")
    hints.states["PJSIP/103"] = hints.states["PJSIP/99103"] = (0, "UNAVAILABLE")
    assert await asked(hints) == "103 is not registered"
    hints.states["PJSIP/99103"] = (0, "NOT_INUSE")
    assert await asked(hints) == ""


async def test_without_asterisk_nobody_is_reached() -> None:
    hints = Hints()
    hints.fault = NotConnected("there is no connection")
    assert await asked(hints) == "Asterisk cannot be asked: there is no connection"
    hints.silent = True
    assert await asked(hints, within=0.02) == "Asterisk did not answer in time"
    assert await asked(hints, within=0) == "there was no time left to ask Asterisk"
