"""The manager interface: address, login, rights, events, version, times."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

from ami_planfix import conf
from ami_planfix.ami import filters
from ami_planfix.ami.asking import Visit
from ami_planfix.ami.wire import event_name, is_stamped
from ami_planfix.config.values import is_loopback
from ami_planfix.doctor.finding import Fault, Finding, Sign, Untried, untried, well
from ami_planfix.doctor.patient import Patient
from ami_planfix.errors import ActionRefused, AmiError, LoginRefused

SUPPORTED = range(16, 24)
NOWHERE = "ami-planfix-doctor"
"""A context and an extension that no dialplan has."""
APART = 2.0
"""Seconds that two clocks on one network may be apart."""

AWAY = Fault(
    "asterisk-away",
    "address",
    "nobody answers there as a manager interface (AMI)",
    "start Asterisk; `enabled = yes` in manager.conf, its `bindaddr` and `port` as `ami.host` ({host}) and `ami.port` "
    "({port}), TLS at both ends or at neither; `ss -ltnp` shows who listens",
)
REFUSED = Fault(
    "asterisk-login",
    "login",
    "Asterisk refuses our user: its name, its secret or our address",
    "compare `ami.username` and `ami.secret` with [{user}] in manager.conf, and its `permit` with our address; then "
    "`asterisk -rx 'manager reload'`",
)
ONCE = Fault(
    "asterisk-login-once",
    "login",
    "Asterisk lets a user in only once, and the daemon is in",
    "`allowmultiplelogin = yes` in [{user}] of manager.conf, then `asterisk -rx 'manager reload'`; or stop the daemon "
    "while doctor looks",
    Sign.WARNING,
)
VERSION = Fault(
    "asterisk-version",
    "version",
    "not among those that were tried (16 to 23)",
    "try your calls with `ami-planfix run --observe` first, and `ami-planfix capture` what goes wrong",
    Sign.WARNING,
)
RIGHTS = Fault(
    "asterisk-rights",
    "rights",
    "our user may not do what is needed",
    "`write = originate,reporting` in [{user}] of manager.conf, then `asterisk -rx 'manager reload'`, and "
    "`systemctl restart ami-planfix`: who is logged in keeps the rights that it had",
)
EXCESS = Fault(
    "asterisk-rights-too-many",
    "rights",
    "our user may do what the program never does: its secret would be worth stealing",
    "take {excess} out of `write` in [{user}] of manager.conf, then `asterisk -rx 'manager reload'`",
    Sign.WARNING,
)
NO_CHANNELS = Fault(
    "asterisk-events-call",
    "events",
    "Asterisk does not tell us of channels: no call is seen",
    "`read = call,dialplan,user` in [{user}] of manager.conf, and no `eventfilter` that keeps them back; then "
    "`asterisk -rx 'manager reload'` and `systemctl restart ami-planfix`",
)
NO_VARIABLES = Fault(
    "asterisk-events-dialplan",
    "events",
    "Asterisk does not tell us of variables: the number dialled and recordings are not seen",
    "`read = call,dialplan,user` in [{user}] of manager.conf, and no `eventfilter` that keeps VarSet back; then "
    "`asterisk -rx 'manager reload'` and `systemctl restart ami-planfix`",
)
FILTER = Fault(
    "asterisk-filter",
    "event filter",
    "manager.conf keeps events back that are needed",
    "in [{user}] of {file}: the list for this version from asterisk/manager.conf, whole, or no `eventfilter`; then "
    "`asterisk -rx 'manager reload'` and `systemctl restart ami-planfix`",
)
OLD_FILTER = Fault(
    "asterisk-filter-old",
    "event filter",
    "manager.conf keeps back what fields of the data tag come from: menus, UserEvent",
    "if you use them: in [{user}] of {file} the list for this version from asterisk/manager.conf, whole; then "
    "`asterisk -rx 'manager reload'` and `systemctl restart ami-planfix`",
    Sign.WARNING,
)
NO_TIMES = Fault(
    "asterisk-timestamps",
    "times of events",
    "events carry no time of their own: durations go wrong when either side is busy",
    "`timestampevents = yes` in [general] of manager.conf (FreePBX: below `[general](+)` in manager_custom.conf), then "
    "`asterisk -rx 'manager reload'`",
    Sign.WARNING,
)
CLOCK = Fault(
    "asterisk-clock",
    "clock",
    "Asterisk's clock and ours are apart",
    "let NTP set both: `timedatectl set-ntp true` on either machine",
    Sign.WARNING,
)

_NEEDED = ("CoreSettings", "CoreShowChannels", "DeviceStateList", "ExtensionStateList", "ExtensionState", "DBGet")
"""Actions that take the right `reporting`."""
_TELLING = {"system": "ModuleLoad", "command": "Command", "config": "GetConfig"}
"""Rights that are not needed -> an action that shows that they are there."""
_TOLD = frozenset({b"Newchannel", b"VarSet", b"Hangup", b"OriginateResponse"})
"""What is told of a channel that comes to nothing."""


async def login(patient: Patient) -> AsyncIterator[Finding]:
    """Reach it and log in."""
    section = patient.config.ami
    try:
        there = await patient.logged_in()
    except LoginRefused as fault:
        yield well("address", f"a manager interface answers at {section.host}:{section.port}")
        connected = patient.running is not None and patient.running.asterisk.connected_since is not None
        kind = ONCE if connected and "already" in str(fault).lower() else REFUSED
        yield kind.found(str(fault).partition(". ")[0], user=section.username)
        return
    except AmiError as fault:
        yield AWAY.found(str(fault), host=section.host, port=section.port)
        return
    yield well("login", f"as {section.username}, {there.where}{', TLS' if section.tls else ''}")


async def version(patient: Patient) -> AsyncIterator[Finding]:
    """Ask which Asterisk it is."""
    there = await patient.asterisk()
    try:
        found = (await there.act("CoreSettings")).get("AsteriskVersion")
    except ActionRefused:
        raise Untried("Asterisk does not tell: see rights") from None
    number = re.search(r"(\d+)\.\d+", found)
    if number and int(number[1]) in SUPPORTED:
        yield well("version", found)
    else:
        yield VERSION.found(found or "Asterisk says nothing of it")


async def rights(patient: Patient) -> AsyncIterator[Finding]:
    """See which actions Asterisk lets us do."""
    there = await patient.asterisk()
    user = patient.config.ami.username
    allowed = {name for name, _ in await there.act("ListCommands")}
    missing = [name for name in _NEEDED if name not in allowed]
    lacking = ["reporting"] if missing else []
    if patient.config.server is not None and "Originate" not in allowed:
        lacking.append("originate")
        missing.append("Originate")
    if lacking:
        found = f"without {' and '.join(lacking)}: Asterisk refuses {', '.join(missing)}"
        yield RIGHTS.found(found, user=user)
    excess = [right for right, action in _TELLING.items() if action in allowed]
    if excess:
        yield EXCESS.found(f"besides what is needed: {', '.join(excess)}", user=user, excess=", ".join(excess))
    if not lacking and not excess:
        yield well("rights", "all that are needed, and no dangerous ones")


async def events(patient: Patient) -> AsyncIterator[Finding]:
    """Have Asterisk make two halves of a Local channel to nowhere, which end at once, and see what we are told.

    Nothing rings and no dialplan runs: there is no such context. The daemon hears of it too, and reports nothing.
    """
    there = await patient.asterisk()
    user = patient.config.ami.username
    heard: dict[bytes, bytes] = {}
    complete = asyncio.Event()

    def hear(raw: bytes, _arrival: float) -> None:
        name = event_name(raw)
        ours = NOWHERE.encode() in raw or b"PLANFIX_DATA_doctor" in raw
        if name and ours:
            heard.setdefault(name, raw)
            if heard.keys() >= _TOLD:
                complete.set()

    there.observe(hear)
    try:
        await _originate(there)
        await _over(there, complete)
    finally:
        there.observe(None)
    silent = [name.decode() for name in sorted(_TOLD - {b"VarSet"}) if name not in heard]
    if silent:
        yield NO_CHANNELS.found(f"of a channel of our own we did not hear {', '.join(silent)}", user=user)
    if b"VarSet" not in heard:
        yield NO_VARIABLES.found("of a variable of our own we did not hear VarSet", user=user)
    if not silent and b"VarSet" in heard:
        yield well("events", "of channels and of variables")
    for raw in list(heard.values())[:1]:
        if is_stamped(raw):
            yield well("times of events", "given by Asterisk")
        else:
            yield NO_TIMES.found("events have no Timestamp")


async def _originate(there: Visit) -> None:
    headers = [
        ("Channel", f"Local/{NOWHERE}@{NOWHERE}/n"), ("Application", "Hangup"), ("Async", "true"), ("Timeout", "1000"),
        ("Variable", "PLANFIX_DATA_doctor=1"),
    ]  # fmt: skip
    try:
        await there.act("Originate", headers)
    except ActionRefused as fault:
        raise Untried(f"only with the right `originate`: {fault}") from fault


async def _over(there: Visit, complete: asyncio.Event) -> None:
    """Wait until Asterisk has told all, in whatever order, or all that it would tell."""
    try:
        async with asyncio.timeout(1.0):
            await complete.wait()
    except TimeoutError:
        await there.act("Ping")


async def event_filter(patient: Patient) -> AsyncIterator[Finding]:
    """Read which events manager.conf lets pass, if Asterisk is on this machine."""
    file = _manager_conf(patient)
    user = patient.config.ami.username
    section = conf.read(file).find(user)
    if section is None:
        raise Untried(f"{file} has no section [{user}]")
    lines = filters.parse(section.options)
    back = filters.kept_back(lines, filters.NEEDED)
    less = filters.kept_back(lines, filters.OPTIONAL)
    if back or less:
        names = back or less
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        fault = FILTER if back else OLD_FILTER
        yield fault.found(f"it keeps back {', '.join(names[:3])}{more}", user=user, file=section.file)
    elif lines:
        yield well("event filter", f"{len(lines)} lines let all pass that is needed")
    else:
        yield untried("event filter", "none: Asterisk sends everything, which is well unless it is very busy")


def _manager_conf(patient: Patient) -> Path:
    if not is_loopback(patient.config.ami.host):
        raise Untried("Asterisk is on another machine")
    file = patient.root / "etc/asterisk/manager.conf"
    try:
        file.open("rb").close()
    except OSError as fault:
        raise Untried(f"{file}: {fault.strerror}{_as_root(fault)}") from fault
    return file


async def clock(patient: Patient) -> AsyncIterator[Finding]:
    """Compare Asterisk's clock with ours."""
    there = await patient.asterisk()
    before = time.time()
    answer = await there.act("Ping")
    middle = (before + time.time()) / 2
    try:
        apart = float(answer.get("Timestamp")) - middle
    except ValueError:
        raise Untried("Asterisk does not tell its time") from None
    if abs(apart) > APART:
        yield CLOCK.found(f"Asterisk's is {abs(apart):.0f} s {'ahead' if apart > 0 else 'behind'}")
    else:
        yield well("clock", "as ours")


def _as_root(fault: OSError) -> str:
    return "; run doctor with sudo" if isinstance(fault, PermissionError) else ""
