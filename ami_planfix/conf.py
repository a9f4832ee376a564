"""Asterisk's configuration files: sections with what they inherit, and what they include.

Only as far as we need them (Asterisk: main/config.c): comments, `#include` and `#tryinclude` with wildcards, templates
`[name](!)`, `[name](one,two)`, additions `[name](+)`. `#exec` is not run.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

_SECTION = re.compile(r"\[([^\]]+)\](?:\(([^)]*)\))?")
_INCLUDE = re.compile(r"#(?:try)?include\s+[<\"]?([^>\"\s]+)", re.IGNORECASE)
_COMMENT = re.compile(r";--.*?(?:--;|\Z)", re.DOTALL)
_DEPTH = 10


@dataclass(slots=True)
class Section:
    """One section, as it stands in its file."""

    name: str
    file: Path
    arguments: tuple[str, ...] = ()
    """What stands in the brackets after its name: `!`, `+`, templates."""
    options: list[tuple[str, str]] = field(default_factory=list)

    @property
    def is_template(self) -> bool:
        """Tell whether it is there to be inherited from only."""
        return "!" in self.arguments

    def all(self, key: str) -> list[str]:
        """Tell every value of a key, in order."""
        return [value for name, value in self.options if name.lower() == key]

    def get(self, key: str, default: str = "") -> str:
        """Tell the last value of a key: it wins."""
        return (self.all(key) or [default])[-1]


@dataclass(slots=True)
class Conf:
    """A file and all that it includes."""

    sections: list[Section] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    """Those that were read, in order."""
    includes: list[str] = field(default_factory=list)
    """What was named to be included, found or not."""

    def find(self, name: str) -> Section | None:
        """Put a section together from all its pieces and what they inherit; None if there is none."""
        pieces = [one for one in self.sections if one.name == name and not one.is_template]
        if not pieces:
            return None
        whole = Section(name, pieces[0].file)
        for piece in pieces:
            whole.options += [*self.inherited(piece), *piece.options]
        return whole

    def named(self) -> list[str]:
        """Tell the names of all sections that are no templates, each once."""
        return list(dict.fromkeys(one.name for one in self.sections if not one.is_template))

    def inherited(self, section: Section, depth: int = 0) -> list[tuple[str, str]]:
        """Tell the options that a section has from its templates."""
        found: list[tuple[str, str]] = []
        for name in section.arguments if depth < _DEPTH else ():
            for parent in self.sections:
                if parent.name == name and parent is not section:
                    found += [*self.inherited(parent, depth + 1), *parent.options]
        return found


def read(path: Path, folder: Path | None = None, without: Callable[[str], str] = str) -> Conf:
    """Read a file; relative names are included from `folder` (default: the file's). Raises OSError for the file itself.

    What is included and cannot be read is left out, as Asterisk does with `#tryinclude`. `without` takes out of each
    text what is not to be seen.
    """
    conf = Conf()
    _Reader(folder or path.parent, without, conf).read(path, 0)
    return conf


class _Reader(NamedTuple):
    folder: Path
    without: Callable[[str], str]
    conf: Conf

    def read(self, path: Path, depth: int) -> None:
        text = _COMMENT.sub("", self.without(path.read_text("utf-8", "replace")))
        self.conf.files.append(path)
        self._take(text, path, depth)

    def _take(self, text: str, path: Path, depth: int) -> None:
        section: Section | None = None
        for raw in text.splitlines():
            line = re.split(r"(?<!\\);", raw, maxsplit=1)[0].strip()
            if include := _INCLUDE.match(line):
                self.conf.includes.append(include[1])
                self._include(include[1], depth + 1)
            elif begins := _SECTION.match(line):
                section = _section(begins[1], begins[2] or "", path)
                self.conf.sections.append(section)
            elif section is not None and "=" in line:
                section.options.append(_option(line))

    def _include(self, name: str, depth: int) -> None:
        if depth > _DEPTH:
            return
        pattern = Path(name)
        base = Path(pattern.anchor) if pattern.is_absolute() else self.folder
        for path in sorted(base.glob(str(pattern).removeprefix(pattern.anchor))):
            try:
                self.read(path, depth)
            except OSError:
                continue


def _section(name: str, arguments: str, path: Path) -> Section:
    return Section(name, path, tuple(word.strip() for word in arguments.split(",") if word.strip()))


def _option(line: str) -> tuple[str, str]:
    """Split at the first `=` outside of brackets: `eventfilter(name(a),header(b)) = c`."""
    depth = 0
    for at, character in enumerate(line):
        depth += (character == "(") - (character == ")")
        if character == "=" and depth <= 0:
            key, value = line[:at], line[at + 1 :]
            return key.strip().rstrip("+").strip(), value.removeprefix(">").strip().replace("\\;", ";")
    return line.strip(), ""
