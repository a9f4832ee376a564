"""YAML -> values with the line where they stand."""

from pathlib import Path

import pytest

from ami_planfix.config.source import LARGEST, Spot, read


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def complaints(file: Path, content: bytes) -> list[str]:
    file.write_bytes(content)
    source = read(file, {})
    return [str(problem).removeprefix(str(file)) for problem in source.problems]


def test_every_key_and_item_has_its_line(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfa:\r\n  b: 1\r\n  c:\r\n    - x\r\n    - {d: 2}\r\n")
    source = read(file, {})
    assert source.tree == {"a": {"b": "1", "c": ["x", {"d": "2"}]}}
    assert source.spots[("a", "b")] == Spot(2, 3)
    assert source.spots[("a", "c")] == Spot(3, 3)
    assert source.spots[("a", "c", 0)] == Spot(4, 7)
    assert source.spots[("a", "c", 1, "d")] == Spot(5, 8)


def test_a_problem_with_what_is_not_there_stands_where_it_should_be(file: Path) -> None:
    file.write_text("a:\n\nb:\n  c: 1\n")
    problem = read(file, {}).problem(("b", "d", 0), "is missing")
    assert (problem.line, str(problem)) == (3, f"{file}:3: b.d[0]: is missing")


def test_what_is_written_is_kept_beside_what_it_means(file: Path) -> None:
    file.write_text("a: x${HOME}y\n")
    source = read(file, {"HOME": "/root"})
    assert (source.tree, source.written[("a",)]) == ({"a": "x/rooty"}, "x${HOME}y")


def test_a_variables_own_text_is_not_filled_in_again(file: Path) -> None:
    file.write_text("a: ${A}\n")
    assert read(file, {"A": "${B}", "B": "x"}).tree == {"a": "${B}"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"a: 1\nb: 2\na: 3\n", ":3: a: is given twice, first in line 1"),
        (b"a:\n  b: 1\n  b: 2\n", ":3: a.b: is given twice, first in line 2"),
        (b"a:\n\tb: 1\n", ":2: a tab: indent with spaces"),
        (b"a: %b\n", ":1: a value that begins with a special character (% @ `): put it in quotes"),
        (b"a: *b\n", ":1: a value that begins with * or &: put it in quotes"),
        (b"a: &b 1\nc: *b\n", ":2: c: anchors and aliases (& and *) are not used here; allowed: the value itself"),
        (b"a: &b [*b]\n", ":1: a[0]: anchors and aliases (& and *) are not used here; allowed: the value itself"),
        (b"a: !b c\n", ":1: a: tags (!) are not used here; allowed: the value alone, in quotes if it begins with !"),
        (b"a: !!python/object:os.system x\n", ":1: a: tags (!) are not used here; allowed: the value alone, in quotes"),
        (b"a: b: c\n", ":1: a colon where none can be: put the value in quotes, or mend the indentation"),
        (b"a: 1\nb\nc: 2\n", ":2: a key without its colon, or a quote that is not closed"),
        (b"a: 'b\nc: 2\n", ":1: a quote that is not closed"),
        (b"a: [b\nc: 2\n", ":2: a bracket that is not closed, or a missing comma"),
        (b"a: 1\n  b: 2\n", ":2: a colon where none can be: put the value in quotes, or mend the indentation"),
        (b"a: 'b' c\n", ":1: wrong indentation, or something after the end of a value"),
        (b"a: 1\n---\nb: 2\n", ":2: a second document (---): one file has one configuration"),
        (b"[a]: 1\n", ":1: a list or a section cannot be a key"),
        (b"a: 1\nb: \xcf\xf0\n", ":2: is not UTF-8 here: save the file as UTF-8"),
        (b"a: 1\nb: \x00\n", ":2: a character that YAML does not allow"),
        (b"a: " + b"[" * 50_000, ": brackets or lists are nested too deeply"),
        (b"#" * (LARGEST + 1), ": is too large for a configuration; allowed: 256 KiB"),
    ],
)
def test_what_is_wrong_with_the_file_is_told_with_its_line(file: Path, content: bytes, complaint: str) -> None:
    (found,) = complaints(file, content)
    assert found.startswith(complaint)


def test_a_bomb_of_aliases_does_not_go_off(file: Path) -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 200))
    assert complaints(file, bomb.encode())


def test_a_file_that_is_not_there_is_told(file: Path) -> None:
    assert [str(problem) for problem in read(file, {}).problems] == [
        f"{file}: cannot be read: No such file or directory (copy config.example.yaml there, or name another)"
    ]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert [str(problem) for problem in read(tmp_path, {}).problems] == [
        f"{tmp_path}: cannot be read: Is a directory (name the file in it)"
    ]
