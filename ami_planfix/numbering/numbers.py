"""Telephone numbers as people, providers and dialplans write them -> digits with country code."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import CountryCodeSource, NumberParseException, PhoneNumber, ValidationResult

LONGEST = 24
"""Digits: fifteen of E.164, the prefixes for abroad and for an outside line, and a margin."""

_WRITTEN = re.compile(rf"(\+?)([0-9]{{1,{LONGEST}}})", re.ASCII)
_DECORATION = str.maketrans("", "", " ().-/\u00a0")


class Reading(NamedTuple):
    """What was made of a number."""

    digits: str
    """With country code if `known`, else as they came; `''` for what is no number."""
    known: bool
    """It is, or could be, the number of a telephone somewhere: IS_POSSIBLE for libphonenumber."""


NOTHING = Reading("", False)

_NO_NUMBER = re.compile(r"(?!)")


class PhoneNumbers:
    """Reads numbers as somebody in one country, and perhaps one city, would."""

    def __init__(self, country: str, area_code: str = "") -> None:
        self._country = country
        self._code = str(phonenumbers.country_code_for_region(country))
        self._area_code = area_code
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
        self._home = _home_numbers(country, self._code)
        self._abroad_prefix = re.compile((metadata and metadata.international_prefix) or _NO_NUMBER.pattern)
        self.read = lru_cache(maxsize=8192)(self._read)

    def is_possible_here(self, raw: str) -> bool:
        """Tell whether libphonenumber finds it possible as a number of this country or, with its prefix, abroad."""
        written = _written(raw)
        return written is not None and _is_possible(self._parse("".join(written)))

    def is_home(self, digits: str) -> bool:
        """Tell whether digits with country code are those of this country."""
        return digits.startswith(self._code)

    def _read(self, raw: str) -> Reading:
        """Read a number; never raises, whatever it is given."""
        written = _written(raw)
        if written is None:
            return NOTHING
        plus, digits = written
        if self._home.fullmatch(digits) and (plus or not self._abroad_prefix.match(digits)):
            return Reading(digits, True)
        found = next(self._abroad(digits) if plus else self._meanings(digits), None)
        return Reading(_e164(found), True) if found else Reading(digits, False)

    def _abroad(self, digits: str) -> Iterator[PhoneNumber]:
        number = self._parse("+" + digits)
        if number and _is_possible(number):
            yield number

    def _meanings(self, digits: str) -> Iterator[PhoneNumber]:
        """Tell what digits without a plus may mean, the surest first."""
        if self._abroad_prefix.match(digits):
            far = self._parse(digits)
            if far and far.country_code_source == CountryCodeSource.FROM_NUMBER_WITH_IDD and _is_possible(far):
                yield far
        if digits.startswith("00"):
            yield from self._valid("+" + digits[2:])
        # Our own country's code first: `4930...` in Germany is no area code 04930 without its zero.
        if digits.startswith(self._code):
            yield from self._valid("+" + digits)
        here = self._parse(digits)
        if here and phonenumbers.is_valid_number(here):
            yield here
        yield from self._valid("+" + digits)
        # With the prefix or code of this country before it, it is meant so, even if the range is a new one.
        if here and _is_possible(here) and len(phonenumbers.national_significant_number(here)) < len(digits):
            yield here
        if self._area_code and 5 <= len(digits) <= 7:
            yield from self._valid(f"+{self._code}{self._area_code}{digits}")

    def _valid(self, text: str) -> Iterator[PhoneNumber]:
        number = self._parse(text)
        if number and phonenumbers.is_valid_number(number):
            yield number

    def _parse(self, text: str) -> PhoneNumber | None:
        try:
            return phonenumbers.parse(text, self._country, keep_raw_input=True)
        except NumberParseException:
            return None


def _home_numbers(country: str, code: str) -> re.Pattern[str]:
    """Make a pattern of a country's fixed and mobile numbers with its code, of which libphonenumber changes nothing.

    Most numbers that come are such, and to ask the library itself takes as long as some events of a call. Others, and
    those of a country that is not the first of its code, are left to it.
    """
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
    general = metadata.general_desc if metadata is not None else None
    if metadata is None or general is None or phonenumbers.region_code_for_country_code(int(code)) != country:
        return _NO_NUMBER
    prefixed = metadata.national_prefix_for_parsing
    kinds = [
        rf"(?=[0-9]{{{length}}}\Z)(?:{kind.national_number_pattern})"
        for kind in (metadata.mobile, metadata.fixed_line)
        if kind is not None and kind.national_number_pattern
        for length in kind.possible_length or general.possible_length
    ]
    if not kinds:
        return _NO_NUMBER
    return re.compile(rf"{code}(?!{prefixed or _NO_NUMBER.pattern})(?:{'|'.join(kinds)})", re.ASCII)


def _written(raw: str) -> tuple[str, str] | None:
    """Tell the plus, if there is one, and the digits; None if there is anything else."""
    if len(raw) > 2 * LONGEST:
        return None
    match = _WRITTEN.fullmatch(raw.strip().translate(_DECORATION))
    return (match[1], match[2]) if match else None


def _is_possible(number: PhoneNumber | None) -> bool:
    # Not IS_POSSIBLE_LOCAL_ONLY: seven digits without an area code lead to no telephone in the world.
    if number is None:
        return False
    return phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE


def _e164(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).lstrip("+")
