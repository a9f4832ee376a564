"""Recordings: the folder and the right to read it, mp3, the cache, and a link from outside."""

import asyncio
import os
import stat
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import aiohttp

from ami_planfix.config.model import Server
from ami_planfix.doctor import reach
from ami_planfix.doctor.finding import Fault, Finding, Sign, Untried, untried, well
from ami_planfix.doctor.patient import Account, Patient, group_name
from ami_planfix.doctor.public import get
from ami_planfix.recordings import audio
from ami_planfix.recordings.files import Shelf
from ami_planfix.recordings.links import NOBODYS, PATH
from ami_planfix.recordings.waiting import PART

FOLDER = Fault(
    "recordings-folder",
    "folder",
    "it is not there, or hangs",
    "correct `recordings.directory`, or mount it: it is Asterisk's folder, as this machine sees it",
)
CLOSED = Fault(
    "recordings-closed",
    "folder",
    "the daemon's user cannot read recordings",
    "`systemctl edit ami-planfix` with `SupplementaryGroups={group}` below [Service], `systemctl restart ami-planfix`; "
    "that group needs `r` and `x` on {folder} and `x` on the folders above",
)
NO_CONVERTER = Fault(
    "recordings-converter",
    "mp3",
    "the program that makes mp3 is not installed: Planfix gets files as they are",
    "`apt install ffmpeg`, or `sox libsox-fmt-mp3`, then `systemctl restart ami-planfix`; or say "
    "`recordings.format: original`",
    Sign.WARNING,
)
NEW_CONVERTER = Fault(
    "recordings-converter-new",
    "mp3",
    "what makes mp3 was installed after the daemon's start: Planfix still gets files as they are",
    "`systemctl restart ami-planfix`: no report is lost",
    Sign.WARNING,
)
CACHE = Fault(
    "recordings-cache",
    "cache",
    "converted recordings cannot be kept there: each is converted anew",
    "`install -d -m 750 -o {user} -g {group} {folder}`; the unit must let it be written (ReadWritePaths=)",
    Sign.WARNING,
)
MISSING = Fault(
    "recordings-missing",
    "files",
    "recordings that Asterisk told of did not appear",
    "`ami-planfix recordings` says where they were looked for; `recordings.asterisk_directory` must be the beginning "
    "of the name that Asterisk tells",
    Sign.WARNING,
)
NOT_PASSED = Fault(
    "recordings-path",
    "links",
    "the public address does not lead to our recordings",
    "the proxy must pass /recordings/ on, too: docs/admin/nginx.md",
)
LINK = Fault(
    "recordings-link",
    "links",
    "the newest link does not lead to the audio",
    "`journalctl -u ami-planfix -o cat | grep recording` says why; a file that was moved: its folder into "
    "`recordings.archives`",
)

PATIENCE = 3.0
"""Seconds for a folder that may be on another machine."""
_DAY_FOLDERS = 3

T = TypeVar("T")


async def folder(patient: Patient) -> AsyncIterator[Finding]:
    """Look into the folder, as the daemon's user."""
    _in_use(patient)
    section = patient.config.recordings
    directory = section.directory
    trouble = await _in_time(Shelf(directory, section.asterisk_directory).trouble)
    if trouble is None:
        yield FOLDER.found(f"{directory} hangs")
        return
    if not await _in_time(directory.is_dir):
        yield FOLDER.found(f"{directory} is not there")
        return
    account = patient.user()
    newest = await _in_time(lambda: _deepest(directory)) or directory
    may = [await account.may("r", place) for place in (directory, newest)] + [await account.may("x", directory)]
    if False in may:
        group = group_name(newest.stat().st_gid)
        hint = "" if _is_member(account, newest) else f", being in none of its groups ({group})"
        yield CLOSED.found(f"{account.name} cannot read {newest}{hint}", group=group, folder=directory)
    elif None in may:
        yield untried("folder", f"whether {account.name} may read {directory} only root can tell: run doctor with sudo")
    else:
        yield well("folder", f"{account.name} reads {directory}")


