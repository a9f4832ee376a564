"""The daemon itself and its files on this machine."""

import os
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from ami_planfix import __version__
from ami_planfix.config.model import Config
from ami_planfix.config.schema import is_secret, section_of
from ami_planfix.config.section import Section
from ami_planfix.config.source import Value, read
from ami_planfix.doctor.finding import Fault, Finding, Sign, Untried, untried, well
from ami_planfix.doctor.patient import Account, Patient
from ami_planfix.doctor.patient import service as service_of
from ami_planfix.status import State

AWAY = Fault(
    "daemon-away",
    "daemon",
    "it does not run, or cannot be asked",
    "`systemctl start ami-planfix`; if it does not stay: `journalctl -u ami-planfix -n 20 -o cat`",
    Sign.WARNING,
)
OTHER_VERSION = Fault(
    "daemon-old",
    "daemon",
    "another version runs than is installed",
    "`systemctl restart ami-planfix`: no report is lost",
    Sign.WARNING,
)
NOT_RELOADED = Fault(
    "daemon-not-reloaded",
    "daemon",
    "the configuration was changed after the daemon had read it",
    "`systemctl reload ami-planfix`",
    Sign.WARNING,
)
OBSERVES = Fault(
    "daemon-observes",
    "daemon",
    "it looks on and sends nothing (`run --observe`)",
    "if the pilot is over: take both lines `ExecStart=` out (`systemctl edit ami-planfix`), then "
    "`systemctl restart ami-planfix`",
    Sign.WARNING,
)
UNWELL = Fault(
    "daemon-part",
    "parts",
    "a part of the daemon says that it is not well",
    "it says what to do; `journalctl -u ami-planfix -p warning -o cat` has more",
    Sign.WARNING,
)
NO_USER = Fault(
    "user-missing",
    "user",
    "the account that the daemon runs as is not on this machine",
    "`useradd --system --no-create-home {user}`",
)
OPEN = Fault(
    "config-open",
    "configuration",
    "others than root and the daemon's group can read its secrets, or change it",
    "`chown root:{group} {file} && chmod 640 {file}`",
)
CLOSED = Fault(
    "config-closed",
    "configuration",
    "the daemon's user cannot read it, or a file with a secret that it names",
    "`chgrp {group} {file} && chmod 640 {file}`, and `x` for that group on the folders above it",
)
HOME = Fault(
    "unit-home",
    "service",
    "a file that is needed is in somebody's home, which the service does not see (ProtectHome=)",
    "move it, or copy it to /etc/ami-planfix, and name the new place in `{key}`",
)
LOOKED_AT = ("asterisk", "server", "admin", "fastagi", "control", "recordings")
"""Parts that have checks of their own."""


async def daemon(patient: Patient) -> AsyncIterator[Finding]:
    """See whether it runs, and as what."""
    running = patient.running
    if running is None:
        why = patient.away
        yield AWAY.found(why) if patient.health is None else untried("daemon", f"it runs, and cannot be asked: {why}")
        return
    if running.version != __version__:
        yield OTHER_VERSION.found(f"{running.version} runs, {__version__} is installed")
    if patient.file.stat().st_mtime > running.since:
        yield NOT_RELOADED.found(f"{patient.file} is newer than the daemon's start")
    if running.observe:
        yield OBSERVES.found("it looks on")
    yield well("daemon", f"{running.version} runs as {patient.wanted_user}, Python {running.python}")


async def parts(patient: Patient) -> AsyncIterator[Finding]:
    """Tell what the daemon's parts say of themselves, as far as nothing else looks at it."""
    running = patient.daemon()
    unwell = [part for part in running.unwell if part.part not in LOOKED_AT]
    for part in unwell:
        yield UNWELL.found(f"{part.part}: {part.detail or part.state}")
    if not unwell:
        yield well("parts", ", ".join(part.part for part in running.parts if part.state is State.WELL))


async def user(patient: Patient) -> AsyncIterator[Finding]:
    """Look for the account."""
    if patient.account is None:
        yield NO_USER.found(f"there is no {patient.wanted_user}", user=patient.wanted_user)
    elif patient.running is None:
        yield well("user", patient.account.name)


async def configuration(patient: Patient) -> AsyncIterator[Finding]:
    """Look at who may read the file and the secrets that it names."""
    account = patient.user()
    faults = 0
    for file in _files(patient):
        finding = await _rights(file, account)
        if finding is not None:
            faults += 1
            yield finding
    if not faults:
        yield well("configuration", f"{patient.file}, for root and {account.group} alone")


async def service(patient: Patient) -> AsyncIterator[Finding]:
    """Look for files that systemd hides from the service."""
    if not service_of(patient.root, patient.unit):
        raise Untried(f"there is no unit {patient.unit}.service on this machine")
    hidden = [
        (key, path)
        for key, path in _named(patient.config)
        if path.is_relative_to("/home") or path.is_relative_to("/root")
    ]
    for key, path in hidden:
        yield HOME.found(f"{key}: {path}", key=key)
    if not hidden:
        yield well("service", "sees all that it needs")


def _named(config: Config) -> Iterator[tuple[str, Path]]:
    yield "recordings.directory", config.recordings.directory
    if config.server is not None and config.server.tls is not None:
        yield "server.tls.certificate", config.server.tls.certificate
        yield "server.tls.private_key", config.server.tls.private_key


async def _rights(file: Path, account: Account) -> Finding | None:
    try:
        status = os.stat(file)
    except OSError as fault:
        raise Untried(f"{file}: {fault.strerror}; run doctor with sudo") from fault
    mode = stat.S_IMODE(status.st_mode)
    values = {"file": file, "group": account.group}
    foreign_group = mode & stat.S_IRGRP and status.st_gid not in (0, account.gid, *account.groups)
    if mode & (stat.S_IRWXO | stat.S_IWGRP) or foreign_group:
        return OPEN.found(f"{file} has the mode {mode:04o}", **values)
    if await account.may("r", file) is False:
        return CLOSED.found(f"{account.name} cannot read {file}", **values)
    return None


def _files(patient: Patient) -> list[Path]:
    source = read(patient.file, {})
    named = [source.folder / text for text in _secret_files(Config, source.tree) if "${" not in text]
    return [patient.file, *(path for path in named if os.path.lexists(path))]


def _secret_files(section: type[Section], tree: Value) -> Iterator[str]:
    """Tell the values of all keys like `token_file`."""
    if not isinstance(tree, dict):
        return
    for name, field in section.model_fields.items():
        inner = section_of(field.annotation)
        if inner is not None:
            yield from _secret_files(inner, tree.get(name))
        elif is_secret(field) and isinstance(path := tree.get(f"{name}_file"), str):
            yield path
