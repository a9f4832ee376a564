"""Asterisk's configuration files: sections with what they inherit, and what they include.

Only as far as we need them (Asterisk: main/config.c): comments, `#include` and `#tryinclude` with wildcards, templates
`[name](!)`, `[name](one,two)`, additions `[name](+)`. `#exec` is not run.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_SECTION = re.compile(r"\[([^\]]+)\](?:\(([^)]*)\))?")
_INCLUDE = re.compile(r"#(?:try)?include\s+[<\"]?([^>\"\s]+)", re.IGNORECASE)
_COMMENT = re.compile(r";--.*?--;", re.DOTALL)
_DEPTH = 10


@dataclass(slots=True)
class Section:
    """One section, as it stands in its file."""

    name: str
    file: Path
    is_template: bool = False
    parents: tuple[str, ...] = ()
    options: list[tuple[str, str]] = field(default_factory=list)

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
            whole.options += [*self._inherited(piece, 0), *piece.options]
        return whole

    def named(self) -> list[str]:
        """Tell the names of all sections that are no templates, each once."""
        return list(dict.fromkeys(one.name for one in self.sections if not one.is_template))

    def _inherited(self, section: Section, depth: int) -> Iterator[tuple[str, str]]:
        for name in section.parents if depth < _DEPTH else ():
            for parent in self.sections:
                if parent.name == name and parent is not section:
                    yield from self._inherited(parent, depth + 1)
                    yield from parent.options


def read(path: Path, folder: Path | None = None) -> Conf:
    """Read a file; relative names are included from `folder` (default: the file's). Raises OSError for the file itself.

    What is included and cannot be read is left out, as Asterisk does with `#tryinclude`.
    """
    conf = Conf()
    _read(path, folder or path.parent, conf, 0)
    return conf


def _read(path: Path, folder: Path, conf: Conf, depth: int) -> None:
    text = _COMMENT.sub("", path.read_text("utf-8", "replace"))
    conf.files.append(path)
    section: Section | None = None
    for raw in text.splitlines():
        line = re.split(r"(?<!\\);", raw, maxsplit=1)[0].strip()
        if not line:
            continue
        if include := _INCLUDE.match(line):
            conf.includes.append(include[1])
            if depth < _DEPTH:
                _include(include[1], folder, conf, depth)
        elif begins := _SECTION.match(line):
            section = _section(begins[1], begins[2] or "", path)
            conf.sections.append(section)
        elif section is not None and "=" in line:
            key, _, value = line.partition("=") if not _has_parentheses(line) else _partition(line)
            section.options.append(
                (key.strip().rstrip("+").strip(), value.removeprefix(">").strip().replace("\\;", ";"))
            )


def _section(name: str, arguments: str, path: Path) -> Section:
    words = [word.strip() for word in arguments.split(",") if word.strip()]
    parents = tuple(word for word in words if word not in ("!", "+"))
    return Section(name, path, "!" in words, parents)


def _include(name: str, folder: Path, conf: Conf, depth: int) -> None:
    pattern = Path(name)
    base, relative = (
        (Path(pattern.anchor), pattern.relative_to(pattern.anchor)) if pattern.is_absolute() else (folder, pattern)
    )
    for path in sorted(base.glob(str(relative))):
        try:
            _read(path, folder, conf, depth + 1)
        except OSError:
            continue


def _has_parentheses(line: str) -> bool:
    return "(" in line.partition("=")[0]


def _partition(line: str) -> tuple[str, str, str]:
    """Split at the `=` after the brackets: `eventfilter(name(a),header(b)) = c`."""
    depth = 0
    for at, character in enumerate(line):
        depth += (character == "(") - (character == ")")
        if character == "=" and depth <= 0:
            return line[:at], "=", line[at + 1 :]
    return line.partition("=")
