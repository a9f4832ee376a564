"""Numbers as people, providers and dialplans write them."""

import random
import re

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ami_planfix.numbering.numbers import LONGEST, PhoneNumbers

RUSSIA = PhoneNumbers("RU", "495")


@pytest.mark.parametrize(
    ("raw", "digits"),
    [
        ("+7 (910) 123-45-67", "79101234567"),
        ("79101234567", "79101234567"),
        ("89101234567", "79101234567"),
        ("8 (910) 123-45-67", "79101234567"),
        ("9101234567", "79101234567"),
        ("88001234567", "78001234567"),
        ("4951234567", "74951234567"),
        ("810375291234567", "375291234567"),
        ("00375291234567", "375291234567"),
        ("+375291234567", "375291234567"),
        ("375291234567", "375291234567"),
        ("380501234567", "380501234567"),
        ("4915112345678", "4915112345678"),
        ("+4951234567", "4951234567"),
        ("12125551234", "12125551234"),
        ("810919876543210", "919876543210"),
        ("\t+7 910\u00a0123.45.67 ", "79101234567"),
    ],
)
def test_in_russia_a_number_becomes_digits_with_country_code(raw: str, digits: str) -> None:
    assert RUSSIA.read(raw) == (digits, True)


@pytest.mark.parametrize(
    ("country", "raw", "digits"),
    [
        ("UA", "0501234567", "380501234567"),
        ("UA", "380501234567", "380501234567"),
        ("UA", "0079101234567", "79101234567"),
        ("BY", "80291234567", "375291234567"),
        ("BY", "291234567", "375291234567"),
        ("BY", "81079101234567", "79101234567"),
        ("KZ", "87012345678", "77012345678"),
        ("KZ", "7012345678", "77012345678"),
        ("KZ", "77012345678", "77012345678"),
        ("DE", "030123456", "4930123456"),
        ("DE", "4930123456", "4930123456"),
        ("DE", "004930123456", "4930123456"),
        ("DE", "0079101234567", "79101234567"),
        ("US", "(212) 555-1234", "12125551234"),
        ("US", "12125551234", "12125551234"),
        ("US", "01179101234567", "79101234567"),
        ("US", "8105551234", "18105551234"),  # Michigan, and no call abroad from Russia
    ],
)
def test_in_other_countries_their_own_prefixes_count(country: str, raw: str, digits: str) -> None:
    assert PhoneNumbers(country).read(raw) == (digits, True)


@pytest.mark.parametrize("raw", ["112", "900", "101", "0", "12345678", "12345", "+1234", "00", "810", "1" * LONGEST])
def test_what_is_no_telephone_number_stays_as_it_is_without_an_invented_country_code(raw: str) -> None:
    assert RUSSIA.read(raw) == (raw.lstrip("+"), False)


@pytest.mark.parametrize(
    ("raw", "digits"), [("1234567", "74951234567"), ("123-45-67", "74951234567"), ("+1234567", "1234567")]
)
def test_seven_digits_are_a_number_of_the_own_city(raw: str, digits: str) -> None:
    assert RUSSIA.read(raw).digits == digits


@pytest.mark.parametrize(("raw", "digits"), [("51234", "74742251234"), ("251234", "74742251234")])
def test_five_or_six_digits_are_a_number_of_a_smaller_city(raw: str, digits: str) -> None:
    area_code = digits[1 : len(digits) - len(raw)]
    assert PhoneNumbers("RU", area_code).read(raw) == (digits, True)


def test_without_an_area_code_seven_digits_stay_seven() -> None:
    assert PhoneNumbers("RU").read("1234567") == ("1234567", False)


def test_a_national_prefix_and_ten_digits_are_a_number_even_of_a_range_that_is_not_known() -> None:
    assert RUSSIA.read("80291234567") == ("70291234567", True)


@pytest.mark.parametrize(
    "raw",
    [
        *("", " ", "anonymous", "Anonymous", "unknown", "private", "restricted", "unavailable", "asterisk"),
        *("s", "h", "*97", "sip:79101234567@host", "7910123456x", "++79101234567", "7+9101234567"),
        *("٠١٢٣٤٥٦٧٨٩٠", "７９１０１２３４５６７", "²²²", "7910\x00234567", "79101234567\r\nAction: Logoff"),
        *("1" * (LONGEST + 1), "1" * 1_000_000, " " * 1_000_000),
    ],
)
def test_a_hidden_number_and_nonsense_are_empty(raw: str) -> None:
    assert RUSSIA.read(raw) == ("", False)


@given(st.text())
@example("810" * 8)
@example("+" + "0" * LONGEST)
def test_any_text_is_read_as_ascii_digits_and_nothing_else(raw: str) -> None:
    digits = RUSSIA.read(raw).digits
    assert digits == "" or (digits.isascii() and digits.isdigit() and len(digits) <= LONGEST + 4)


@given(st.from_regex(r"\+?[0-9]{1,24}", fullmatch=True), st.sampled_from(["RU", "UA", "BY", "KZ", "DE", "US", "IT"]))
@example("4951234567", "RU")
@example("+4951234567", "RU")
def test_a_number_that_was_understood_is_understood_again_with_a_plus(raw: str, country: str) -> None:
    numbers = PhoneNumbers(country)
    reading = numbers.read(raw)
    if reading.known:
        assert numbers.read("+" + reading.digits) == reading


@given(st.from_regex(r"[0-9]{1,24}", fullmatch=True).filter(lambda text: not text.startswith(("00", "810"))))
def test_in_russia_reading_twice_is_reading_once(raw: str) -> None:
    # Not so behind 810, 00 or a plus: `+4951234567` is German, and without its plus a Moscow number.
    reading = RUSSIA.read(raw)
    assert RUSSIA.read(reading.digits) == reading


def test_what_is_read_without_the_library_is_what_the_library_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers of all countries, their examples with digits changed, as their own people's PBX gets them."""
    dice, quick = random.Random(7), 0
    for country in sorted(phonenumbers.SUPPORTED_REGIONS):
        examples = [phonenumbers.example_number_for_type(country, kind) for kind in range(8)]
        known = [phonenumbers.national_significant_number(one) for one in examples if one is not None]
        ours, theirs = PhoneNumbers(country), PhoneNumbers(country)
        monkeypatch.setattr(theirs, "_home", re.compile(r"(?!)"))
        code = phonenumbers.country_code_for_region(country)
        for number in (_changed(dice, one) for one in known for _ in range(5)):
            for written in (f"{code}{number}", f"+{code}{number}", number):
                quick += ours._home.fullmatch(written.lstrip("+")) is not None
                assert ours.read(written) == theirs.read(written), (country, written)
    assert quick > 1000


def _changed(dice: random.Random, number: str) -> str:
    """Change a number from some digit on, and its length now and then."""
    kept = dice.randrange(len(number) + 1)
    more = len(number) - kept + dice.choice((0, 0, 0, -1, 1))
    return number[:kept] + "".join(dice.choice("0123456789") for _ in range(more))
