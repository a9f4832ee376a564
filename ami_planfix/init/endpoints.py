"""Phones and lines, out of Asterisk's own files: pjsip.conf, pjsip_wizard.conf, sip.conf."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import phonenumbers

from ami_planfix import conf
from ami_planfix.conf import Conf, Section
from ami_planfix.init.machine import Machine

_OUTSIDE = re.compile(r"trunk|pstn|provider|external|outside|(?:^|-)did(?:-|$)|incoming|inbound", re.IGNORECASE)
_USER = re.compile(r"(?:sips?:)?\+?([0-9]{5,15})(?:@|$)")
_NOBODY = frozenset({"anonymous", "guest", "general", "authentication", "dpma_endpoint", "global", "system"})


class Phone(NamedTuple):
    """An endpoint that looks like a phone."""

    channel: str
    """As in channel names: `PJSIP/101`."""
    context: str

    @property
    def name(self) -> str:
        """Tell its name without the driver."""
        return self.channel.partition("/")[2]


class Line(NamedTuple):
    """An endpoint that looks like a line to the outside."""

    channel: str
    number: str
    """Its telephone number as digits with country code; `''` if nothing tells it."""


class Endpoints(NamedTuple):
    """All that was found, in the order of the files."""

    phones: tuple[Phone, ...]
    lines: tuple[Line, ...]


def find(machine: Machine, etc: str) -> Endpoints:
    """Read the files that are there."""
    phones: list[Phone] = []
    lines: list[Line] = []
    for name, sort in (("pjsip.conf", _pjsip), ("pjsip_wizard.conf", _wizard), ("sip.conf", _sip)):
        try:
            found = conf.read(machine.at(f"{etc}/{name}"), machine.at(etc))
        except OSError:
            continue
        for one in sort(found):
            if isinstance(one, Phone):
                phones.append(one)
            else:
                lines.append(one)
    return Endpoints(tuple(dict.fromkeys(phones)), tuple({line.channel: line for line in lines}.values()))


def _pjsip(found: Conf) -> Iterator[Phone | Line]:
    typed: dict[str, dict[str, Section]] = {}
    for section in _whole(found):
        typed.setdefault(section.get("type"), {})[section.name] = section
    told: dict[str, list[Section]] = {}
    for kind in ("identify", "registration"):
        for section in typed.get(kind, {}).values():
            told.setdefault(section.get("endpoint") or section.name, []).append(section)
    for name, endpoint in typed.get("endpoint", {}).items():
        if name in _NOBODY:
            continue
        others = told.get(name, [])
        outside = endpoint.get("outbound_auth") or others or _OUTSIDE.search(endpoint.get("context"))
        if not outside:
            yield Phone(f"PJSIP/{name}", endpoint.get("context"))
            continue
        users = [section.get(key) for section in others for key in ("client_uri", "contact_user")]
        users += [endpoint.get(key) for key in ("from_user", "contact_user", "callerid")]
        yield Line(f"PJSIP/{name}", _number(*users, name))


def _whole(found: Conf) -> Iterator[Section]:
    """Put sections together; in pjsip.conf one name may have one section of each type."""
    for section in found.sections:
        if section.is_template:
            continue
        whole = Section(section.name, section.file, options=[*found.inherited(section), *section.options])
        if whole.get("type"):
            yield whole


def _wizard(found: Conf) -> Iterator[Phone | Line]:
    for section in _whole(found):
        if section.get("type") != "wizard" or section.name in _NOBODY:
            continue
        context = section.get("endpoint/context")
        phone = section.get("accepts_registrations").lower() in ("yes", "true", "1")
        if phone and not _OUTSIDE.search(context):
            yield Phone(f"PJSIP/{section.name}", context)
        else:
            user = section.get("outbound_auth/username")
            yield Line(f"PJSIP/{section.name}", _number(section.get("endpoint/from_user"), user, section.name))


def _sip(found: Conf) -> Iterator[Phone | Line]:
    general = found.find("general")
    for name in found.named():
        peer = found.find(name)
        if peer is None or name in _NOBODY or not (peer.get("type") or peer.get("host")):
            continue
        context = peer.get("context") or (general.get("context") if general else "")
        if peer.get("host", "dynamic") == "dynamic" and not _OUTSIDE.search(context):
            yield Phone(f"SIP/{name}", context)
        else:
            users = [peer.get(key) for key in ("fromuser", "callbackextension", "defaultuser", "username", "callerid")]
            yield Line(f"SIP/{name}", _number(*users, name))


def _number(*texts: str) -> str:
    """Find a telephone number with its country code among texts; `''` if none is one."""
    for text in texts:
        found = _USER.search(text.rpartition("<")[2].rstrip(">"))
        if found and is_number(found[1]):
            return found[1]
    return ""


def is_number(digits: str) -> bool:
    """Tell whether digits are a telephone number with its country code."""
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(f"+{digits}"))
    except phonenumbers.NumberParseException:
        return False
