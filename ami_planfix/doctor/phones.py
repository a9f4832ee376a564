"""Phones, lines and employees: what Asterisk has against what the configuration says."""

from collections.abc import AsyncIterator, Iterable

from ami_planfix.ami.asking import Visit
from ami_planfix.ami.endpoints import Device
from ami_planfix.calls.parties import Kind
from ami_planfix.calls.reports import Extension
from ami_planfix.doctor.finding import Fault, Finding, Sign, untried, well
from ami_planfix.doctor.patient import Patient
from ami_planfix.errors import AmiError
from ami_planfix.numbering import Numbering

NOT_REGISTERED = Fault(
    "phone-away",
    "phones",
    "an employee's phone is not registered with Asterisk",
    "switch it on and look at its account (`asterisk -rx 'pjsip show endpoint NAME'`, chan_sip: `sip show peer NAME`); "
    "nobody's any more: take it out of Asterisk",
    Sign.WARNING,
)
NOBODYS = Fault(
    "device-nobodys",
    "devices",
    "nobody says whose it is: it is taken for the outside world",
    "a line: into `trunks`; a phone: into `devices` of its employee; neither: into `ignore.channels`",
    Sign.WARNING,
)
TRUNK_UNKNOWN = Fault(
    "trunk-unknown",
    "trunks",
    "the configuration has a line that Asterisk does not know",
    "correct `trunks`: its name as in channel names, without the last hyphen and what follows. Asterisk has {known}",
)
TRUNK_AWAY = Fault(
    "trunk-away",
    "trunks",
    "Asterisk cannot reach a line",
    "`asterisk -rx 'pjsip show registrations'` and `pjsip show endpoints` (chan_sip: `sip show registry`, "
    "`sip show peers`); ask the provider",
    Sign.WARNING,
)
NO_TRUNKS = Fault(
    "trunks-none",
    "trunks",
    "the configuration names no line: calls out show no number of yours, and a line may be taken for a phone",
    "put your lines with their numbers into `trunks`",
    Sign.WARNING,
)
PHONELESS = Fault(
    "employee-phoneless",
    "employees",
    "an employee of the configuration has neither a phone that Asterisk knows nor a mobile",
    "correct the extension, give it `devices` or `mobiles`, or take it out of `numbering.employees`",
    Sign.WARNING,
)
DEVICE_UNKNOWN = Fault(
    "employee-device-unknown",
    "employees",
    "the configuration gives an employee a phone that Asterisk does not know",
    "correct `devices` or `click` of that employee; `ami-planfix endpoints` lists what there is",
    Sign.WARNING,
)
NO_DEFAULT = Fault(
    "default-extension-none",
    "default extension",
    "calls that reach nobody's phone are reported for nobody",
    "the extension of an employee in Planfix into `numbering.default_extension`",
    Sign.WARNING,
)
DEFAULT_PHONELESS = Fault(
    "default-extension-phoneless",
    "default extension",
    "no phone has the extension for which calls count that reached nobody",
    "see that an employee in Planfix has that short code, or choose another extension",
    Sign.WARNING,
)

_AWAY = "UNAVAILABLE"
_GONE = "INVALID"
"""Asterisk goes on listing a device that was taken out of its files, until it is started anew."""
_LISTED = ("PJSIP/", "SIP/", "IAX2/")
"""Drivers of which Asterisk lists every device, also those that were never used."""
_SHOWN = 5


async def phones(patient: Patient) -> AsyncIterator[Finding]:
    """List employees' phones that are away, and devices that are nobody's."""
    numbering = await _numbering(patient)
    states = await _states(patient)
    away, nobodys, theirs = [], [], 0
    for device in await _devices(patient):
        party = numbering.party(device.name)
        if party.kind is Kind.EMPLOYEE:
            theirs += 1
            if states.get(device.name) == _AWAY:
                named = party.extension is not None and party.extension in device.name
                away.append(device.name if named else f"{device.name} of {party.extension}")
        elif party.kind is Kind.PROVIDER and not party.trunk:
            nobodys.append(device.name)
    if away:
        yield NOT_REGISTERED.found(f"{len(away)} of {theirs} not registered: {_some(away)}")
    elif theirs:
        yield well("phones", f"{theirs}, all registered")
    if nobodys:
        yield NOBODYS.found(f"taken for the outside: {_some(nobodys)}")
    elif theirs:
        yield well("devices", "each is somebody's")
    if not theirs:
        yield untried("phones", "Asterisk knows of no employee's phone")


