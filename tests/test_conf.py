"""Asterisk's configuration files are read as Asterisk reads them (main/config.c)."""

from pathlib import Path

import pytest

from ami_planfix.conf import read


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.conf").write_text(text, "utf-8")
    return folder / "main.conf"


def test_sections_options_and_comments(tmp_path: Path) -> None:
    text = (
        "; first\n[one] ; begins\nkey = value ; said\nother=>x\n;[two]\nlast = a\\;b\n;-- [three]\nkey=no --;\n[four]\n"
    )
    found = read(written(tmp_path, main=text))
    one = found.find("one")
    assert one is not None
    assert one.options == [("key", "value"), ("other", "x"), ("last", "a;b")]
    assert found.named() == ["one", "four"]
    assert found.find("two") is None


def test_the_last_value_wins_and_all_are_there(tmp_path: Path) -> None:
    one = read(written(tmp_path, main="[one]\nallow=ulaw\nAllow = alaw\n")).find("one")
    assert one is not None
    assert (one.get("allow"), one.all("allow"), one.get("deny", "none")) == ("alaw", ["ulaw", "alaw"], "none")


def test_what_is_inherited_comes_first_and_what_is_added_last(tmp_path: Path) -> None:
    text = "[base](!)\na=1\nb=1\n[mid](!,base)\nb=2\n[one](mid)\nc=3\n[one](+)\na=4\n"
    one = read(written(tmp_path, main=text)).find("one")
    assert one is not None
    assert {key: one.get(key) for key in "abc"} == {"a": "4", "b": "2", "c": "3"}


def test_templates_that_go_round_in_circles_come_to_an_end(tmp_path: Path) -> None:
    one = read(written(tmp_path, main="[a](!,b)\nx=1\n[b](!,a)\n[one](a)\n")).find("one")
    assert one is not None
    assert one.get("x") == "1"


def test_included_files_with_wildcards_and_such_as_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/b.conf").write_text("[b]\nkey=2\n")
    (tmp_path / "d/a.conf").write_text("[a]\nkey=1\n")
    found = read(written(tmp_path, main='#include "d/*.conf"\n#tryinclude gone.conf\n#exec /bin/ls\n[c]\n'))
    assert found.named() == ["a", "b", "c"]
    assert found.includes == ["d/*.conf", "gone.conf"]
    assert [path.name for path in found.files] == ["main.conf", "a.conf", "b.conf"]


def test_a_file_that_includes_itself_comes_to_an_end(tmp_path: Path) -> None:
    assert read(written(tmp_path, main="[one]\nkey=1\n#include main.conf\n")).named() == ["one"]


def test_keys_with_brackets(tmp_path: Path) -> None:
    line = "eventfilter(action(include),header(Variable),method(regex)) = ^_*(A|B)=$"
    one = read(written(tmp_path, main=f"[one]\n{line}\nexten => _X.,1,Set(a=b)\n")).find("one")
    assert one is not None
    assert one.options[0] == ("eventfilter(action(include),header(Variable),method(regex))", "^_*(A|B)=$")
    assert one.options[1] == ("exten", "_X.,1,Set(a=b)")


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "main.conf")


def test_what_is_not_to_be_seen_is_taken_out_of_each_file(tmp_path: Path) -> None:
    path = written(tmp_path, main="[one]\n#include more.conf\n", more="[two]\nkey=1\n")
    assert read(path, without=lambda text: text.replace("[two]\nkey=1\n", "")).named() == ["one"]
