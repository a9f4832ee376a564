"""The house stays as it was meant: who may import whom, that modules say why they exist, that rules are tested."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "ami_planfix"
LONGEST_MODULE = 450
LONGEST_FUNCTION = 60


def modules(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py") if path.stat().st_size)


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def rules() -> list[int]:
    """Give the numbers of the rules in docs/rules.md."""
    text = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    return [int(number) for number in re.findall(r"^(\d+)\. ", text, re.MULTILINE)]


def cited(path: Path) -> set[int]:
    """Give the rules that a test names: `class TestRule07...`, `"Rule 7"`, `(rules 3 and 15)`."""
    text = path.read_text(encoding="utf-8")
    named = re.findall(r"class TestRule(\d+)", text)
    for several in re.findall(r"\b[Rr]ules? ((?:\d+|, | and | to )+)", text):
        named += re.findall(r"\d+", several)
    return {int(number) for number in named}


def test_imports_run_one_way_the_heart_is_pure_and_one_module_knows_panoramisk() -> None:
    # A process of its own: import-linter silences the loggers of whoever runs it.
    checked = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("path", modules(PACKAGE), ids=shown)
def test_a_module_says_in_its_first_line_why_it_exists(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring, f"{shown(path)} has no docstring"
    assert re.search(r"[.)]$", docstring.splitlines()[0]), f"{shown(path)}: its first line is no sentence"


def test_no_module_is_too_long_to_be_read_at_once() -> None:
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules(PACKAGE)}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_no_function_is_too_long_to_be_understood_at_once() -> None:
    lengths = {
        f"{shown(path)}:{function.name}": (function.end_lineno or 0) - function.lineno + 1
        for path in modules(PACKAGE)
        for function in functions(path)
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}


def test_rules_are_numbered_without_a_gap() -> None:
    assert rules() == list(range(1, len(rules()) + 1))


def test_every_rule_is_cited_by_a_test_of_the_calls_and_no_test_cites_a_rule_that_does_not_exist() -> None:
    tested = {number for path in (ROOT / "tests" / "calls").glob("test_*.py") for number in cited(path)}
    assert sorted(tested) == rules()


def test_no_work_is_left_for_later() -> None:
    words = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b|pytest\.mark\.(skip|xfail)\b|pytest\.(skip|xfail)\(")
    left = [shown(path) for path in modules(PACKAGE, ROOT / "tests") if words.search(path.read_text(encoding="utf-8"))]
    assert [name for name in left if name != "tests/test_house.py"] == []
