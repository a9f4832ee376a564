"""The one answer that the dialplan gets, by whichever way it asks: a name, the manager, whether the phone is free."""

import asyncio
from typing import NamedTuple

from ami_planfix.ami.endpoints import Doer
from ami_planfix.calls.reports import CallId, Extension
from ami_planfix.config.model import Config
from ami_planfix.contacts.lookup import Found, Lookup
from ami_planfix.contacts.reach import why_unreachable
from ami_planfix.contacts.screen import on_screen
from ami_planfix.numbering import Numbering
from ami_planfix.planfix.messages import clean

_LONGEST = 64
"""Characters of a number, a DID or a call's id that are looked at."""
_MOST_REASON = 120


class Question(NamedTuple):
    """What the dialplan asks; as it came, unchecked."""

    phone: str
    did: str = ""
    callid: str = ""
    """The Linkedid, without the PBX's name before it."""


class Answer(NamedTuple):
    """What the dialplan gets; every text is safe in it (see `screen`)."""

    name: str = ""
    """For the screen; `''`: leave what is there."""
    manager: str = ""
    """The responsible employee's extension, `''` if there is none."""
    reachable: bool = False
    """Whether the manager's phone is to be rung now."""
    reason: str = ""
    """Why there is no name, or why the manager is not to be rung."""


class Contacts:
    """Answers the dialplan's questions within `contacts.timeout`."""

    def __init__(self, config: Config, numbering: Numbering, lookup: Lookup, asker: Doer) -> None:
        self._settings = config.contacts
        self._pbx = config.ami.name
        self._numbering = numbering
        self._lookup = lookup
        self._asker = asker
        self._dids = {numbering.number(did.number): did for did in config.dids}

    async def answer(self, question: Question) -> Answer:
        """Answer in time, whatever happens; never raises for what a question says."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.timeout
        if max(map(len, question)) > _LONGEST:
            return Answer(reason="that is no telephone number")
        phone = self._numbering.number(question.phone)
        if not phone:
            return Answer(reason="the number is hidden")
        if self._numbering.extension(question.phone) is not None:
            return Answer(reason="a colleague calls")
        callid = self._callid(question.callid)
        found = await self._lookup.find(phone, callid)
        name = self._name(found, question)
        manager = found.contact.responsible
        if manager is None:
            return Answer(name, reason=_reason(found.reason or "the contact has no manager"))
        why_not = self._why_not(question, phone, manager)
        if not why_not:
            why_not = await why_unreachable(self._asker, manager, self._settings.hints, deadline - loop.time())
        return Answer(name, manager, not why_not, _reason(why_not))

    async def name(self, phone: str, linkedid: str) -> str:
        """Tell the name of a client who is about to be called, as a screen shows it, in time; `''` if none is known."""
        found = await self._lookup.find(phone, self._callid(linkedid))
        return self._name(found, Question(phone))

    def _name(self, found: Found, question: Question) -> str:
        did = self._dids.get(self._numbering.number(question.did))
        prefix = did.prefix if did is not None else ""
        shown = found.contact.name or (question.phone if prefix else "")
        if not shown:
            return ""
        return on_screen(shown, prefix, self._settings.name_length, transliterate=self._settings.transliterate)

    def _why_not(self, question: Question, phone: str, manager: Extension) -> str:
        did = self._dids.get(self._numbering.number(question.did))
        if did is not None and not did.to_manager:
            return "calls to this number do not go to managers (dids.to_manager)"
        colleague = self._numbering.mobile_of(phone)
        if colleague:
            return f"the mobile of {colleague} calls"
        known = self._numbering.extension(manager) is not None and self._numbering.has_phone(manager)
        return "" if known else f"{manager} is no extension of this PBX"

    def _callid(self, linkedid: str) -> CallId:
        if not (linkedid and linkedid.isascii() and linkedid.isprintable()):
            return CallId("")
        return CallId(f"{self._pbx}-{linkedid}" if self._pbx else linkedid)


def _reason(text: str) -> str:
    """Make a text safe in the dialplan, where a reason is only ever shown."""
    return on_screen(clean(text, _MOST_REASON), most=_MOST_REASON)
