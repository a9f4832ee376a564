"""The directory: whose a channel and whose a number is, from the configuration and the PBX's own phones.

Theory: a channel's name tells its device, and a device is, in this order, a configured trunk (trunks are often
named by a login that looks like an extension), something ignored, a configured device of an employee, a phone that
the PBX told of, a twin that FreePBX makes of a phone, a name that looks like an extension; else the outside.
"""

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

from ami_planfix.calls.parties import Did, Kind, Party
from ami_planfix.calls.reports import Extension
from ami_planfix.config.model import Config, Trunk
from ami_planfix.config.values import LONGEST_EXTENSION
from ami_planfix.numbering.channels import (
    PHONE_DRIVERS,
    PLUMBING,
    Device,
    devices,
    dialled_device,
    split_dial,
)
from ami_planfix.numbering.numbers import PhoneNumbers

# FreePBX, module core/webrtc/zulu/sangomaconnect: a softphone beside the desk phone.
_TWINS = ("90", "91", "98", "99")
_GUESTS = frozenset({"anonymous", "guest", "unknown"})
# FreePBX, follow-me (`FMPR-101`, `FMGL-89161234567#`) and ring groups (`RG-600-101`).
_MEMBER = re.compile(r"(?:FMPR|FMGL|RG-[0-9]{1,12})-(\+?[0-9]{1,24})#?", re.ASCII)
# What Asterisk puts behind a device's name.
_NUMBER = re.compile(r"-[0-9a-f]{8}$", re.ASCII)
_SPAN = re.compile(r"i[0-9]+", re.ASCII)
_GROUP = re.compile(r"[gr][0-9]+", re.ASCII | re.IGNORECASE)

_KINDS = {"provider": Kind.PROVIDER, "internal": Kind.BRANCH, "ignore": Kind.IGNORED}


