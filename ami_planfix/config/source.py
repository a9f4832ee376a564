"""YAML -> values, each with the line where it stands.

Every value is read as the text that was written: what is a number, a switch or an extension the model says, not
YAML. So `0101` keeps its zero, `74951230000` is a telephone number, and Norway's `NO` is no `false`.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import yaml

from ami_planfix.config.problems import KeyPath, Problem, harmless

Value = str | None | list["Value"] | dict[str, "Value"]

LARGEST = 256 * 1024
"""Bytes; a configuration of a thousand employees has about half of it."""

_EMPTY = frozenset({"", "~", "null", "Null", "NULL"})
_TAGS = frozenset({f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")})
_VARIABLE = re.compile(r"\$(\$\{|\{[^}]*\}?)")
_NAME = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)


class Spot(NamedTuple):
    """A place in the file, both from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Source:
    """What a file says, and where; filled by `read`."""

    file: str
    folder: Path
    """Relative paths in the file begin here."""
    tree: Value = None
    spots: dict[KeyPath, Spot] = field(default_factory=dict)
    written: dict[KeyPath, str] = field(default_factory=dict)
    """Texts as they stand in the file, before `${...}` was filled in."""
    problems: list[Problem] = field(default_factory=list)

    def problem(self, key: KeyPath, wrong: str, allowed: str = "", suggestion: str = "") -> Problem:
        """Make a problem of this file; its line is that of the key, or of the nearest section around it."""
        known = next((key[:end] for end in range(len(key), -1, -1) if key[:end] in self.spots), None)
        line, column = self.spots[known] if known is not None else (None, None)
        return Problem(self.file, line, column, key, wrong, allowed, suggestion)


def read(path: Path, environment: Mapping[str, str] = os.environ) -> Source:
    """Read a file; what is wrong with it is in `problems`."""
    source = Source(str(path), path.absolute().parent)
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as fault:
        source.problems.append(source.problem((), f"cannot be read: {fault.strerror}{_remedy(fault)}"))
        return source
    if len(data) > LARGEST:
        source.problems.append(source.problem((), "is too large for a configuration", f"{LARGEST // 1024} KiB"))
        return source
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        source.problems.append(_at(source, Spot(line, 1), "is not UTF-8 here: save the file as UTF-8"))
        return source
    parse(source, text, environment)
    return source


def _remedy(fault: OSError) -> str:
    match fault:
        case FileNotFoundError():
            return " (copy config.example.yaml there, or name another)"
        case IsADirectoryError():
            return " (name the file in it)"
        case PermissionError():
            return " (ask as root, or as the daemon's user)"
    return ""


def parse(source: Source, text: str, environment: Mapping[str, str]) -> None:
    """Read YAML into a source."""
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as fault:
        began = any(words in str(fault.problem) for words in ("unexpected end of stream", "could not find expected"))
        mark = (fault.context_mark if began else None) or fault.problem_mark
        spot = Spot(mark.line + 1, mark.column + 1) if mark else Spot(1, 1)
        source.problems.append(_at(source, spot, _words(fault, text)))
    except yaml.reader.ReaderError as fault:
        line = text.count("\n", 0, int(fault.position)) + 1
        source.problems.append(_at(source, Spot(line, 1), "a character that YAML does not allow"))
    except RecursionError:
        source.problems.append(source.problem((), "brackets or lists are nested too deeply"))
    else:
        source.tree = _Reader(source, environment).value(node, ()) if node is not None else None


class _Reader:
    """Walks the nodes once."""

    def __init__(self, source: Source, environment: Mapping[str, str]) -> None:
        self._source = source
        self._environment = environment
        self._seen: set[int] = set()

    def value(self, node: yaml.Node, key: KeyPath) -> Value:
        """Tell what a node says; complain where it says nothing usable."""
        self._source.spots.setdefault(key, Spot(node.start_mark.line + 1, node.start_mark.column + 1))
        if id(node) in self._seen:
            self._complain(key, "anchors and aliases (& and *) are not used here", "the value itself")
            return None
        self._seen.add(id(node))
        if node.tag not in _TAGS:
            self._complain(key, "tags (!) are not used here", "the value alone, in quotes if it begins with !")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*key, index)) for index, item in enumerate(node.value)]
        text = str(node.value)
        if isinstance(node, yaml.ScalarNode) and node.style is None and text in _EMPTY:
            return None
        self._source.written[key] = text
        return _VARIABLE.sub(lambda found: self._variable(found[1], key), text)

    def _mapping(self, node: yaml.MappingNode, key: KeyPath) -> Value:
        found: dict[str, Value] = {}
        for name_node, value_node in node.value:
            spot = Spot(name_node.start_mark.line + 1, name_node.start_mark.column + 1)
            if not isinstance(name_node, yaml.ScalarNode):
                self._source.problems.append(_at(self._source, spot, "a list or a section cannot be a key"))
                continue
            inner = (*key, str(name_node.value))
            if inner[-1] in found:
                first = self._source.spots[inner].line
                problem = Problem(self._source.file, *spot, inner, f"is given twice, first in line {first}")
                self._source.problems.append(problem)
                continue
            self._source.spots[inner] = spot
            found[str(name_node.value)] = self.value(value_node, inner)
        return found

    def _variable(self, text: str, key: KeyPath) -> str:
        if text == "${":
            return "${"
        name = _NAME.fullmatch(text)
        if name is None:
            self._complain(key, "${...} is not the name of an environment variable", "${NAME}; $${ is a plain ${")
        elif name[1] not in self._environment:
            self._complain(key, f"the environment variable {harmless(name[1])} is not set")
        return self._environment.get(name[1], "") if name else ""

    def _complain(self, key: KeyPath, wrong: str, allowed: str = "") -> None:
        self._source.problems.append(self._source.problem(key, wrong, allowed))


def _at(source: Source, spot: Spot, wrong: str) -> Problem:
    return Problem(source.file, spot.line, spot.column, (), wrong)


def _words(fault: yaml.MarkedYAMLError, text: str) -> str:
    """Say what is wrong with the YAML. Never quote the file: a secret may stand there, as in `secret: *word`."""
    problem = str(fault.problem)
    mark = fault.problem_mark
    if mark and "cannot start any token" in problem:
        line = text.splitlines()[mark.line] if mark.line < len(text.splitlines()) else ""
        if line[mark.column : mark.column + 1] == "\t":
            return "a tab: indent with spaces"
        return "a value that begins with a special character (% @ `): put it in quotes"
    for known, words in (
        ("alias", "a value that begins with * or &: put it in quotes"),
        ("anchor", "a value that begins with * or &: put it in quotes"),
        ("tag", "a value that begins with !: put it in quotes"),
        (
            "mapping values are not allowed",
            "a colon where none can be: put the value in quotes, or mend the indentation",
        ),
        ("could not find expected ':'", "a key without its colon, or a quote that is not closed"),
        ("unexpected end of stream", "a quote that is not closed"),
        ("expected <block end>", "wrong indentation, or something after the end of a value"),
        ("expected ',' or", "a bracket that is not closed, or a missing comma"),
        ("but found another document", "a second document (---): one file has one configuration"),
    ):
        if known in problem:
            return words
    return "not YAML: " + re.sub(r"'[^']{2,}'", "'...'", problem)
