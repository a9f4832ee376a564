"""`doctor`: tries everything live, and says how to mend what is wrong."""

import asyncio
import textwrap
from collections import Counter
from pathlib import Path

import click

from ami_planfix.cli.options import DEFAULT, config_of, config_option, json_option
from ami_planfix.cli.output import print_json, printable, tell
from ami_planfix.config.model import Config
from ami_planfix.doctor.checkup import Told, examine
from ami_planfix.doctor.finding import Sign
from ami_planfix.doctor.patient import meet

SIGNS = {
    Sign.WELL: ("ok", "green"),
    Sign.WARNING: ("warn", "yellow"),
    Sign.FAILED: ("FAIL", "red"),
    Sign.UNTRIED: ("-", None),
}
_WHAT = 18
_WIDTH = 118


@click.command()
@config_option
@json_option
def doctor(config: Path | None, as_json: bool) -> int:
    """Try everything live: a line each, with what was found and how to mend it.

    It changes nothing, and may run beside the daemon or without it. Run it with sudo: rights and secrets are looked at.
    """
    return look_at(config or DEFAULT, as_json)


def look_at(file: Path, as_json: bool = False) -> int:
    """Make all checks and print what was found; raises ConfigurationError."""
    counts = asyncio.run(_examine(file, config_of(file), as_json))
    if not as_json:
        tell(f"\n{counts[Sign.FAILED]} failed, {counts[Sign.WARNING]} to look at, {counts[Sign.WELL]} well")
    return 1 if counts[Sign.FAILED] else 0


async def _examine(file: Path, settings: Config, as_json: bool) -> Counter[Sign]:
    counts: Counter[Sign] = Counter()
    area = ""
    async with meet(file, settings) as patient:
        async for told in examine(patient):
            counts[told.finding.sign] += 1
            if as_json:
                print_json({"area": told.area, **told.finding._asdict()})
                continue
            if told.area != area:
                area = told.area
                click.echo(f"\n{area}")
            _show(told)
    return counts


def _show(told: Told) -> None:
    finding = told.finding
    word, color = SIGNS[finding.sign]
    sign = click.style(word.ljust(4), fg=color, bold=finding.sign is Sign.FAILED)
    click.echo(f"  {sign}  {finding.what.ljust(_WHAT)}  {printable(finding.found)}")
    if finding.remedy:
        indent = " " * (_WHAT + 10)
        lines = textwrap.wrap(
            printable(finding.remedy), _WIDTH, initial_indent=indent + "-> ", subsequent_indent=indent + "   ",
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
        click.echo("\n".join(lines))
