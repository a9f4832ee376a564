"""Whether an employee's phone can be reached now: registered, not in use, not "do not disturb".

Asterisk's hint tells it, with one trap: FreePBX writes `PJSIP/101&Custom:DND101`, and the sum of an unregistered
phone and a DND that is off is "idle". So where a hint has several devices, the phones among them are asked too.
"""

import asyncio
import re

from ami_planfix.ami.endpoints import Doer, ExtensionState, device_state, extension_state
from ami_planfix.calls.reports import Extension
from ami_planfix.errors import AmiError

IDLE = 0
_WORDS = {1: "in use", 2: "busy or do not disturb", 4: "not registered", 8: "ringing", 16: "on hold"}
_PHONE = re.compile(r"[A-Za-z0-9]+/[A-Za-z0-9_.@+-]{1,80}", re.ASCII)
_DEVICE_IDLE = "NOT_INUSE"


async def why_unreachable(asker: Doer, extension: Extension, context: str, within: float) -> str:
    """Tell why an extension's phone cannot be reached, `''` if it can; `context` is where its hint is."""
    if within <= 0:
        return "there was no time left to ask Asterisk"
    try:
        async with asyncio.timeout(within):
            state = await extension_state(asker, extension, context)
            if state.status != IDLE:
                return f"{extension} is {_in_words(state, context)}"
            return await _why_no_phone(asker, extension, state.hint)
    except TimeoutError:
        return "Asterisk did not answer in time"
    except AmiError as fault:
        return f"Asterisk cannot be asked: {fault}"


async def _why_no_phone(asker: Doer, extension: Extension, hint: str) -> str:
    devices = hint.partition(",")[0].split("&")
    phones = [device for device in devices if _PHONE.fullmatch(device)]
    if len(devices) == 1 or not phones:
        return ""
    for phone in phones:
        if await device_state(asker, phone) == _DEVICE_IDLE:
            return ""
    return f"{extension} is not registered"


def _in_words(state: ExtensionState, context: str) -> str:
    if state.status < 0:
        return f"without a hint in {context} (contacts.hints)"
    return _WORDS.get(state.status) or state.text or f"in state {state.status}"
