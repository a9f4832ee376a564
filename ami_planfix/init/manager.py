"""Our user in Asterisk: its section of manager.conf, and the file of this PBX that it belongs into."""

import re
from pathlib import Path
from typing import NamedTuple

from ami_planfix import conf
from ami_planfix.conf import Conf, Section
from ami_planfix.init.machine import Machine
from ami_planfix.init.shipped import shipped
from ami_planfix.init.surroundings import Asterisk

USER = "ami-planfix"
BEGIN = "; >>> ami-planfix: written by `ami-planfix init`; what you change in here stays until it writes anew >>>"
END = "; <<< ami-planfix <<<"
HERE = "127.0.0.1/255.255.255.255"
_BLOCK = re.compile(rf"\n*{re.escape(BEGIN)}.*?{re.escape(END)}\n?", re.DOTALL)
_FALSE = ("no", "false", "0", "off", "n", "f", "")


class Login(NamedTuple):
    """Who logs in, and from where."""

    secret: str
    permit: str = HERE
    username: str = USER


class Manager(NamedTuple):
    """What manager.conf says without ours, and where ours goes."""

    asterisk: Asterisk
    others: Conf
    """What others wrote; empty if it cannot be read."""
    file: str
    """Where our section is written."""
    is_ours_alone: bool
    """The whole file is ours (`manager.d`)."""
    ours: Section | None
    """What we wrote before."""

    @property
    def theirs(self) -> Section | None:
        """Give the user of our name that somebody else wrote."""
        return self.others.find(USER)

    @property
    def secret(self) -> str:
        """Tell the secret that our user has already; `''` if there is none."""
        known = self.theirs or self.ours
        return known.get("secret") if known is not None else ""

    def address(self) -> tuple[str, int]:
        """Tell where this Asterisk's manager interface listens, seen from here."""
        section = self.others.find("general")
        host = section.get("bindaddr") if section else ""
        port = section.get("port") if section else ""
        here = host in ("", "0.0.0.0", "::", "127.0.0.1", "localhost")  # noqa: S104 - compared, not bound
        return ("127.0.0.1" if here else host), int(port) if port.isdigit() else 5038


def manager_of(machine: Machine, asterisk: Asterisk) -> Manager:
    """Read manager.conf and decide where ours goes."""
    main = f"{asterisk.etc}/manager.conf"
    try:
        others = conf.read(machine.at(main), machine.at(asterisk.etc), without=_strip)
        whole = conf.read(machine.at(main), machine.at(asterisk.etc))
    except OSError:
        others = whole = Conf()
    has_folder = any(name.startswith("manager.d/") for name in others.includes)
    file, alone = main, False
    if asterisk.freepbx:
        file = f"{asterisk.etc}/manager_custom.conf"
    elif has_folder:
        file, alone = f"{asterisk.etc}/manager.d/{USER}.conf", True
    ours = whole.find(USER) if others.find(USER) is None else None
    return Manager(asterisk, others, file, alone, ours)


def text_of(manager: Manager, machine: Machine, login: Login) -> str:
    """Write the file that ours belongs into, with ours in it."""
    ours = f"{BEGIN}\n{general(manager)}{section(login, manager.asterisk.has_new_filters)}{END}\n"
    if manager.is_ours_alone:
        return ours
    before = _strip(machine.read(manager.file)).rstrip("\n")
    return f"{before}\n\n{ours}" if before else ours


def general(manager: Manager) -> str:
    """Write what [general] lacks: that there is a manager interface, for this machine alone, and times."""
    known = manager.others.find("general") or Section("general", Path(manager.file))
    wanted = []
    if known.get("enabled", "no").lower() in _FALSE:
        wanted += ["enabled = yes"] if known.get("bindaddr") else ["enabled = yes", "bindaddr = 127.0.0.1"]
    if known.get("timestampevents", "no").lower() in _FALSE:
        wanted.append("timestampevents = yes")
    if not wanted:
        return ""
    # Added to the section that stands in the file above; without one there, it is a section of its own.
    head = "[general](+)" if known.options else "[general]"
    return "\n".join([head, *wanted, "", ""])


def section(login: Login, new_filters: bool) -> str:
    """Write our section with the filter for this Asterisk, as asterisk/manager.conf has them."""
    text = shipped("asterisk/manager.conf")
    head, _, filters = text.partition("; A busy PBX")
    ours = head[head.index(f"[{USER}]") :]
    ours = ours.replace(f"[{USER}]", f"[{login.username}]").replace("CHANGE-ME", login.secret)
    ours = re.sub(r"^permit = .*$", f"permit = {login.permit}", ours, flags=re.MULTILINE)
    new, _, old = filters.partition("; Older ones:")
    chosen = new if new_filters else old
    lines = re.findall(r"^;(eventfilter.*)$", chosen, re.MULTILINE)
    return ours.rstrip("\n") + "\n; Asterisk keeps back what we would drop.\n" + "\n".join(lines) + "\n"


def _strip(text: str) -> str:
    return _BLOCK.sub("\n", text)
