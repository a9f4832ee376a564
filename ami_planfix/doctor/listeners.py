"""The daemon's ports and socket: ours, free, or somebody else's."""

import errno
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

from ami_planfix.config.model import Config
from ami_planfix.config.values import Address
from ami_planfix.doctor.finding import Fault, Finding, Sign, well
from ami_planfix.doctor.patient import Patient
from ami_planfix.status import State

TAKEN = Fault(
    "port-taken",
    "port",
    "a port that the daemon needs is another program's, or is not for it",
    "another port for `{key}`, or end who has it",
)
SHUT = Fault(
    "port-shut",
    "port",
    "a port is free, and the daemon does not listen there",
    "it says why; a certificate: see there. It tries again by itself, `systemctl reload ami-planfix` at once",
)
SOCKET = Fault(
    "control-socket",
    "socket",
    "commands cannot reach the daemon by its socket",
    "the daemon's user must own the folder of `admin.socket`, and be in `admin.group` (SupplementaryGroups=); what "
    "else has that name must go: another daemon, or a file that it left",
    Sign.WARNING,
)

_LISTENING = "0A"


class _Port(NamedTuple):
    part: str
    key: str
    address: Address


async def ports(patient: Patient) -> AsyncIterator[Finding]:
    """Look at each port: while the daemon runs it says itself, else whether it could be had."""
    for port in _ports(patient.config):
        runs = patient.running is not None or patient.health is not None
        finding = _of_running(patient, port) if runs else _of_free(port)
        if finding is not None:
            yield finding


def _ports(config: Config) -> Iterator[_Port]:
    if config.server is not None:
        yield _Port("server", "server.listen", config.server.listen)
    yield _Port("admin", "admin.listen", config.admin.listen)
    yield _Port("fastagi", "contacts.fastagi", config.contacts.fastagi)


def _of_running(patient: Patient, port: _Port) -> Finding | None:
    part = patient.part(port.part)
    if part is None or part.state is State.OFF:
        return None
    if part.state is State.WELL:
        return well("port", f"{port.address} is ours ({port.key})")
    if _try(port.address) is None:
        return SHUT.found(f"{part.detail or part.state} ({port.key})")
    return TAKEN.found(f"{part.detail}{_by_whom(port.address)}", key=port.key)


def _of_free(port: _Port) -> Finding:
    fault = _try(port.address)
    if fault is None:
        return well("port", f"{port.address} is free ({port.key})")
    return TAKEN.found(f"{port.address} ({port.key}): {os.strerror(fault)}{_by_whom(port.address)}", key=port.key)


def _try(address: Address) -> int | None:
    """Open it for a moment; tell the number of the error, None if there is none."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
            probe.listen(1)
        except OSError as fault:
            return fault.errno or errno.EADDRINUSE
    return None


async def control(patient: Patient) -> AsyncIterator[Finding]:
    """See whether the socket answers, if there is a daemon behind it."""
    if patient.running is not None:
        yield well("socket", f"{patient.config.admin.socket} answers")
    elif patient.health is not None:
        part = patient.part("control")
        yield SOCKET.found(part.detail if part is not None and part.state is State.FAILED else patient.away)


def _by_whom(address: Address) -> str:
    holder = holder_of(address.port)
    return f"; {holder} has it" if holder else ""


def holder_of(port: int, proc: Path = Path("/proc")) -> str:
    """Tell which program listens on a port, as `asterisk (1234)`; `''` if that is not to be seen."""
    inodes = {
        fields[9]
        for name in ("net/tcp", "net/tcp6")
        for fields in _lines(proc / name)
        if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port
    }
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in proc.glob("[0-9]*"):
        if wanted & _open_by(process):
            return f"{_name(process)} ({process.name})"
    return ""


def _lines(table: Path) -> Iterator[list[str]]:
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return
    yield from (fields for line in lines if len(fields := line.split()) > 9)


def _open_by(process: Path) -> set[str]:
    found = set()
    try:
        for descriptor in os.listdir(process / "fd"):
            found.add(os.readlink(process / "fd" / descriptor))
    except OSError:
        return found
    return found


def _name(process: Path) -> str:
    try:
        return re.sub(r"[^\w.:-]", "", (process / "comm").read_text().strip()) or "a program"
    except OSError:
        return "a program"
