"""config.example.yaml, written from the model: `python -m ami_planfix.config.example > config.example.yaml`."""

import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path

import yaml
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from ami_planfix.config.model import Config
from ami_planfix.config.schema import is_list, section_of
from ami_planfix.config.section import Section
from ami_planfix.config.values import Address

Values = Mapping[str, object]
"""Keys and what they are set to; a section's value is such a mapping, a list of sections' a list of them."""

WIDTH = 100
HEADER = """\
The configuration of ami-planfix: every key there is. Check yours with `ami-planfix check`.

A key behind a # shows its default, or an example; take the # away to set it. To use a section that is off
as a whole, take away the # that begins each of its lines.

Secrets (`secret`, `token`, and `url` of storage) can be kept elsewhere: `token: ${NAME}` takes an environment
variable, as every value can; `token_file: PATH` takes what a file says. For a credential of systemd write
`token_file: ${CREDENTIALS_DIRECTORY}/NAME`. Relative paths begin at the folder of this file.
"""


def example(values: Values | None = None) -> str:
    """Write the sample file; with `values` they are set in it, and everything else is as in the sample."""
    given = values or {}
    lines = [f"# {line}".rstrip() for line in HEADER.splitlines()]
    for name, field in Config.model_fields.items():
        section = section_of(field.annotation)
        if section is None:
            continue
        lines += ["", *_comment(section.__doc__ or ""), *_section(name, field, section, given.get(name))]
    return "\n".join(lines) + "\n"


def _section(name: str, field: FieldInfo, section: type[Section], given: object) -> list[str]:
    if given is None and (is_list(field.annotation) or field.default is None):
        return _off([f"{name}:", *_inside(field, section, None)])
    return [f"{name}:", *_inside(field, section, given)]


def _inside(field: FieldInfo, section: type[Section], given: object) -> Iterator[str]:
    if not is_list(field.annotation):
        yield from _indented(_keys(section, _mapping(given)), 2)
        return
    items = given if isinstance(given, list) else [{}]
    for nth, item in enumerate(items):
        yield "  -"
        # What a key means is said once.
        own = [f"{key}: {written(value)}" for key, value in _mapping(item).items()]
        yield from _indented(own if nth else _keys(section, _mapping(item)), 4)


def _keys(section: type[Section], given: Values) -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield from _comment(field.description or "")
        inner = section_of(field.annotation)
        if inner is not None and name in given:
            yield from [f"{name}:", *_inside(field, inner, given[name])]
        elif inner is not None:
            yield from _off([f"{name}:", *_inside(field, inner, None)])
        elif name in given:
            yield f"{name}: {written(given[name])}"
        else:
            # Without AMI's secret nothing works at all.
            on = field.is_required() or name == "secret"
            yield f"{'' if on else '#'}{name}: {_value(field)}"


def _indented(lines: Iterable[str], by: int) -> list[str]:
    return textwrap.indent("\n".join(lines), " " * by).splitlines()


def _mapping(given: object) -> Values:
    return given if isinstance(given, Mapping) else {}


def _value(field: FieldInfo) -> str:
    return written(field.examples[0] if field.examples else "" if field.is_required() else field.default)


def written(value: object) -> str:
    """Write a value as it stands in the file."""
    match value:
        case SecretStr():
            value = value.get_secret_value()
        case Address() | Path() | Enum():
            value = str(value)
        case tuple():
            value = list(value)
        case float() if value.is_integer():
            value = int(value)
        case None:
            value = ""
    return yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000).split("\n...")[0].strip()


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, WIDTH)]


def _off(lines: list[str]) -> list[str]:
    return [f"#{line}" for line in lines]


if __name__ == "__main__":
    sys.stdout.write(example())
