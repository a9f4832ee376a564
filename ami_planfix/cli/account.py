"""`account forget`: lets another account in Planfix be switched on."""

from pathlib import Path

import click

from ami_planfix.cli.control import order
from ami_planfix.cli.options import config_option
from ami_planfix.cli.output import tell


@click.group()
def account() -> None:
    """Deal with the account in Planfix that this PBX belongs to."""


@account.command()
@config_option
def forget(config: Path | None) -> None:
    """Forget the address and token that Planfix brought when the integration was switched on.

    Until then only the same account may be switched on again. Reports wait meanwhile; none is lost.
    """
    order(config, "/account/forget")
    tell("forgotten; the next account that is switched on in Planfix is taken")
