"""Gets the lab's Asterisks: Debian packages unpacked into a folder, for `chroot`.

Two versions, each from the Debian suite that has it. A folder is made beside its place and renamed when it is
whole, so a half-made one is never used; `python -m tests.lab install` may be run again and again.
"""

import functools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

SUITES = {22: "sid", 16: "bullseye"}
PACKAGES = "asterisk,asterisk-modules,asterisk-config"
PROGRAMS = {
    "ffmpeg": "ffmpeg",
    "sox": "sox libsox-fmt-mp3",
    "nginx": "nginx-light",
    "curl": "curl",
    "chromium": "chromium",
}
"""What recordings are converted by and served through, with their Debian packages."""
TRIES = 5
PAUSE = 20  # seconds between two tries: a mirror may be away for a minute


class InstallError(Exception):
    """An Asterisk could not be installed, or is not there."""


def cache() -> Path:
    """Return the folder that the Asterisks live in."""
    if named := os.environ.get("AMI_PLANFIX_LAB"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ami-planfix" / "lab"


def root(version: int) -> Path:
    """Return the root folder of one Asterisk; InstallError says how to get it."""
    folder = cache() / f"asterisk-{version}"
    if not folder.is_dir():
        raise InstallError(f"there is no Asterisk {version} in {folder}: run `python -m tests.lab install` as root")
    return folder


def install(versions: Sequence[int] = tuple(SUITES)) -> None:
    """Install what is missing."""
    if os.geteuid() != 0:
        raise InstallError("the lab is installed and run by root (debootstrap and chroot need it)")
    cache().mkdir(parents=True, exist_ok=True)
    _require(PROGRAMS | {"pg_ctlcluster": "postgresql"})
    for version in versions:
        folder = cache() / f"asterisk-{version}"
        if folder.is_dir():
            _say(f"Asterisk {version} is there: {folder}")
            continue
        _require({"debootstrap": "debootstrap debian-archive-keyring"})
        _try_often(f"Asterisk {version}", functools.partial(_bootstrap, version, folder))
        _say(f"Asterisk {version} is installed: {folder}")


def _bootstrap(version: int, folder: Path) -> None:
    part = folder.with_name(folder.name + ".part")
    if part.exists():
        shutil.rmtree(part)
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITES[version], str(part)]
    _run(command)
    answer = subprocess.run(
        ["chroot", str(part), "/usr/sbin/asterisk", "-V"], capture_output=True, text=True, check=False
    )
    if not answer.stdout.startswith(f"Asterisk {version}."):
        raise InstallError(f"{SUITES[version]} has {answer.stdout.strip() or answer.stderr.strip()}, not {version}")
    shutil.rmtree(part / "var" / "cache" / "apt" / "archives", ignore_errors=True)
    part.rename(folder)


def _require(programs: Mapping[str, str]) -> None:
    """Install the Debian packages of those programs that are missing."""
    missing = [package for program, package in programs.items() if not shutil.which(program)]
    if not missing:
        return
    names = " ".join(missing)
    if not shutil.which("apt-get"):
        raise InstallError(f"{names} missing, and this is no Debian: install by hand")

    def get() -> None:
        _run(["apt-get", "update", "-q"])
        _run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *" ".join(missing).split()])

    _try_often(names, get)


def _try_often(what: str, get: Callable[[], None]) -> None:
    for number in range(1, TRIES + 1):
        try:
            get()
        except (InstallError, OSError) as error:
            if number == TRIES:
                raise InstallError(f"{what}: given up after {TRIES} tries: {error}") from error
            _say(f"{what}: {error}; trying again in {PAUSE} s ({number} of {TRIES})")
            time.sleep(PAUSE)
        else:
            return


def _run(command: Sequence[str]) -> None:
    """Run a program, its words on our stderr."""
    _say("$ " + " ".join(command))
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    status = subprocess.run(command, stdout=sys.stderr, env=environment, check=False).returncode
    if status:
        raise InstallError(f"`{command[0]}` failed with status {status}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
