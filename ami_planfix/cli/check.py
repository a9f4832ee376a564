"""`check`: validates the configuration, every problem at once."""

from pathlib import Path

import click

from ami_planfix.cli.main import BAD_USAGE, WELL
from ami_planfix.cli.options import DEFAULT, config_option, json_option
from ami_planfix.cli.output import print_json, tell
from ami_planfix.config.load import examine
from ami_planfix.config.problems import dotted


@click.command()
@config_option
@json_option
def check(config: Path | None, as_json: bool) -> int:
    """Validate the configuration: each error with file, line, key, what is wrong and what is allowed."""
    file = config or DEFAULT
    found = examine(file)
    for problem in found.problems:
        if as_json:
            print_json(
                {
                    "file": problem.file,
                    "line": problem.line,
                    "key": dotted(problem.key),
                    "wrong": problem.wrong,
                    "allowed": problem.allowed,
                    "suggestion": problem.suggestion,
                }
            )
        else:
            tell(str(problem))
    if found.config is None:
        return BAD_USAGE
    tell(f"{file}: no errors")
    if found.config.server is None:
        tell("there is no section `server`: calls are reported, but nobody can click to dial")
    return WELL
