"""What can be asked of the model's classes: which key is a section, a list of sections, a secret."""

from types import UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from ami_planfix.config.model import Config
from ami_planfix.config.problems import KeyPath
from ami_planfix.config.section import Section


def section_of(annotation: object) -> type[Section] | None:
    """Find the section in an annotation: in `Tls | None` and in `tuple[Trunk, ...]`; None for plain values."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    if get_origin(annotation) in {Annotated, UnionType, Union, tuple}:
        return next(filter(None, map(section_of, get_args(annotation))), None)
    return None


def is_list(annotation: object) -> bool:
    """Tell whether an annotation is a list of something."""
    return get_origin(annotation) is tuple


def is_secret(field: FieldInfo) -> bool:
    """Tell whether a key's value must never be shown."""
    return field.annotation is SecretStr


def holds_secrets(field: FieldInfo) -> bool:
    """Tell whether a key's value is a mapping of secrets, each with a name that the administrator chose."""
    return get_origin(field.annotation) is dict and _value_of(field.annotation) is SecretStr


def _value_of(annotation: object) -> object:
    value = get_args(annotation)[1]
    return get_args(value)[0] if get_origin(value) is Annotated else value


def keys_of(section: type[Section]) -> list[str]:
    """Tell all keys that may stand in a section, `KEY_file` among them."""
    fields = section.model_fields
    return [*fields, *(f"{name}_file" for name, field in fields.items() if is_secret(field))]


def section_at(key: KeyPath) -> type[Section] | None:
    """Find the section to which a key leads; None if it leads to a plain value, or to nothing."""
    section: type[Section] | None = Config
    for step in key:
        if isinstance(step, int):
            continue
        if section is None or step not in section.model_fields:
            return None
        section = section_of(section.model_fields[step].annotation)
    return section


def field_at(key: KeyPath) -> FieldInfo | None:
    """Find the field to which a key leads, also that of an item in its list."""
    while key and isinstance(key[-1], int):
        key = key[:-1]
    section = section_at(key[:-1]) if key else None
    return section.model_fields.get(str(key[-1])) if section else None


def leads_to_secret(key: KeyPath) -> bool:
    """Tell whether a key is a secret, the `KEY_file` of one, or one of several with names of their own."""
    *around, last = key or ("",)
    field = field_at((*around, str(last).removesuffix("_file"))) or field_at(key)
    if field is None and around:
        field = field_at(tuple(around))
        return field is not None and holds_secrets(field)
    return field is not None and is_secret(field)
