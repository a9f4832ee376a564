"""Where reports wait: the database, its tables, rights, room on the disk."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from sqlalchemy import make_url

from ami_planfix.doctor.finding import Fault, Finding, Sign, Untried, untried, well
from ami_planfix.doctor.patient import Patient
from ami_planfix.errors import StorageDamaged, StorageError
from ami_planfix.storage.database import Database, exists
from ami_planfix.storage.mending import found_aside, is_ours
from ami_planfix.storage.schema import Standing, standing

AWAY = Fault(
    "storage-away",
    "storage",
    "the database cannot be opened",
    "it says what is wrong; `storage.url`; a file must belong to {user}, a server must run and let it in",
)
RIGHTS = Fault(
    "storage-rights",
    "storage",
    "the daemon's user cannot write there",
    "`chown -R {user}: {folder} && chmod 700 {folder}`",
)
DAMAGED = Fault(
    "storage-damaged",
    "storage",
    "the database is damaged",
    "start the daemon: it sets {file} aside and carries over what can be read; then look after the disk (`dmesg`)",
)
WAS_DAMAGED = Fault(
    "storage-was-damaged",
    "storage",
    "the database was damaged, and a new one begun",
    "look after the disk (`dmesg`, `smartctl`), then remove {file}: what could be read of it is in the new one",
    Sign.WARNING,
)
NEWER = Fault(
    "storage-newer",
    "storage",
    "its tables are of a newer version: the daemon does not start",
    "install that version again, or name another `storage.url`",
)
FULL = Fault(
    "disk-full",
    "disk",
    "there is no room for reports",
    "make room on the disk of {folder}: `df -h {folder}`",
)
LITTLE = Fault(
    "disk-little",
    "disk",
    "there is little room left",
    "make room on the disk of {folder}: `df -h {folder}`",
    Sign.WARNING,
)

ENOUGH, TOO_LITTLE = 1024**3, 64 * 1024**2
"""Bytes; a day of a thousand calls takes about ten million."""


async def database(patient: Patient) -> AsyncIterator[Finding]:
    """Open the database and look at its tables; nothing is made or changed."""
    url = patient.config.storage.url.get_secret_value()
    user = patient.wanted_user
    if not exists(url):
        yield untried("storage", f"{make_url(url).database} is made when the daemon starts for the first time")
        return
    try:
        async with Database(url) as opened:
            found = await standing(opened)
    except StorageDamaged as fault:
        file = Path(make_url(url).database or "")
        yield DAMAGED.found(str(fault), file=file) if is_ours(file) else AWAY.found(str(fault), user=user)
        return
    except StorageError as fault:
        if os.geteuid() != 0 and "permission" in str(fault).lower():
            raise Untried(f"{fault}; run doctor with sudo") from fault
        yield AWAY.found(str(fault), user=user)
        return
    match found:
        case Standing.NEWER:
            yield NEWER.found("its tables are of a version that this one does not know")
        case Standing.OLDER:
            yield untried("storage", "its tables are brought up to date when the daemon starts")
        case Standing.CURRENT:
            yield well("storage", make_url(url).set(query={}).render_as_string())
    for aside in found_aside(Path(make_url(url).database or "")) if opened.is_sqlite else ():
        yield WAS_DAMAGED.found(f"{aside} was set aside", file=f"{aside}*")


async def room(patient: Patient) -> AsyncIterator[Finding]:
    """Look at the folder of a database in a file: rights and room."""
    url = make_url(patient.config.storage.url.get_secret_value())
    if url.get_backend_name() != "sqlite":
        raise Untried("the database is a server's")
    file = Path(url.database or "")
    folder = next(parent for parent in file.parents if parent.exists())
    free = shutil.disk_usage(folder).free
    if free < TOO_LITTLE:
        yield FULL.found(f"{_megabytes(free)} free in {folder}", folder=folder)
    elif free < ENOUGH:
        yield LITTLE.found(f"{_megabytes(free)} free in {folder}", folder=folder)
    else:
        yield well("disk", f"{free / 1024**3:.0f} GB free in {folder}")
    if not file.parent.exists() or patient.account is None:
        return  # systemd makes it: StateDirectory=
    for path in (file.parent, file):
        if path.exists() and await patient.account.may("w", path) is False:
            name = patient.account.name
            yield RIGHTS.found(f"{name} cannot write {path}", user=name, folder=file.parent)
            return


def _megabytes(size: int) -> str:
    return f"{size / 1024**2:.0f} MB"
