"""Gets the lab's Asterisks, each from the Debian suite that has it, an empty Debian, and programs that tests need.

Each Debian is packages unpacked into a folder, for `chroot`. It is made beside its place and renamed when it is
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
EMPTY = "bookworm"
EMPTY_PACKAGES = "adduser,ca-certificates,python3,systemd,systemd-sysv"
"""What every Debian on a PBX has: it boots, and packages are installed there."""
PROGRAMS = {
    "ffmpeg": "ffmpeg",
    "sox": "sox libsox-fmt-mp3",
    "nginx": "nginx-light",
    "curl": "curl",
    "chromium": "chromium",
    "pg_ctlcluster": "postgresql",
    "systemd-nspawn": "systemd-container",
    "pipx": "pipx",
    "fail2ban-regex": "fail2ban",
    "gcc": "gcc libc6-dev",
    "/usr/bin/python3-config": "python3-dev",
}
"""What tests run beside Asterisk, with their Debian packages; a path where another Python may have it too."""
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


def empty() -> Path:
    """Return the root folder of an empty Debian; InstallError says how to get it."""
    folder = cache() / f"debian-{EMPTY}"
    if not folder.is_dir():
        raise InstallError(f"there is no Debian in {folder}: run `python -m tests.lab install` as root")
    return folder


def install(versions: Sequence[int] = tuple(SUITES)) -> None:
    """Install what is missing."""
    if os.geteuid() != 0:
        raise InstallError("the lab is installed and run by root (debootstrap and chroot need it)")
    cache().mkdir(parents=True, exist_ok=True)
    _require(PROGRAMS)
    for version in versions:
        folder = cache() / f"asterisk-{version}"
        bootstrap = functools.partial(_bootstrap, SUITES[version], PACKAGES, folder, f"Asterisk {version}.")
        _make(f"Asterisk {version}", folder, bootstrap)
    folder = cache() / f"debian-{EMPTY}"
    _make("an empty Debian", folder, functools.partial(_bootstrap, EMPTY, EMPTY_PACKAGES, folder))


def _make(what: str, folder: Path, bootstrap: Callable[[], None]) -> None:
    if folder.is_dir():
        _say(f"{what} is there: {folder}")
        return
    _require({"debootstrap": "debootstrap debian-archive-keyring"})
    _try_often(what, bootstrap)
    _say(f"{what} is installed: {folder}")


def _bootstrap(suite: str, packages: str, folder: Path, asterisk: str = "") -> None:
    part = folder.with_name(folder.name + ".part")
    if part.exists():
        shutil.rmtree(part)
    _run(["debootstrap", "--variant=minbase", f"--include={packages}", suite, str(part)])
    if asterisk:
        answer = subprocess.run(
            ["chroot", str(part), "/usr/sbin/asterisk", "-V"], capture_output=True, text=True, check=False
        )
        if not answer.stdout.startswith(asterisk):
            raise InstallError(f"{suite} has {answer.stdout.strip() or answer.stderr.strip()}, not {asterisk}")
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
