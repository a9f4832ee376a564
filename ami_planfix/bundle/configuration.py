"""The configuration as it may be sent: what is written, without secrets, comments, and keys that are not ours."""

import re
from pathlib import Path
from typing import get_origin

import yaml

from ami_planfix.config.problems import KeyPath
from ami_planfix.config.schema import field_at, is_list, is_secret, leads_to_secret, section_at
from ami_planfix.config.source import Source, Value, read
from ami_planfix.logs import REDACTED, redact

_DATABASE = re.compile(r"(?:sqlite|postgresql|mysql)(?:\+\w+)?://|/", re.ASCII)
_VARIABLE = re.compile(r"\$\{\w+\}", re.ASCII)
_PASSWORD = re.compile(r"^(\w+://[^/:@\s]*:).*(@)")


def redacted(file: Path) -> str:
    """Write the configuration without its secrets, or why it cannot be read."""
    source = read(file, {})
    if source.tree is None:
        faults = "\n".join(f"# {problem}" for problem in source.problems)
        return f"# not included, since it cannot be read as YAML:\n{faults}\n"
    tree = _clean(source, source.tree, ())
    return yaml.safe_dump(tree, allow_unicode=True, sort_keys=False)


def is_database(text: str) -> bool:
    """Tell whether a secret is the address of a database, or a path: then all but its password may be seen."""
    return _DATABASE.match(text) is not None


def _clean(source: Source, value: Value, key: KeyPath) -> object:
    if isinstance(value, dict):
        fits = section_at(key) is not None or _is_mapping(key)
        return {name: _clean(source, inner, (*key, name)) for name, inner in value.items()} if fits else REDACTED
    if isinstance(value, list):
        return (
            [_clean(source, inner, (*key, index)) for index, inner in enumerate(value)] if _is_list(key) else REDACTED
        )
    text = source.written.get(key)
    if text is None:
        return None
    if section_at(key) is not None or _is_mapping(key):
        return REDACTED  # `secret:word`, without the blank, is no key
    if _is_file_of_secret(key):
        return text
    if leads_to_secret(key):
        return _without_secret(text)
    # A misspelt key may be one for a secret.
    return text if _is_known(key) else REDACTED


def _without_secret(text: str) -> str:
    if _VARIABLE.fullmatch(text):
        return text
    return redact(_PASSWORD.sub(rf"\1{REDACTED}\2", text)) if is_database(text) else REDACTED


def _is_file_of_secret(key: KeyPath) -> bool:
    *around, last = map(str, key)
    field = field_at((*around, last.removesuffix("_file")))
    return last.endswith("_file") and field is not None and is_secret(field)


def _is_mapping(key: KeyPath) -> bool:
    field = field_at(key)
    return field is not None and get_origin(field.annotation) is dict


def _is_list(key: KeyPath) -> bool:
    field = field_at(key)
    return field is not None and is_list(field.annotation) and not isinstance(key[-1], int)


def _is_known(key: KeyPath) -> bool:
    if field_at(key) is not None:
        return True
    # `data: {utm_source: site}` has keys of its own.
    return len(key) > 1 and field_at(key[:-1]) is not None and section_at(key[:-1]) is None
