"""All checks, side by side and each in its time; what is wrong with one does not stop the others."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable
from types import ModuleType
from typing import NamedTuple

from ami_planfix.doctor import alerts, asterisk, dialplan, host, listeners, phones, planfix, public, recordings, storage
from ami_planfix.doctor.finding import Fault, Finding, Sign, Untried, untried
from ami_planfix.doctor.patient import Patient
from ami_planfix.errors import AmiPlanfixError

Look = Callable[[Patient], AsyncIterator[Finding]]


class Check(NamedTuple):
    """One of them."""

    area: str
    what: str
    look: Look


CHECKS = (
    Check("this machine", "daemon", host.daemon),
    Check("this machine", "parts", host.parts),
    Check("this machine", "user", host.user),
    Check("this machine", "configuration", host.configuration),
    Check("this machine", "service", host.service),
    Check("this machine", "ports", listeners.ports),
    Check("this machine", "socket", listeners.control),
    Check("this machine", "storage", storage.database),
    Check("this machine", "disk", storage.room),
    Check("Asterisk", "login", asterisk.login),
    Check("Asterisk", "version", asterisk.version),
    Check("Asterisk", "rights", asterisk.rights),
    Check("Asterisk", "events", asterisk.events),
    Check("Asterisk", "event filter", asterisk.event_filter),
    Check("Asterisk", "clock", asterisk.clock),
    Check("phones and lines", "phones", phones.phones),
    Check("phones and lines", "trunks", phones.trunks),
    Check("phones and lines", "employees", phones.employees),
    Check("phones and lines", "default extension", phones.default_extension),
    Check("dialplan", "clicks", dialplan.clicks),
    Check("dialplan", "our dialplan", dialplan.snippets),
    Check("dialplan", "hints", dialplan.hints),
    Check("Planfix", "account", planfix.account),
    Check("Planfix", "clock", planfix.clock),
    Check("Planfix", "last command", planfix.last_command),
    Check("Planfix", "reports", planfix.reports),
    Check("what Planfix calls", "certificate", public.certificate),
    Check("what Planfix calls", "public address", public.public_address),
    Check("recordings", "folder", recordings.folder),
    Check("recordings", "mp3", recordings.conversion),
    Check("recordings", "links", recordings.links),
    Check("alerts", "webhook", alerts.webhook),
    Check("alerts", "mail", alerts.mail),
)
AREAS = {
    "this machine": (host, listeners, storage),
    "Asterisk": (asterisk,),
    "phones and lines": (phones,),
    "dialplan": (dialplan,),
    "Planfix": (planfix,),
    "what Planfix calls": (public,),
    "recordings": (recordings,),
    "alerts": (alerts,),
}
"""Where the faults of each area stand."""

WITHIN = 15.0
"""Seconds for one check."""
SLOW = Fault(
    "slow", "time", "a check did not end in time", "look at what it asks: the network, a mount that hangs", Sign.WARNING
)
_SYSTEMS = re.compile(r"(systemctl [a-z]+|journalctl -u) ami-planfix\b")
BROKEN = Fault("broken", "doctor", "a fault of ami-planfix itself", "please report it, with this line", Sign.WARNING)


class Told(NamedTuple):
    """A finding and the area that it is of."""

    area: str
    finding: Finding


async def examine(patient: Patient, checks: Iterable[Check] = CHECKS) -> AsyncIterator[Told]:
    """Make all checks at once; tell what was found in their order, as soon as it is known."""
    tasks = [(check, asyncio.create_task(_look(check, patient))) for check in checks]
    try:
        for check, task in tasks:
            for finding in await task:
                yield Told(check.area, meant_for(patient.unit, finding))
    finally:
        for _, task in tasks:
            task.cancel()
        await asyncio.gather(*(task for _, task in tasks), return_exceptions=True)


def meant_for(unit: str, finding: Finding) -> Finding:
    """Name the daemon that is meant in commands of its remedy, where it is one of several."""
    return finding._replace(remedy=_SYSTEMS.sub(rf"\1 {unit}", finding.remedy))


async def _look(check: Check, patient: Patient) -> list[Finding]:
    found: list[Finding] = []
    try:
        async with asyncio.timeout(WITHIN):
            async for finding in check.look(patient):
                found.append(finding)
    except Untried as why:
        found.append(untried(check.what, str(why)))
    except TimeoutError:
        found.append(SLOW.found(f"{check.what}: not done within {WITHIN:g} s"))
    except AmiPlanfixError as fault:
        found.append(untried(check.what, str(fault)))
    except Exception as fault:
        found.append(BROKEN.found(f"{check.what}: {type(fault).__name__}: {fault}"))
    return found


def faults_of(module: ModuleType) -> list[Fault]:
    """List the faults that a module knows, in its order."""
    return [value for value in vars(module).values() if isinstance(value, Fault)]


FAULTS = {area: [fault for module in modules for fault in faults_of(module)] for area, modules in AREAS.items()} | {
    "doctor itself": [SLOW, BROKEN]
}
"""Everything that doctor knows to go wrong, by area."""
