"""How a problem is shown."""

from ami_planfix.config.problems import LONGEST_SHOWN, Problem, dotted, harmless, in_order, nearest, shown


def test_it_says_where_what_and_what_was_meant() -> None:
    problem = Problem("config.yaml", 12, 5, ("trunks", 0, "kind"), "'extern' is not allowed", "a, b", "b")
    assert str(problem) == "config.yaml:12: trunks[0].kind: 'extern' is not allowed; allowed: a, b. Did you mean b?"


def test_it_leaves_out_what_it_does_not_know() -> None:
    assert str(Problem("config.yaml", None, None, (), "cannot be read")) == "config.yaml: cannot be read"


def test_a_key_is_written_as_people_do() -> None:
    assert dotted(("numbering", "employees", 2, "mobiles", 0)) == "numbering.employees[2].mobiles[0]"


def test_a_long_or_strange_text_is_made_harmless() -> None:
    assert harmless("a\r\n\x1b[1m\u202e") == "a\\r\\n\\x1b[1m\\u202e"
    assert harmless("Отдел продаж") == "Отдел продаж"
    assert harmless("x" * 100) == "x" * 60 + "..."


def test_the_nearest_word_is_found_if_there_is_one() -> None:
    assert nearest("secrt", ["port", "secret"]) == "secret"
    assert nearest("CANCELED", ["Canceled", "Cancelled"]) == "Canceled"
    assert nearest("zzz", ["port", "secret"]) == ""


def test_problems_are_told_from_the_top() -> None:
    late, early = (Problem("f", line, 1, (), "x") for line in (9, 2))
    assert in_order([late, early]) == (early, late)


def test_a_password_in_an_address_is_not_shown() -> None:
    assert shown("ftp://user:password@host/") == "'ftp://...@host/'"
    assert "password" not in shown(f"ftp://user:password{'x' * LONGEST_SHOWN}@host/")
