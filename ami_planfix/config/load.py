"""A file -> `Config`, or every problem that it has."""

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from ami_planfix.config.checks import Contradiction, contradictions
from ami_planfix.config.instance import at_home, instance_of
from ami_planfix.config.model import Config
from ami_planfix.config.problems import KeyPath, Problem, in_order, nearest
from ami_planfix.config.schema import leads_to_secret
from ami_planfix.config.secrets import fill_in_section
from ami_planfix.config.source import Source, Value, read
from ami_planfix.config.wording import problems_of
from ami_planfix.errors import ConfigurationError

_KINDS: dict[str, TypeAdapter[object]] = {
    name: TypeAdapter(field.annotation) for name, field in Config.model_fields.items() if field.annotation is not None
}

EVERYTHING = frozenset(Config.model_fields)
"""The names of all sections."""
FOR_CALLS = frozenset({"numbering", "trunks", "dids", "ignore", "calls"})
"""What the tracker needs: `replay` runs with these alone, or with no file at all."""

LEAST_PASSWORD = 8


class Examined(NamedTuple):
    """What was made of a file."""

    config: Config | None
    """None if there are problems."""
    problems: tuple[Problem, ...]


def load(
    path: Path | None,
    needs: Collection[str] = EVERYTHING,
    environment: Mapping[str, str] = os.environ,
    secrets: bool = True,
) -> Config:
    """Read the configuration, or raise a `ConfigurationError` that lists every problem.

    `needs` names the sections that are used: the others stay at their defaults, whatever the file says. Without
    `secrets` all secrets are left out and none is missed, so that nobody has to have one for what needs none.
    Without a path all is at its default.
    """
    config, problems = examine(path, needs, environment, secrets)
    if config is None:
        raise ConfigurationError("\n".join(map(str, problems)))
    return config


def examine(
    path: Path | None,
    needs: Collection[str] = EVERYTHING,
    environment: Mapping[str, str] = os.environ,
    secrets: bool = True,
) -> Examined:
    """Read the configuration, and tell every problem (see `load`)."""
    source = Source("no configuration file", Path()) if path is None else read(path, environment)
    problems = [
        found
        for found in source.problems
        if not found.key or (found.key[0] in needs and (secrets or not leads_to_secret(found.key)))
    ]
    if problems and source.tree is None:
        return Examined(None, in_order(problems))
    before = len(source.problems)
    sections: dict[str, object] = {}
    for name, tree in _sections(source, problems).items():
        if name in needs and tree is not None:
            filled = fill_in_section(name, tree, source, secrets)
            try:
                sections[name] = _KINDS[name].validate_python(filled, context={"folder": source.folder})
            except ValidationError as error:
                problems += problems_of(error, name, source)
    problems += source.problems[before:]
    # A section with problems of its own stands at its defaults here; what remains can still contradict itself.
    config = Config.model_validate(sections)
    broken = {found.key[0] for found in problems if found.key}
    for key, wrong, allowed in (*contradictions(config), *(_unmet(config, needs) if secrets else ())):
        if key[0] in needs and key[0] not in broken:
            problems.append(source.problem(key, wrong, allowed))
    return Examined(None if problems else at_home(config, instance_of(path)), in_order(_first_of_each(problems)))


def _sections(source: Source, problems: list[Problem]) -> dict[str, Value]:
    """Tell what the file has at its top; complain of what is no section."""
    if source.tree is None:
        return {}
    if not isinstance(source.tree, dict):
        problems.append(source.problem((), "the file must consist of sections", ", ".join(Config.model_fields)))
        return {}
    for name in source.tree.keys() - EVERYTHING:
        known = list(Config.model_fields)
        problems.append(source.problem((name,), "unknown section", ", ".join(known), nearest(name, known)))
    return {name: tree for name, tree in source.tree.items() if name in EVERYTHING}


def _unmet(config: Config, needs: Collection[str]) -> Iterator[Contradiction]:
    """Tell what a command that uses these sections cannot do without."""
    if "ami" in needs and not config.ami.secret:
        yield Contradiction(("ami", "secret"), "is missing", "the secret of our user in Asterisk's manager.conf")
    admin = config.admin
    password = admin.password.get_secret_value()
    if not password and not admin.listen.is_loopback:
        yield Contradiction(
            ("admin", "password"),
            f"is missing: admin.listen {admin.listen} is open to others",
            "a password for the status page, or a loopback address to listen on",
        )
    if password and len(password) < LEAST_PASSWORD:
        yield Contradiction(("admin", "password"), "is too short", f"{LEAST_PASSWORD} characters or more")


def _first_of_each(problems: list[Problem]) -> Iterator[Problem]:
    """Leave out what only follows: an unset variable is also a secret that is too short."""
    told: set[KeyPath] = set()
    for found in problems:
        if not found.key or found.key not in told:
            yield found
        told.add(found.key)