class Numbering:
    """Answers for one PBX; satisfies `calls.parties.Directory`."""

    def __init__(self, config: Config) -> None:
        section = config.numbering
        self._phones = PhoneNumbers(section.country, section.area_code)
        self._pattern = re.compile(section.extensions, re.ASCII)
        self._default = _extension_or_none(section.default_extension)
        self._trunks = {trunk.channel.casefold(): trunk for trunk in config.trunks}
        self._ignored_channels = tuple(pattern.casefold() for pattern in config.ignore.channels)
        self._ignored_callers = tuple(self._caller_pattern(text) for text in config.ignore.callers)
        self._devices = {
            device.casefold(): Extension(who.extension) for who in section.employees for device in who.devices
        }
        self._employees = frozenset(Extension(who.extension) for who in section.employees)
        self._mobiles = {
            self.number(mobile): Extension(who.extension) for who in section.employees for mobile in who.mobiles
        }
        self._mobiles.pop("", None)  # or else every hidden caller would be this employee
        self._unreported = frozenset(Extension(who.extension) for who in section.employees if not who.report)
        self._dids = {
            number: Did(
                number, did.name, _extension_or_none(did.default_extension), did.report, tuple(did.data.items())
            )
            for did in config.dids
            for number in (self.number(did.number),)
        }
        own = {self.number(trunk.number) for trunk in config.trunks if trunk.kind != "ignore"}
        self._company = frozenset((own | set(self._dids)) - {""})
        self._learned: dict[str, Extension | None] = {}
        self._learned_extensions: frozenset[Extension] = frozenset()
        self._has_numbered_names = False
        self._whose_channel = lru_cache(maxsize=8192)(self._find_party)
        self.learn(())

    def learn(self, phones: Iterable[tuple[str, str | None]]) -> None:
        """Take the PBX's own devices, in place of those learned before: `('PJSIP/101', '101')`.

        The extension is None where the PBX tells of the device alone: it may then as well be a trunk.
        """
        self._learned = {device.casefold(): _extension_or_none(extension or "") for device, extension in phones}
        self._learned_extensions = frozenset(found for found in self._learned.values() if found)
        named = (*self._trunks, *self._devices, *self._learned)
        self._has_numbered_names = any(_NUMBER.search(name) for name in named)
        self._whose_channel.cache_clear()

    def party(self, channel: str) -> Party:
        """Tell whose channel this is, by its name or device."""
        # Channels come and go, their devices stay: the answer is found once for all numbers.
        if not self._has_numbered_names and _NUMBER.match(channel, len(channel) - 9):
            return self._whose_channel(channel[:-8] + "00000000")
        return self._whose_channel(channel)

    def number(self, raw: str) -> str:
        """Write a number as digits with country code; `''` for hidden ones and what is no number."""
        return self._phones.read(raw).digits

    def is_outside(self, raw: str) -> bool:
        """Tell whether this could be a client's number, also behind a configured trunk's `strip`."""
        if self.extension(raw):
            return False
        return any(
            self._phones.read(text).known or self._phones.is_possible_here(text) for text in (raw, *self._stripped(raw))
        )

    def is_company(self, raw: str) -> bool:
        """Tell whether this is a number of the company itself (rule 27)."""
        return self.number(raw) in self._company

    def is_ignored(self, raw: str) -> bool:
        """Tell whether `ignore.callers` names this number (rule 26)."""
        number = self.number(raw)
        return bool(number) and any(fnmatchcase(number, pattern) for pattern in self._ignored_callers)

    def extension(self, raw: str) -> Extension | None:
        """Read an extension: one that was configured, that the PBX told of, or that looks like one."""
        found = Extension(raw)
        if found in self._employees or found in self._learned_extensions:
            return found
        return found if len(raw) <= LONGEST_EXTENSION and self._pattern.fullmatch(raw) else None

    def has_phone(self, extension: Extension) -> bool:
        """Tell whether the PBX or the configuration names this extension; until the PBX has, all may have one."""
        if extension in self._employees or not self._learned:
            return True
        return any(self.party(device).extension == extension for device in self._learned)

    def in_name_of(self, exten: str) -> Extension | None:
        """Tell in whose name a Local channel's exten is dialled; None if that is not certain."""
        member = _MEMBER.fullmatch(exten)
        if member is None:
            return self.extension(exten)
        return self.extension(member[1]) or self.mobile_of(member[1])

    def is_follow_me(self, exten: str) -> bool:
        """Tell whether a Local channel's exten is a number of a follow-me list of FreePBX."""
        return exten.startswith("FMGL-")

    def mobile_of(self, raw: str) -> Extension | None:
        """Tell whose configured mobile this number is."""
        return self._mobiles.get(self.number(raw))

    def dialled(self, channel: str, dial_string: str) -> str:
        """Read the number that a leg dials, without the prefix for an outside line.

        Without `channel`, `dial_string` is what somebody dialled: any trunk's `strip` may be before it.
        """
        if not channel:
            return self._dialled_by_hand(dial_string)
        peer, number = split_dial(dial_string)
        number = number.strip("wW")
        driver = channel.partition("/")[0].upper()
        trunk = self._trunk_of((*devices(channel), Device(driver, peer)))
        strip = trunk.strip if trunk else ""
        if not strip or not number.startswith(strip):
            return self.number(number)
        whole, rest = self._phones.read(number), self._phones.read(number.removeprefix(strip))
        # `9101234567` on a line with the prefix 9 was dialled without it.
        return (whole if whole.known and not rest.known else rest).digits

    def target(self, argument: str) -> Party:
        """Tell whom an argument of `Dial` names."""
        device = dialled_device(argument)
        return self.party(f"{device.driver}/{device.name}")

    def common_number(self) -> str:
        """Tell the number that all provider trunks share; `''` if they do not, or none is configured."""
        numbers = {self.number(trunk.number) for trunk in self._trunks.values() if trunk.kind == "provider"}
        return numbers.pop() if len(numbers) == 1 else ""

    def did(self, number: str) -> Did | None:
        """Find what is configured for a DID (number as `number()` writes it)."""
        return self._dids.get(number)

    def trunk_data(self, trunk: str) -> tuple[tuple[str, str], ...]:
        """Tell what is configured for a trunk's calls (`Party.trunk`): fields for their data tags."""
        found = self._trunks.get(trunk.casefold())
        return tuple(found.data.items()) if found is not None else ()

    def default_extension(self, did: str) -> Extension | None:
        """Tell for whom an unclaimed call through this DID counts: the DID's, else the general default."""
        known = self._dids.get(did)
        return (known and known.default_extension) or self._default

    def is_reported(self, extension: Extension) -> bool:
        """Tell whether this employee's calls are reported (`employees[].report`)."""
        return extension not in self._unreported

    def _find_party(self, channel: str) -> Party:
        candidates = devices(channel)
        return (
            _plumbing(candidates[0])
            or self._trunk_party(candidates)
            or self._ignored(candidates)
            or next(filter(None, map(self._employee, candidates)), None)
            or _outside(candidates)
        )

    def _trunk_party(self, candidates: Sequence[Device]) -> Party | None:
        trunk = self._trunk_of(candidates)
        if trunk is None:
            return None
        why = f"trunks: {trunk.channel}"
        return Party(_KINDS[trunk.kind], None, trunk.channel, self.number(trunk.number), why)

    def _ignored(self, candidates: Sequence[Device]) -> Party | None:
        for pattern in self._ignored_channels:
            if any(fnmatchcase(device.key, pattern) for device in candidates):
                return _party(Kind.IGNORED, f"ignore.channels: {pattern}")
        return None

    def _employee(self, device: Device) -> Party | None:
        if extension := self._devices.get(device.key):
            return _employee(extension, f"numbering.employees: a device of {extension}")
        if extension := self._learned.get(device.key):
            return _employee(extension, f"the PBX says: a phone of {extension}")
        if device.driver not in PHONE_DRIVERS:
            return None
        if extension := self.extension(device.name):
            told = "the PBX has this phone, and " if device.key in self._learned else ""
            return _employee(extension, f"{told}its name is an extension")
        if device.name.startswith(_TWINS) and (extension := self.extension(device.name[2:])):
            return _employee(extension, f"FreePBX's second phone ({device.name[:2]}) of {extension}")
        return None

    def _trunk_of(self, candidates: Iterable[Device]) -> Trunk | None:
        spans = False
        for device in candidates:
            if trunk := self._trunks.get(device.key):
                return trunk
            spans = spans or (device.driver == "DAHDI" and bool(_SPAN.fullmatch(device.name)))
        if spans:
            # A channel tells its span, not the group by which it was dialled; a lone group has all of them.
            groups = [
                trunk
                for key, trunk in self._trunks.items()
                if key.startswith("dahdi/") and _GROUP.fullmatch(key.removeprefix("dahdi/"))
            ]
            return groups[0] if len(groups) == 1 else None
        return None

    def _dialled_by_hand(self, text: str) -> str:
        readings = [self._phones.read(one) for one in (text, *self._stripped(text))]
        known = [reading.digits for reading in readings if reading.known]
        # `979101234567` is a number of +979 as well; who has a prefix 9 has dialled a mobile at home.
        known.sort(key=lambda digits: not self._phones.is_home(digits))
        return known[0] if known else readings[0].digits

    def _stripped(self, raw: str) -> list[str]:
        prefixes = dict.fromkeys(trunk.strip for trunk in self._trunks.values())
        return [raw.removeprefix(prefix) for prefix in prefixes if prefix and raw.startswith(prefix)]

    def _caller_pattern(self, text: str) -> str:
        return re.sub(r"[^0-9*]", "", text) if "*" in text else self.number(text)


def _extension_or_none(text: str) -> Extension | None:
    return Extension(text) if 0 < len(text) <= LONGEST_EXTENSION else None


def _plumbing(device: Device) -> Party | None:
    if device.driver == "LOCAL":
        return _party(Kind.LOCAL, "half of a Local channel")
    if device.driver in PLUMBING or not device.name:
        return _party(Kind.OTHER, "neither a phone nor a line")
    return None


def _outside(candidates: Sequence[Device]) -> Party:
    if any(device.name.casefold() in _GUESTS for device in candidates):
        return _party(Kind.IGNORED, "a guest")
    return _party(Kind.PROVIDER, "nothing else claims it: outside")


def _party(kind: Kind, why: str) -> Party:
    return Party(kind, None, "", "", why)


def _employee(extension: Extension, why: str) -> Party:
    return Party(Kind.EMPLOYEE, extension, "", "", why)
