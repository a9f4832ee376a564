"""What pydantic found wrong, in words for an administrator."""

from collections.abc import Iterator

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ami_planfix.config.problems import KeyPath, Problem, harmless, nearest, shown
from ami_planfix.config.schema import field_at, is_list, keys_of, leads_to_secret, section_at
from ami_planfix.config.source import Source
from ami_planfix.config.values import NotAllowedError

_NUMBERS = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
}
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def problems_of(error: ValidationError, section: str, source: Source) -> Iterator[Problem]:
    """Tell each problem of a section."""
    for found in error.errors(include_url=False):
        yield _problem(found, (section, *found["loc"]), source)


def _problem(found: ErrorDetails, key: KeyPath, source: Source) -> Problem:
    kind, context = found["type"], found.get("ctx", {})
    if key[-1] == "[key]":  # of a mapping whose keys the administrator chooses
        key = key[:-1]
        return source.problem(key, "is not allowed as a key", _refusal(context).allowed)
    if kind == "extra_forbidden":
        section = section_at(key[:-1])
        known = keys_of(section) if section else []
        return source.problem(key, "unknown key", ", ".join(known), nearest(str(key[-1]), known))
    if kind == "missing":
        return source.problem(key, "is missing", _example(key))
    if found["input"] is None:
        return source.problem(key, "has no value")
    if kind.endswith("_type") and not isinstance(found["input"], str):
        return source.problem(key, "is a list or a section", _shape(key, kind))
    if kind in {"tuple_type", "dict_type", "model_type", "model_attributes_type"}:
        return source.problem(key, "is a single value", _shape(key, kind))
    return _value_problem(found, key, source)


def _value_problem(found: ErrorDetails, key: KeyPath, source: Source) -> Problem:
    kind, context = found["type"], found.get("ctx", {})
    value = _shown(key, source)
    if kind == "literal_error":
        allowed = str(context["expected"]).replace("'", "").replace(" or ", ", ")
        return source.problem(
            key, f"{value} is not allowed", allowed, nearest(source.written.get(key, ""), allowed.split(", "))
        )
    if kind == "value_error":
        refusal = _refusal(context)
        return source.problem(key, f"{value} is not allowed", refusal.allowed, refusal.instead)
    if kind in {"string_too_short", "too_short"}:
        wrong = f"{value} is too short" if source.written.get(key) else "is empty"
        return source.problem(key, wrong, f"{context['min_length']} characters or more")
    if kind in _NUMBERS:
        return source.problem(key, f"{value} is not allowed", _NUMBERS[kind])
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return source.problem(key, f"{value} is not allowed", f"{words} {context[name]:g}")
    return source.problem(key, f"{value} is not allowed: {found['msg']}")


def _refusal(context: dict[str, object]) -> NotAllowedError:
    error = context.get("error")
    return error if isinstance(error, NotAllowedError) else NotAllowedError(str(error or ""))


def _example(key: KeyPath) -> str:
    field = field_at(key)
    return f"such as {field.examples[0]}" if field is not None and field.examples else ""


def _shape(key: KeyPath, kind: str) -> str:
    field = field_at(key)
    whole_list = field is not None and is_list(field.annotation) and not isinstance(key[-1], int)
    if kind == "tuple_type" or whole_list:
        return "a list: [one, another], or lines that begin with -"
    if kind in {"dict_type", "model_type", "model_attributes_type"}:
        section = section_at(key)
        return "keys of its own" + (f": {', '.join(keys_of(section))}" if section else "")
    return "a single value"


def _shown(key: KeyPath, source: Source) -> str:
    """Show a value as it was written, save a secret and what may be one."""
    if leads_to_secret(key):
        return "this secret"
    written = source.written.get(key)
    return shown(written) if written is not None else f"this {harmless(str(key[-1]))}"
