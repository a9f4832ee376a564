"""The dialplan: where clicks go, our pieces of it, hints."""

import re
from collections.abc import AsyncIterator
from typing import NamedTuple

from ami_planfix.ami.asking import Visit
from ami_planfix.config.model import Config
from ami_planfix.config.values import Address
from ami_planfix.doctor.finding import Fault, Finding, Sign, untried, well
from ami_planfix.doctor.patient import Patient

CONTEXT = Fault(
    "click-context",
    "clicks",
    "a context that clicks need is not in the dialplan: a click rings the phone and dials nobody, or rings nothing",
    "the context from which your phones dial out into `{key}`; of ours: `#include extensions-planfix.conf`, then "
    "`asterisk -rx 'dialplan reload'`",
)
CHANNEL = Fault(
    "click-channel",
    "clicks",
    "no phone is of the kind that clicks ring",
    "`makecall.channel`: PJSIP/{{extension}} or SIP/{{extension}}, as your phones are (FreePBX: "
    "Local/{{extension}}@originate-skipvm)",
)
MISSING = Fault(
    "snippet-missing",
    "our dialplan",
    "your dialplan uses a part of ours that is not loaded: those calls end there",
    "copy asterisk/{file} to /etc/asterisk, write `#include {file}` at the end of extensions.conf (FreePBX: "
    "extensions_custom.conf), then `asterisk -rx 'dialplan reload'`",
)
PORT = Fault(
    "snippet-port",
    "our dialplan",
    "it asks at an address where the daemon does not listen: calls wait in vain for a name",
    "write {ours} in the place of {theirs} into extensions-planfix.conf, or set `{key}`; then "
    "`asterisk -rx 'dialplan reload'`",
)
NO_HINTS = Fault(
    "hints-missing",
    "hints",
    "the way to the manager needs a hint for each phone, and `contacts.hints` names a context without any",
    "lines like `exten => 101,hint,PJSIP/101` into that context, or name in `contacts.hints` the one that has them "
    "(FreePBX: ext-local)",
    Sign.WARNING,
)

_OURS = re.compile(r"\b(ami-planfix-[a-z-]+)\b")
_ASKS = re.compile(r"\b(agi|http)://([^/\s,)]+)/contact\b")
_FREEPBX = "ami-planfix-freepbx-manager"
_ASK = "ami-planfix-contact"


class Line(NamedTuple):
    """One priority of the dialplan."""

    context: str
    application: str
    data: str


async def _dialplan(patient: Patient) -> list[Line]:
    return await patient.once("dialplan", _ask_dialplan)


async def _ask_dialplan(there: Visit) -> list[Line]:
    items = await there.collect("ShowDialPlan")
    return [Line(item.get("Context"), item.get("Application"), item.get("AppData")) for item in items]


async def clicks(patient: Patient) -> AsyncIterator[Finding]:
    """Follow a click: the phone that rings, the context that dials."""
    config = patient.config
    if config.server is None:
        yield untried("clicks", "there is no section `server`: nobody can click")
        return
    contexts = {line.context for line in await _dialplan(patient)}
    well_so_far = True
    for key, context in _contexts(config):
        if context not in contexts:
            well_so_far = False
            yield CONTEXT.found(f"{key}: the dialplan has no context {context}", key=key)
    technology = config.makecall.channel.partition("/")[0]
    phones = {device.name.partition("/")[0] for device in await patient.devices()}
    if technology.lower() != "local" and phones and technology not in phones:
        well_so_far = False
        yield CHANNEL.found(f"{config.makecall.channel}, and Asterisk has {', '.join(sorted(phones))}")
    if well_so_far:
        yield well("clicks", f"{config.makecall.channel}, then {config.makecall.context}")


def _contexts(config: Config) -> list[tuple[str, str]]:
    section = config.makecall
    found = [("makecall.context", section.context)]
    technology, _, rest = section.channel.partition("/")
    if technology.lower() == "local" and "@" in rest:
        found.append(("makecall.channel", rest.rpartition("@")[2].partition("/")[0]))
    if section.together:
        found.append(("makecall.together", "ami-planfix-click"))
    return found


async def snippets(patient: Patient) -> AsyncIterator[Finding]:
    """See which of our pieces are loaded, which are used, and where they ask."""
    lines = await _dialplan(patient)
    loaded = {line.context for line in lines if line.context.startswith("ami-planfix-")}
    used = {name for line in lines for name in _OURS.findall(line.data)}
    lacking = sorted(used - loaded)
    for name in lacking:
        file = "extensions-planfix-freepbx.conf" if name == _FREEPBX else "extensions-planfix.conf"
        yield MISSING.found(f"{name} is used and not loaded", file=file)
    wrong = False
    for theirs, ours, key in _elsewhere(patient.config, lines):
        wrong = True
        yield PORT.found(f"asks at {theirs}, and `{key}` is {ours}", theirs=theirs, ours=ours, key=key)
    if not lacking and not wrong:
        if loaded:
            yield well("our dialplan", f"{len(loaded)} contexts loaded")
        else:
            yield untried("our dialplan", "not loaded: phones show no names of clients", "docs/admin/contacts.md")


def _elsewhere(config: Config, lines: list[Line]) -> list[tuple[str, str, str]]:
    """Tell addresses that are asked and are not ours, each with ours and its key."""
    asked = {found for line in lines for found in _ASKS.findall(line.data)}
    ours = {"agi": (config.contacts.fastagi, "contacts.fastagi"), "http": (config.admin.listen, "admin.listen")}
    return sorted(
        (theirs, str(ours[kind][0]), ours[kind][1]) for kind, theirs in asked if not _is(ours[kind][0], theirs)
    )


def _is(address: Address, theirs: str) -> bool:
    host, _, port = theirs.rpartition(":")
    return port == str(address.port) and (address.is_everywhere or host in (address.host, "localhost"))


async def hints(patient: Patient) -> AsyncIterator[Finding]:
    """See whether the manager's phone can be watched."""
    there = await patient.asterisk()
    context = patient.config.contacts.hints
    if _ASK not in {line.context for line in await _dialplan(patient)}:
        yield untried("hints", "only the way to the manager needs them, and our dialplan is not loaded")
        return
    found = [item for item in await there.collect("ExtensionStateList") if item.get("Context") == context]
    if found:
        yield well("hints", f"{len(found)} in {context}")
    else:
        yield NO_HINTS.found(f"{context} has none")
