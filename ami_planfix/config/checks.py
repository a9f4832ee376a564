"""What no key alone can tell: keys that contradict each other."""

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

import phonenumbers

from ami_planfix.config.model import Config
from ami_planfix.config.problems import KeyPath
from ami_planfix.config.values import Address, is_loopback


class Contradiction(NamedTuple):
    """A key, and why its value cannot be beside the others."""

    key: KeyPath
    wrong: str
    allowed: str = ""


def contradictions(config: Config) -> Iterator[Contradiction]:
    """Find all contradictions."""
    yield from _employees(config)
    yield from _lines(config)
    yield from _listeners(config)
    yield from _recordings(config)
    yield from _mail(config)


def _employees(config: Config) -> Iterator[Contradiction]:
    employees = list(enumerate(config.numbering.employees))
    key: KeyPath = ("numbering", "employees")
    extensions = [((*key, at, "extension"), who.extension) for at, who in employees]
    devices = [
        ((*key, at, "devices", nth), one.casefold()) for at, who in employees for nth, one in enumerate(who.devices)
    ]
    mobiles = [
        ((*key, at, "mobiles", nth), _digits(one, config.numbering.country))
        for at, who in employees
        for nth, one in enumerate(who.mobiles)
    ]
    yield from _twice(extensions, "this extension")
    yield from _twice(devices, "this device")
    yield from _twice(mobiles, "this mobile")
    trunks = {trunk.channel.casefold() for trunk in config.trunks}
    for device_key, device in devices:
        if device in trunks:
            yield Contradiction(device_key, "is a trunk as well", "an employee's phone here, a line in `trunks`")


def _lines(config: Config) -> Iterator[Contradiction]:
    country = config.numbering.country
    yield from _twice(
        [(("trunks", at, "channel"), line.channel.casefold()) for at, line in enumerate(config.trunks)], "this channel"
    )
    yield from _twice(
        [(("dids", at, "number"), _digits(did.number, country)) for at, did in enumerate(config.dids)], "this number"
    )


def _listeners(config: Config) -> Iterator[Contradiction]:
    found: list[tuple[KeyPath, Address]] = [
        (("admin", "listen"), config.admin.listen),
        (("contacts", "fastagi"), config.contacts.fastagi),
    ]
    server = config.server
    if server is not None:
        found.append((("server", "listen"), server.listen))
        if server.tls is None and not server.listen.is_loopback and not server.trusted_proxies:
            yield Contradiction(
                ("server", "listen"),
                f"{server.listen} is open to others without TLS",
                "server.tls with a certificate; behind a proxy: a loopback address, or server.trusted_proxies",
            )
    for (first, one), (second, other) in combinations(found, 2):
        if one.port == other.port != 0 and (one.host == other.host or one.is_everywhere or other.is_everywhere):
            name = ".".join(map(str, first))
            yield Contradiction(second, f"port {other.port} is that of {name} as well", "a port for each")


def _recordings(config: Config) -> Iterator[Contradiction]:
    section = config.recordings
    if section.link == "completed" and section.link_days:
        # `is_temp` is a parameter of `record` alone (Planfix API, `record`).
        yield Contradiction(
            ("recordings", "link_days"), "a link in the report of the call's end cannot expire", "0, or link: record"
        )


def _mail(config: Config) -> Iterator[Contradiction]:
    mail = config.alerts.mail
    if mail is None:
        return
    key: KeyPath = ("alerts", "mail")
    password = bool(mail.password.get_secret_value())
    if password != bool(mail.username):
        missing = "username" if password else "password"
        yield Contradiction((*key, missing), "is missing", "username and password, or neither")
    if password and mail.tls == "none" and not is_loopback(mail.host):
        yield Contradiction((*key, "tls"), "the password would go there for all to read", "starttls, or tls")


def _twice(values: Iterable[tuple[KeyPath, str]], what: str) -> Iterator[Contradiction]:
    first: dict[str, KeyPath] = {}
    for key, value in values:
        if value in first:
            section = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first[value])
            yield Contradiction(key, f"{what} is given twice, first in {section.removeprefix('.')}")
        first.setdefault(value, key)


def _digits(number: str, country: str) -> str:
    """Write a number so that `89161234567` and `+7 916 123-45-67` are the same."""
    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
