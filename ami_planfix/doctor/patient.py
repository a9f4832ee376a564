"""What is looked at: the configuration, what the daemon says, whom it runs as, one connection to Asterisk."""

import asyncio
import grp
import os
import pwd
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import aiohttp
from pydantic import BaseModel, TypeAdapter

from ami_planfix.ami.asking import Visit as AmiVisit
from ami_planfix.ami.asking import visit
from ami_planfix.ami.connection import Status
from ami_planfix.ami.endpoints import Device, devices
from ami_planfix.ami.settings import settings_of
from ami_planfix.config.instance import unit_of
from ami_planfix.config.model import Admin, Config
from ami_planfix.config.values import Address
from ami_planfix.control import request
from ami_planfix.doctor.finding import Untried
from ami_planfix.errors import ActionRefused, AmiError, DaemonAway
from ami_planfix.status import PartState, State
from ami_planfix.web.visits import Visit

UNIT = "ami-planfix"
UNITS = ("usr/lib/systemd/system", "lib/systemd/system", "etc/systemd/system")
"""Where systemd looks, the last first."""
_DAEMON_WITHIN = 5.0

T = TypeVar("T")


class Running(BaseModel):
    """What the daemon says of itself (`web.condition`)."""

    version: str
    python: str
    user: int
    group: int
    groups: list[int]
    since: float
    now: float
    observe: bool
    asterisk: Status
    planfix_known: bool
    parts: list[PartState]
    called: Visit | None
    called_with_token: Visit | None
    troubles: list[dict[str, object]]

    @property
    def unwell(self) -> list[PartState]:
        """Tell the parts that are not well."""
        return [part for part in self.parts if part.state in (State.WAITING, State.FAILED)]


class Account(NamedTuple):
    """Whom the daemon runs as."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]

    @property
    def group(self) -> str:
        """Tell its group's name."""
        return group_name(self.gid)

    async def may(self, what: str, path: Path) -> bool | None:
        """Tell whether it may read (`r`), write (`w`) or enter (`x`) something; None if only root could tell."""
        if os.geteuid() == self.uid:
            return os.access(path, {"r": os.R_OK, "w": os.W_OK, "x": os.X_OK}[what])
        if os.geteuid() != 0:
            return None
        process = await asyncio.create_subprocess_exec(
            "/usr/bin/test", f"-{what}", str(path), user=self.uid, group=self.gid, extra_groups=list(self.groups)
        )
        return await process.wait() == 0


@dataclass(slots=True)
class Patient:
    """One configuration and all that belongs to it."""

    file: Path
    config: Config
    running: Running | None = None
    away: str = ""
    """Why the daemon cannot be asked."""
    health: list[PartState] | None = None
    """What its parts say where anybody may ask (`/healthz`), if it cannot be asked; None: it does not run."""
    account: Account | None = None
    """None if there is no such account on this machine."""
    wanted_user: str = UNIT
    root: Path = Path("/")
    """Where the machine's files begin: another place in tests."""
    _visit: "asyncio.Future[AmiVisit] | None" = field(default=None, repr=False)
    _answers: "dict[str, asyncio.Future[Any]]" = field(default_factory=dict, repr=False)

    @property
    def unit(self) -> str:
        """Tell what systemd calls its daemon."""
        return unit_of(self.file)

    async def asterisk(self) -> AmiVisit:
        """Give the connection to Asterisk; raises Untried if there is none."""
        try:
            return await self.logged_in()
        except AmiError:
            raise Untried("there is no connection to Asterisk") from None

    async def logged_in(self) -> AmiVisit:
        """Give the connection to Asterisk; raises AmiError."""
        if self._visit is None:
            raise Untried("Asterisk is not asked")
        return await asyncio.shield(self._visit)

    async def devices(self) -> list[Device]:
        """List what Asterisk has."""
        return await self.once("devices", devices)

    async def once(self, name: str, ask: Callable[[AmiVisit], Coroutine[None, None, T]]) -> T:
        """Ask Asterisk what several checks need, once for all of them; raises Untried if it cannot be asked."""
        there = await self.asterisk()
        if name not in self._answers:
            self._answers[name] = asyncio.ensure_future(ask(there))
        try:
            answer: T = await asyncio.shield(self._answers[name])
        except ActionRefused as fault:
            raise Untried(str(fault)) from fault
        return answer

    def daemon(self) -> Running:
        """Give what the daemon says of itself; raises Untried if it does not run."""
        if self.running is None:
            raise Untried("the daemon does not run, or cannot be asked")
        return self.running

    def part(self, name: str) -> PartState | None:
        """Find what a part of the daemon said last; None without one, or without a daemon."""
        parts = self.running.parts if self.running is not None else self.health or []
        return next((part for part in parts if part.part == name), None)

    def user(self) -> Account:
        """Give whom the daemon runs as; raises Untried if nobody knows."""
        if self.account is None:
            raise Untried(f"there is no account {self.wanted_user}")
        return self.account

    async def ask(self, path: str) -> dict[str, object]:
        """Ask the daemon; raises Untried if it does not run."""
        self.daemon()
        try:
            return await request(self.config.admin.socket, "GET", path, within=_DAEMON_WITHIN)
        except DaemonAway as fault:
            raise Untried(str(fault)) from fault