async def trunks(patient: Patient) -> AsyncIterator[Finding]:
    """Look for the configured lines in Asterisk."""
    lines = patient.config.trunks
    if not lines:
        yield NO_TRUNKS.found("none in the configuration")
        return
    known = {device.name.casefold(): device.name for device in await _devices(patient)}
    states = await _states(patient)
    unknown = [
        line.channel
        for line in lines
        if line.channel.casefold() not in known and line.channel.upper().startswith(_listed(known.values()))
    ]
    for name in unknown:
        yield TRUNK_UNKNOWN.found(f"Asterisk has no {name}", known=_some(sorted(known.values())) or "no device at all")
    away = [line.channel for line in lines if states.get(known.get(line.channel.casefold(), "")) == _AWAY]
    if away:
        yield TRUNK_AWAY.found(f"cannot be reached: {_some(away)}")
    if not unknown and not away:
        yield well("trunks", _some([line.channel for line in lines]))


async def employees(patient: Patient) -> AsyncIterator[Finding]:
    """Look for the configured employees' phones in Asterisk."""
    numbering = await _numbering(patient)
    devices = [device.name for device in await _devices(patient)]
    known = {name.casefold() for name in devices}
    owners = {numbering.party(name).extension for name in devices}
    faults = 0
    for who in patient.config.numbering.employees:
        named = dict.fromkeys((*who.devices, *who.click))
        unknown = [name for name in named if name.casefold() not in known and name.upper().startswith(_listed(devices))]
        if unknown:
            faults += 1
            yield DEVICE_UNKNOWN.found(f"{who.extension}: Asterisk has no {_some(unknown)}")
        elif not named and not who.mobiles and Extension(who.extension) not in owners:
            faults += 1
            yield PHONELESS.found(f"{who.extension} has no phone")
    if not patient.config.numbering.employees:
        yield untried("employees", "none in the configuration: Asterisk tells whose each phone is")
    elif not faults:
        yield well("employees", f"{len(patient.config.numbering.employees)} in the configuration, each with a phone")


async def default_extension(patient: Patient) -> AsyncIterator[Finding]:
    """Look for whom calls count that reached nobody's phone."""
    section = patient.config.numbering
    named = {f"dids[{did.number}]": did.default_extension for did in patient.config.dids if did.default_extension}
    if section.default_extension:
        named["numbering"] = section.default_extension
    else:
        yield NO_DEFAULT.found("none")
    numbering = await _numbering(patient)
    owners = {numbering.party(device.name).extension for device in await _devices(patient)}
    if not owners:
        yield untried("default extension", "Asterisk knows of no phone")
        return
    configured = {who.extension for who in section.employees}
    strange = [f"{extension} ({where})" for where, extension in named.items() if extension not in owners | configured]
    if strange:
        yield DEFAULT_PHONELESS.found(f"no phone has {_some(strange)}")
    elif section.default_extension:
        yield well("default extension", section.default_extension)


async def _numbering(patient: Patient) -> Numbering:
    numbering = Numbering(patient.config)
    numbering.learn((device.name, device.extension) for device in await _devices(patient))
    return numbering


async def _devices(patient: Patient) -> list[Device]:
    states = await _states(patient)
    return [device for device in await patient.devices() if states.get(device.name) != _GONE]


async def _states(patient: Patient) -> dict[str, str]:
    return await patient.once("states", _ask_states)


async def _ask_states(there: Visit) -> dict[str, str]:
    """Ask how each device is; chan_sip's are known to be registered by their address."""
    states = {item.get("Device"): item.get("State") for item in await there.collect("DeviceStateList")}
    try:
        peers = await there.collect("SIPpeers")
    except AmiError:
        return states
    for peer in peers:
        reachable = "-none-" not in peer.get("IPaddress") and not peer.get("Status").startswith(
            ("UNREACHABLE", "UNKNOWN")
        )
        states[f"SIP/{peer.get('ObjectName')}"] = "NOT_INUSE" if reachable else "UNAVAILABLE"
    return states


def _listed(known: Iterable[str]) -> tuple[str, ...]:
    """Tell the drivers that Asterisk has devices of: of the others it may list none."""
    names = [name.upper() for name in known]
    return tuple(driver for driver in _LISTED if any(name.startswith(driver) for name in names))


def _some(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more
