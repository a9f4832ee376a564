"""Whose every device and channel is, and why: what `ami-planfix endpoints` shows."""

from collections.abc import Iterable
from typing import NamedTuple

from ami_planfix.calls.parties import Directory, Party
from ami_planfix.config.model import Config


class Whose(NamedTuple):
    """A device or live channel, and what the tracker takes it for."""

    name: str
    party: Party
    reported: bool


def whose(
    config: Config, directory: Directory, phones: Iterable[tuple[str, str | None]], channels: Iterable[str]
) -> list[Whose]:
    """List configured trunks and devices, the PBX's own phones, and the channels that exist now, each once."""
    names = dict.fromkeys(trunk.channel for trunk in config.trunks)
    names |= dict.fromkeys(device for employee in config.numbering.employees for device in employee.devices)
    names |= dict.fromkeys(sorted(device for device, _ in phones))
    names |= dict.fromkeys(sorted(channels))
    found = ((name, directory.party(name)) for name in names)
    return [
        Whose(name, party, party.extension is None or directory.is_reported(party.extension)) for name, party in found
    ]
