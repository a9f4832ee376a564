"""What a screen shows can be misread by nobody on its way there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_planfix.contacts.screen import MOST_BYTES, on_screen


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Иванов Пётр", "Иванов Пётр"),
        ('ООО «Ромашка», "Юг"', "ООО Ромашка Юг"),
        ("A\r\nB\x00C\u202eD", "A B C D"),
        ("${SHELL(rm)} $[1]", "SHELL rm 1"),
        ("a|b;c\\d<e>", "a b c d e"),
        ("№ 5 — Анна-Мария", "№ 5 - Анна-Мария"),
        ("🎉", ""),
        ("O’Neill & Co.", "O'Neill & Co."),
    ],
)
def test_what_nobody_can_misread_stays(name: str, shown: str) -> None:
    assert on_screen(name) == shown


@given(st.text(max_size=100), st.text(max_size=20), st.integers(8, 79), st.booleans())
def test_whatever_the_name_is_it_is_short_printable_and_has_no_sign_of_the_dialplan(
    name: str, prefix: str, most: int, transliterate: bool
) -> None:
    shown = on_screen(name, prefix, most, transliterate=transliterate)
    assert len(shown) <= most
    assert len(shown.encode()) <= MOST_BYTES
    assert not set(shown) & set('"\\$[]{}()<>|;,=\r\n\0')
    assert shown == shown.strip()
    if transliterate:
        assert shown.isascii()


def test_a_name_ends_at_a_characters_end() -> None:
    assert on_screen("Пётр", most=8) == "Пётр"
    assert on_screen("Я" * 60, most=60) == "Я" * 39
    # q with two accents has no single character: it is shown with both, or not at all.
    assert on_screen("q\u0302\u0301" * 3, most=8) == "q\u0302\u0301" * 2
    assert on_screen("a" * 7 + "q\u0302\u0301", most=8) == "a" * 7


def test_phones_without_cyrillic_get_latin_letters() -> None:
    assert on_screen("Щёголев Юрий, ООО «Юг»", "Отдел:", transliterate=True) == "Otdel: Shchegolev Yuriy OOO Yug"


def test_a_prefix_is_shown_whole_and_the_name_is_cut() -> None:
    assert on_screen("Иванов Пётр", "Sales:", 12) == "Sales: Ивано"
