"""The keys in docs/admin/configuration.md, written from the model: `python -m ami_planfix.config.reference FILE`.

What stands before the heading is written by hand and stays.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from ami_planfix.config.example import written
from ami_planfix.config.model import Config, Section
from ami_planfix.config.schema import is_list, is_secret, section_of

HEADING = "## Every key\n"


def reference() -> str:
    """Write the heading and, for each section, a table of its keys."""
    lines = [HEADING.rstrip()]
    for name, field in Config.model_fields.items():
        section = section_of(field.annotation)
        if section is not None:
            lines += ["", f"### `{name}`", "", *_about(field, section), "", "| key | default | |", "|---|---|---|"]
            lines += _rows(name + _items(field), section)
    return "\n".join(lines) + "\n"


def renewed(document: str) -> str:
    """Put the keys as they are now into a document, below the heading."""
    return document.partition(HEADING)[0] + reference()


def _about(field: FieldInfo, section: type[Section]) -> Iterator[str]:
    about = " ".join((section.__doc__ or "").split())
    if is_list(field.annotation):
        about += " A list, one item for each."
    elif field.default is None:
        about += " Off unless it is there."
    yield about


def _rows(prefix: str, section: type[Section]) -> Iterator[str]:
    for name, field in section.model_fields.items():
        inner = section_of(field.annotation)
        key = f"{prefix}.{name}"
        if inner is None:
            yield f"| `{key}` | {_cell(_default(field))} | {_cell(_explained(name, field))} |"
        else:
            yield f"| `{key}` | | {_cell(field.description or '')} |"
            yield from _rows(key + _items(field), inner)


def _items(field: FieldInfo) -> str:
    return "[]" if is_list(field.annotation) else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = written(field.default)
    return "" if value in {"", "''", "[]", "{}"} else f"`{value}`"


def _explained(name: str, field: FieldInfo) -> str:
    words = [field.description or ""]
    if get_origin(field.annotation) is Literal:
        words.append(f"One of {', '.join(f'`{choice}`' for choice in get_args(field.annotation))}.")
    if field.examples:
        words.append(f"Example: `{written(field.examples[0])}`.")
    if is_secret(field):
        words.append(f"Also as `{name}_file`.")
    return " ".join(words)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(renewed(file.read_text(encoding="utf-8")), encoding="utf-8")
