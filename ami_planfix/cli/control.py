"""What commands ask of the running daemon."""

import asyncio
import os
from pathlib import Path

from ami_planfix.cli.options import DEFAULT
from ami_planfix.config.instance import at_home, instance_of
from ami_planfix.config.load import load
from ami_planfix.config.model import Config
from ami_planfix.control import ANSWER_WITHIN, Query, request


def ask(config: Path | None, path: str, query: Query = ()) -> dict[str, object]:
    """Ask for something; raises DaemonAway."""
    return asyncio.run(request(socket_of(config), "GET", path, query))


def order(
    config: Path | None, path: str, body: dict[str, object] | None = None, within: float = ANSWER_WITHIN
) -> dict[str, object]:
    """Have something done, `within` seconds; raises DaemonAway."""
    return asyncio.run(request(socket_of(config), "POST", path, (), body or {}, within))


def socket_of(config: Path | None) -> Path:
    """Tell where the daemon listens; no secret is needed for that.

    A member of `admin.group` may use the socket, and need not be able to read the configuration with its secrets.
    """
    file = config or DEFAULT
    if config is None or instance_of(config):
        usual = usual_socket(instance_of(file))
        if not os.access(file, os.R_OK) and os.access(usual, os.F_OK):
            return usual
    return load(file, {"admin"}, secrets=False).admin.socket


def usual_socket(instance: str) -> Path:
    """Tell where a daemon listens whose configuration does not say."""
    return at_home(Config(), instance).admin.socket
