"""`ami-planfix`: finds the command, and turns what went wrong into one message and an exit status."""

import sys
from importlib import import_module

import click

from ami_planfix import __version__
from ami_planfix.cli.output import tell
from ami_planfix.errors import AmiPlanfixError, ConfigurationError

COMMANDS = (
    "run",
    "demo",
    "init",
    "check",
    "doctor",
    "replay",
    "capture",
    "explain",
    "calls",
    "deliveries",
    "recordings",
    "backfill",
    "endpoints",
    "account",
    "trial",
    "alerts",
    "support-bundle",
)
"""Each is a module of this package with a command of the same name."""

WELL = 0
FAILED = 1
BAD_USAGE = 2


class LazyGroup(click.Group):
    """Imports a command's module when it is asked for: `replay` must not wait for what `run` needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Tell the names in the order of the documentation."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        found = getattr(import_module(f"ami_planfix.cli.{name}"), name)
        if not isinstance(found, click.Command):
            raise TypeError(f"ami_planfix.cli.{cmd_name} has no command of that name")
        return found


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ami-planfix")
def cli() -> None:
    """Connect an Asterisk PBX to the Planfix CRM.

    Exit status: 0 well, 1 failed, 2 bad usage or configuration.
    """


def main() -> None:
    """Run the command line and leave with its exit status."""
    sys.exit(run_cli(sys.argv[1:]))


def run_cli(arguments: list[str]) -> int:
    """Run one command; whatever goes wrong becomes a message on stderr and a status."""
    try:
        status = cli.main(arguments, prog_name="ami-planfix", standalone_mode=False)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as fault:
        fault.show()
        return BAD_USAGE if isinstance(fault, click.UsageError) else FAILED
    except (click.Abort, KeyboardInterrupt):
        tell("ended before it was done")
        return FAILED
    except AmiPlanfixError as fault:
        tell(str(fault))
        return BAD_USAGE if isinstance(fault, ConfigurationError) else FAILED
    return status if isinstance(status, int) else WELL
