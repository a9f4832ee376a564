"""`run`: the daemon."""

import asyncio
import os
import signal
import sys
from functools import partial
from pathlib import Path

import click
import structlog

from ami_planfix.cli.main import BAD_USAGE, FAILED, WELL
from ami_planfix.cli.options import config_of, config_option
from ami_planfix.config.model import Config
from ami_planfix.daemon import Daemon, End
from ami_planfix.errors import AmiPlanfixError, ConfigurationError
from ami_planfix.logs import Format, configure, journal_reads

log = structlog.get_logger("ami_planfix.run")


@click.command()
@config_option
@click.option("--observe", is_flag=True, help="Send nothing: only log what would be sent.")
def run(config: Path | None, observe: bool) -> int:
    """Run the daemon: report every call to Planfix, ring phones for clicks there.

    SIGTERM ends it within seconds; SIGHUP checks the configuration and, if it has no errors, begins anew.
    """
    configure()
    try:
        settings = config_of(config)
        configure(settings.log.level, Format(settings.log.format))
        how = asyncio.run(_run(settings, config, observe))
    except AmiPlanfixError as fault:
        if not journal_reads(sys.stderr):
            raise
        log.error("not started", problem=str(fault))  # noqa: TRY400 - with the priority that `journalctl -p` looks for
        return BAD_USAGE if isinstance(fault, ConfigurationError) else FAILED
    except Exception:
        log.exception("daemon failed", remedy="report this as a fault of ami-planfix; no report is lost")
        return FAILED
    if how is End.RESTART:
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - the same program with the same arguments
    return WELL


async def _run(settings: Config, path: Path | None, observe: bool) -> End:
    daemon = Daemon(settings, observe)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.end)
    loop.add_signal_handler(signal.SIGHUP, partial(daemon.reload, lambda: config_of(path)))
    return await daemon.run()
