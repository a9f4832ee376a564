"""Where this is: the country and the area code, from the lines' numbers, else from the machine's settings."""

import re
from collections.abc import Iterable
from typing import NamedTuple

import phonenumbers

from ami_planfix.init.machine import Machine

HOME = "RU"


class Place(NamedTuple):
    """A guess, and what it rests on."""

    country: str
    area_code: str
    why: str


def guess(machine: Machine, numbers: Iterable[str]) -> Place:
    """Guess by the first number that tells, by the time zone, or not at all."""
    for digits in numbers:
        parsed = phonenumbers.parse(f"+{digits}")
        country = phonenumbers.region_code_for_number(parsed)
        if country:
            return Place(country, _area_code(parsed), f"the number {digits} is from there")
    zone = _time_zone(machine)
    country = _country_of(machine, zone)
    return Place(country, "", f"the time zone {zone}") if country else Place(HOME, "", "nothing tells another one")


def _area_code(number: phonenumbers.PhoneNumber) -> str:
    length = phonenumbers.length_of_geographical_area_code(number)
    return phonenumbers.national_significant_number(number)[:length]


def _time_zone(machine: Machine) -> str:
    named = machine.read("/etc/timezone").strip()
    link = machine.at("/etc/localtime")
    if not named and link.is_symlink():
        named = str(link.readlink()).partition("zoneinfo/")[2]
    return named


def _country_of(machine: Machine, zone: str) -> str:
    for table in ("zone.tab", "zone1970.tab"):
        for line in machine.read(f"/usr/share/zoneinfo/{table}").splitlines():
            fields = line.split("\t")
            if len(fields) > 2 and fields[2] == zone and re.fullmatch("[A-Z]{2}", fields[0][:2]):
                return fields[0][:2]
    return ""
