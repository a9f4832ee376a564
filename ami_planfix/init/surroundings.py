"""What is there already: Asterisk and its kind, its phones and lines, certificates, ports."""

import re
import socket
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from ami_planfix import conf
from ami_planfix.errors import ConfigurationError
from ami_planfix.init import endpoints, place
from ami_planfix.init.endpoints import Endpoints
from ami_planfix.init.machine import Machine
from ami_planfix.init.place import Place

ETC = "/etc/asterisk"
FREEPBX_PORTS = frozenset({4573, 8088, 8089})
"""FreePBX's own FastAGI, Asterisk's HTTP and WebRTC: perhaps not open now, but theirs."""
_FREEPBX = ("/etc/freepbx.conf", "/etc/amportal.conf", "/etc/issabel.conf")
_CERTBOT = "/etc/letsencrypt/live"
_NEW_FILTERS = {20: 10, 21: 5}
"""Asterisk's version -> the release from which on it has the new form of `eventfilter`; 22 always has."""


class Certificate(NamedTuple):
    """A certificate that is there, as its owner keeps it."""

    chain: str
    key: str
    name: str
    """The host that it is for, by its file's name."""


class Asterisk(NamedTuple):
    """The PBX on this machine."""

    etc: str
    version: str
    """`22.10.1`; `''` if it does not say."""
    freepbx: bool
    spool: str
    """Where recordings are, as Asterisk names it."""
    endpoints: Endpoints
    hints: str
    """The context that has them."""

    @property
    def has_new_filters(self) -> bool:
        """Tell whether `eventfilter` may name events (Asterisk 20.10, 21.5, 22)."""
        major, minor = map(int, (self.version or "0.0").split(".")[:2])
        return major > max(_NEW_FILTERS) or minor >= _NEW_FILTERS.get(major, 1000)

    @property
    def phones_context(self) -> str:
        """Tell the context of most phones."""
        contexts = Counter(phone.context for phone in self.endpoints.phones if phone.context)
        return contexts.most_common(1)[0][0] if contexts else "from-internal"

    @property
    def technology(self) -> str:
        """Tell the driver of most phones."""
        drivers = Counter(phone.channel.partition("/")[0] for phone in self.endpoints.phones)
        return drivers.most_common(1)[0][0] if drivers else "PJSIP"


class Surroundings(NamedTuple):
    """All that a proposal may rest on."""

    machine: Machine
    asterisk: Asterisk | None
    """None: it is on another machine."""
    place: Place
    certificate: Certificate | None
    host: str
    """This machine's name, if it is a whole one."""
    server_port: int
    admin_port: int
    fastagi_port: int


def look(machine: Machine, beside: bool = False) -> Surroundings:
    """Look around; `beside`: Asterisk is on another machine. Raises ConfigurationError if there is none here."""
    found = None if beside else _asterisk(machine)
    numbers = [line.number for line in found.endpoints.lines if line.number] if found else []
    certificate = _certificate(machine, found)
    host = socket.getfqdn()
    ours: frozenset[int] = FREEPBX_PORTS
    server = machine.free_port(8443, ours)
    admin = machine.free_port(8093, ours | {server})
    return Surroundings(
        machine=machine,
        asterisk=found,
        place=place.guess(machine, numbers),
        certificate=certificate,
        host=host if "." in host and not host.endswith((".localdomain", ".local", ".arpa")) else "",
        server_port=server,
        admin_port=admin,
        fastagi_port=machine.free_port(4583, ours | {server, admin}),
    )


def _asterisk(machine: Machine) -> Asterisk:
    if not machine.exists(f"{ETC}/manager.conf") and not machine.exists(f"{ETC}/asterisk.conf"):
        raise ConfigurationError(
            f"no Asterisk on this machine: {ETC} has neither asterisk.conf nor manager.conf. Beside the PBX: "
            "`ami-planfix init --pbx ADDRESS`"
        )
    folders = _folders(machine)
    etc = folders.get("astetcdir", ETC)
    if not machine.exists(f"{etc}/manager.conf"):
        etc = ETC
    said = machine.run("asterisk", "-V").output
    version = re.search(r"(\d+\.\d+(?:\.\d+)?)", said)
    freepbx = any(map(machine.exists, _FREEPBX))
    return Asterisk(
        etc=etc,
        version=version[1] if version else "",
        freepbx=freepbx,
        spool=f"{folders.get('astspooldir', '/var/spool/asterisk')}/monitor",
        endpoints=endpoints.find(machine, etc),
        hints="ext-local" if freepbx else _hints(machine, etc),
    )


def _folders(machine: Machine) -> dict[str, str]:
    try:
        found = conf.read(machine.at(f"{ETC}/asterisk.conf")).find("directories")
    except OSError:
        found = None
    return {key: value for key, value in found.options if value.startswith("/")} if found else {}


def _hints(machine: Machine, etc: str) -> str:
    """Find the context of the dialplan with most hints."""
    try:
        dialplan = conf.read(machine.at(f"{etc}/extensions.conf"), machine.at(etc))
    except OSError:
        return "from-internal"
    counts = Counter(
        section.name
        for section in dialplan.sections
        for _, value in section.options
        if re.match(r"[^,]+,\s*hint\s*,", value)
    )
    return counts.most_common(1)[0][0] if counts else "from-internal"


def _certificate(machine: Machine, found: Asterisk | None) -> Certificate | None:
    live = machine.at(_CERTBOT)
    for folder in sorted(live.iterdir()) if live.is_dir() else ():
        if (folder / "fullchain.pem").exists():
            own = f"{_CERTBOT}/{folder.name}"
            return Certificate(f"{own}/fullchain.pem", f"{own}/privkey.pem", folder.name)
    keys = machine.at(f"{found.etc}/keys") if found is not None else Path("/nowhere")
    for chain in sorted(keys.glob("*.pem")) if keys.is_dir() else ():
        key = chain.with_suffix(".key")
        if key.exists() and "." in chain.stem and found is not None:
            own = f"{found.etc}/keys/{chain.stem}"
            return Certificate(f"{own}.pem", f"{own}.key", chain.stem)
    return None
