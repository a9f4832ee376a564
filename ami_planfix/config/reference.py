"""The keys in docs/admin/configuration.md, from the model: `python -m ami_planfix.config.reference FILE [WORDS]`.

What stands before the heading is written by hand and stays. WORDS is a YAML file with a translation of every text.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from ami_planfix.config.example import written
from ami_planfix.config.model import Config
from ami_planfix.config.schema import is_list, is_secret, section_of
from ami_planfix.config.section import Section

Say = Callable[[str], str]
"""Translates a text of the model."""


def reference(say: Say = str) -> str:
    """Write the heading and, for each section, a table of its keys."""
    lines = [heading(say).rstrip()]
    for name, field in Config.model_fields.items():
        section = section_of(field.annotation)
        if section is not None:
            header = f"| {say('key')} | {say('default')} | |"
            lines += ["", f"### `{name}`", "", _about(field, section, say), "", header, "|---|---|---|"]
            lines += _rows(name + _items(field), section, say)
    return "\n".join(lines) + "\n"


def heading(say: Say = str) -> str:
    """Write the line below which everything is ours."""
    return f"## {say('Every key')}\n"


def renewed(document: str, say: Say = str) -> str:
    """Put the keys as they are now into a document, below the heading."""
    return document.partition(heading(say))[0] + reference(say)


def translation(file: Path) -> Say:
    """Read a YAML file whose keys are the model's texts; KeyError later for a text that it lacks."""
    words: dict[str, str] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return words.__getitem__


def _about(field: FieldInfo, section: type[Section], say: Say) -> str:
    about = say(" ".join((section.__doc__ or "").split()))
    if is_list(field.annotation):
        return f"{about} {say('A list, one item for each.')}"
    return f"{about} {say('Off unless it is there.')}" if field.default is None else about


def _rows(prefix: str, section: type[Section], say: Say) -> Iterator[str]:
    for name, field in section.model_fields.items():
        inner = section_of(field.annotation)
        key = f"{prefix}.{name}"
        if inner is None:
            yield f"| `{key}` | {_cell(_default(field, say))} | {_cell(_explained(name, field, say))} |"
        else:
            yield f"| `{key}` | | {_cell(say(field.description or ''))} |"
            yield from _rows(key + _items(field), inner, say)


def _items(field: FieldInfo) -> str:
    return "[]" if is_list(field.annotation) else ""


def _default(field: FieldInfo, say: Say) -> str:
    if field.is_required():
        return say("required")
    value = written(field.default)
    return "" if value in {"", "''", "[]", "{}"} else f"`{value}`"


def _explained(name: str, field: FieldInfo, say: Say) -> str:
    words = [say(field.description or "")]
    if get_origin(field.annotation) is Literal:
        words.append(f"{say('One of')} {', '.join(f'`{choice}`' for choice in get_args(field.annotation))}.")
    if field.examples:
        words.append(f"{say('Example')}: `{written(field.examples[0])}`.")
    if is_secret(field):
        words.append(f"{say('Also as')} `{name}_file`.")
    return " ".join(words)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    file, *words = map(Path, sys.argv[1:])
    file.write_text(
        renewed(file.read_text(encoding="utf-8"), translation(words[0]) if words else str), encoding="utf-8"
    )