async def conversion(patient: Patient) -> AsyncIterator[Finding]:
    """Look for the program that makes mp3, and whether its work can be kept."""
    _in_use(patient)
    section = patient.config.recordings
    if section.format == "original":
        yield untried("mp3", "`recordings.format: original`: nothing is converted")
        return
    found = audio.find_converter(section.converter)
    if found is None:
        yield NO_CONVERTER.found("neither ffmpeg nor sox" if section.converter == "auto" else f"no {section.converter}")
    elif _made_without(patient):
        yield NEW_CONVERTER.found(f"{found.path} is there, and the daemon does not know of it")
    else:
        yield well("mp3", found.path)
    place = section.cache if section.cache.exists() else section.cache.parent
    account = patient.user()
    if not place.exists():
        yield untried("cache", f"{section.cache} is made when the service starts")
    elif await account.may("w", place) is False:
        values = {"user": account.name, "group": account.group, "folder": section.cache}
        yield CACHE.found(f"{account.name} cannot write {place}", **values)


def _made_without(patient: Patient) -> bool:
    """Tell whether the running daemon found no converter when it began."""
    part = patient.part(PART)
    return part is not None and audio.NO_CONVERTER in part.detail


async def links(patient: Patient) -> AsyncIterator[Finding]:
    """Try a link that is none, and the newest that was given, from outside."""
    server = _in_use(patient)
    answer = await patient.ask("/recordings/newest")
    counts = answer.get("counts")
    missing = int(counts.get("missing", 0)) if isinstance(counts, dict) else 0
    if missing:
        yield MISSING.found(f"{missing} did not appear")
    base = f"{server.public_url}{PATH}/"
    try:
        nothing = await get(f"{base}{NOBODYS}")
        if nothing.status == 403 and server.allow_from:
            yield untried("links", "`server.allow_from` does not let this machine in")
            return
        if nothing.status != 404 or "nothing is here" not in nothing.body:
            yield NOT_PASSED.found(f"{base} answers {nothing.status}, and not as the daemon does")
            return
        link = str(answer.get("link", ""))
        if not link:
            yield well("links", f"{base} leads here; no recording has a link yet")
            return
        heard = await get(link, "HEAD")
    except (aiohttp.ClientError, OSError) as fault:
        raise Untried(f"the public address cannot be reached from here: {reach.words(fault)}") from fault
    if heard.status == 200:
        yield well("links", "the newest recording can be heard from outside")
    else:
        yield LINK.found(f"the newest link answers {heard.status}")


def _in_use(patient: Patient) -> Server:
    """Give the server that links lead to; raises Untried if it is not ours."""
    config = patient.config
    if config.recordings.url:
        raise Untried("another server has the files (`recordings.url`)")
    if config.server is None:
        raise Untried("without `server` no link could lead anywhere: recordings are not used")
    return config.server


async def _in_time(work: Callable[[], T]) -> T | None:
    """Do something with a disk that may hang, in a thread that nobody waits for; None if it does."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(result: T | None, fault: Exception | None) -> None:
        if not done.done():
            done.set_exception(fault) if fault is not None else done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        try:
            result, fault = work(), None
        except Exception as error:
            result, fault = None, error
        with suppress(RuntimeError):  # too late: doctor has ended
            loop.call_soon_threadsafe(tell, result, fault)

    threading.Thread(target=run, daemon=True).start()
    try:
        async with asyncio.timeout(PATIENCE):
            return await done
    except TimeoutError:
        return None


def _deepest(directory: Path) -> Path:
    """Find the newest file, or folder, along the days of FreePBX (2026/03/07): rights often differ there."""
    place = directory
    for _ in range(_DAY_FOLDERS + 1):
        if not place.is_dir() or not os.access(place, os.R_OK | os.X_OK):
            return place
        inside = os.listdir(place)
        if not inside:
            return place
        place /= max(inside)
    return place


def _is_member(account: Account, place: Path) -> bool:
    status = place.stat()
    return status.st_gid in (account.gid, *account.groups) or bool(stat.S_IMODE(status.st_mode) & stat.S_IROTH)