@asynccontextmanager
async def meet(file: Path, config: Config, root: Path = Path("/")) -> AsyncIterator[Patient]:
    """Find out who the patient is; the connection to Asterisk is made meanwhile."""
    patient = Patient(file, config, root=root)
    try:
        patient.running = TypeAdapter(Running).validate_python(
            await request(config.admin.socket, "GET", "/condition", within=_DAEMON_WITHIN)
        )
    except (DaemonAway, ValueError) as fault:
        patient.away = str(fault)
        patient.health = await _health(config.admin)
    _whose(patient)
    visiting = asyncio.get_running_loop().create_task(_visit(patient))
    try:
        yield patient
    finally:
        visiting.cancel()
        await asyncio.gather(visiting, return_exceptions=True)


async def _health(admin: Admin) -> list[PartState] | None:
    """Ask a daemon that does not answer us at its socket how its parts are; None if there is none of ours."""
    found = await _parts_at(admin.listen)
    has_socket = any(part.part == "control" and part.state is State.WELL for part in found or ())
    return None if has_socket and not _is_closed(admin.socket) else found  # another daemon's


def _is_closed(socket: Path) -> bool:
    """Tell whether a socket is there, and not for us."""
    return os.path.exists(socket) and not os.access(socket, os.W_OK)


async def _parts_at(listen: Address) -> list[PartState] | None:
    host = "127.0.0.1" if listen.is_everywhere else listen.host
    url = f"http://{f'[{host}]' if ':' in host else host}:{listen.port}/healthz"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_DAEMON_WITHIN)) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            return TypeAdapter(list[PartState]).validate_python((await answer.json())["parts"])
    except (aiohttp.ClientError, OSError, ValueError, LookupError, TypeError):
        return None


async def _visit(patient: Patient) -> None:
    """Keep a connection to Asterisk until cancelled."""
    patient._visit = visiting = asyncio.get_running_loop().create_future()
    try:
        async with visit(settings_of(patient.config.ami)) as there:
            visiting.set_result(there)
            await asyncio.shield(there.gone)
    except AmiError as fault:
        visiting.set_exception(fault)
        visiting.exception()  # whoever asks is told


def _whose(patient: Patient) -> None:
    running = patient.running
    if running is not None:
        patient.wanted_user = user_name(running.user)
        patient.account = Account(patient.wanted_user, running.user, running.group, tuple(running.groups))
        return
    unit = service(patient.root, patient.unit)
    patient.wanted_user = (unit.get("User") or [UNIT])[-1]
    try:
        found = pwd.getpwnam(patient.wanted_user)
    except KeyError:
        return
    names = " ".join(unit.get("SupplementaryGroups", ())).split()
    more = {group.gr_gid for group in grp.getgrall() if group.gr_name in names or found.pw_name in group.gr_mem}
    patient.account = Account(found.pw_name, found.pw_uid, found.pw_gid, tuple(sorted(more | {found.pw_gid})))


def service(root: Path, unit: str = UNIT) -> dict[str, list[str]]:
    """Read what the unit and its drop-ins say, each key with its values in order; empty without a unit."""
    found: dict[str, list[str]] = defaultdict(list)
    places = [root / folder for folder in UNITS]
    names = [unit[: unit.index("@") + 1], unit] if "@" in unit else [unit]
    files = [
        path
        for place in places
        for name in names
        for path in (place / f"{name}.service", *place.glob(f"{name}.service.d/*.conf"))
    ]
    for path in files:
        try:
            lines = path.read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
        for line in lines:
            key, equals, value = line.partition("=")
            if equals and not line.startswith(("#", ";")):
                found[key.strip()].append(value.strip())
    return found


def user_name(uid: int) -> str:
    """Tell a user's name; its number if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """Tell a group's name; its number if it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
