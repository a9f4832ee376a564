"""The service: systemd's unit, the right to read recordings, and certbot's hook."""

import grp
import re
from collections.abc import Iterable
from pathlib import Path
from shlex import quote

from ami_planfix.errors import ConfigurationError
from ami_planfix.init.manager import USER
from ami_planfix.init.shipped import shipped
from ami_planfix.init.steps import Command, File, Step
from ami_planfix.init.surroundings import Surroundings

UNIT = f"{USER}.service"
OURS = f"/etc/systemd/system/{UNIT}"
GROUPS = f"/etc/systemd/system/{UNIT}.d/recordings.conf"
HOOK = "/etc/letsencrypt/renewal-hooks/deploy/ami-planfix"
_PACKAGED = (f"/lib/systemd/system/{UNIT}", f"/usr/lib/systemd/system/{UNIT}")
_HOMES = ("/root/", "/home/")


def files(around: Surroundings) -> list[File]:
    """Write the unit, unless a package brought it, and the group that may read recordings."""
    machine = around.machine
    found: list[File] = []
    if not any(map(machine.exists, _PACKAGED)):
        program = str(machine.program)
        if program.startswith(_HOMES):
            raise ConfigurationError(
                f"{program} is in somebody's home, which the service does not see: install it for all, as the Debian "
                "package or with pipx into /opt (docs/admin/packages.md)"
            )
        text = shipped(f"systemd/{UNIT}").replace("/usr/local/bin/ami-planfix", program)
        found.append(File(OURS, text, "the service"))
    group = _recordings_group(around)
    if group:
        text = f"# Recordings are for the group {group}.\n[Service]\nSupplementaryGroups={group}\n"
        found.append(File(GROUPS, text, "the daemon may read recordings"))
    return found


def commands(around: Surroundings, written: Iterable[str]) -> list[Step]:
    """Have systemd take it up: started the first time, started anew if something has changed."""
    machine = around.machine
    if not machine.exists("/run/systemd/system"):
        return []

    is_on = machine.run("systemctl", "is-enabled", USER).status == 0
    again = Command(("systemctl", "restart", USER), "the daemon takes up what is new", after=tuple(written))
    return [
        Command(("systemctl", "daemon-reload"), "systemd reads the service", after=(OURS, GROUPS)),
        again
        if is_on
        else Command(
            ("systemctl", "enable", "--now", USER), "the daemon runs, and after each boot", needed=lambda: True
        ),
    ]


def renewal(lineage: str) -> File:
    """Have certbot copy the certificate whenever it was renewed."""
    text = (
        "#!/bin/sh\n# Written by `ami-planfix init`: the daemon is not root and reads copies.\nset -e\n"
        f'[ "$RENEWED_LINEAGE" = {quote(lineage)} ] || exit 0\n'
        f'install -m 640 -g {USER} "$RENEWED_LINEAGE/fullchain.pem" "$RENEWED_LINEAGE/privkey.pem" /etc/ami-planfix/\n'
        f"systemctl reload {USER}\n"
    )
    return File(HOOK, text, "certbot copies what it renews", mode=0o755)


def _recordings_group(around: Surroundings) -> str:
    """Tell the group of the recordings' folder; `''` if everybody may read it, or nobody but its owner."""
    if around.asterisk is None:
        return ""
    folder = around.machine.at(around.asterisk.spool)
    try:
        status = Path(folder).stat()
    except OSError:
        return ""
    if status.st_mode & 0o005 == 0o005 or not status.st_mode & 0o040:
        return ""
    return _group_name(around, status.st_gid)


def _group_name(around: Surroundings, gid: int) -> str:
    named = re.search(rf"^([^:]+):[^:]*:{gid}:", around.machine.read("/etc/group"), re.MULTILINE)
    if named:
        return named[1]
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return ""
