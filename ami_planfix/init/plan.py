"""Answers -> what is written and run, and what a person is left to do (pure but for what is read)."""

import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from ami_planfix.config.example import example
from ami_planfix.config.load import examine, load
from ami_planfix.config.model import Admin, Contacts
from ami_planfix.errors import ConfigurationError
from ami_planfix.init import manager, units
from ami_planfix.init.endpoints import Line
from ami_planfix.init.manager import USER, Login, Manager
from ami_planfix.init.questions import PROXY, Answers
from ami_planfix.init.steps import Command, File, Folder, Step
from ami_planfix.init.surroundings import Surroundings

ETC = "/etc/ami-planfix"
CHAIN, KEY = f"{ETC}/fullchain.pem", f"{ETC}/privkey.pem"
FREEPBX_PHONE = "Local/{extension}@originate-skipvm"


class Known(NamedTuple):
    """The secrets, old or new, and where Planfix calls."""

    secret: str
    token: str
    public_url: str

    @property
    def all(self) -> tuple[str, ...]:
        """Give those that nobody else may see."""
        return self.secret, self.token


class Plan(NamedTuple):
    """Everything."""

    steps: list[Step]
    known: Known
    manager: Manager | None
    """None: Asterisk is on another machine."""
    kept: bool
    """The configuration is there already, and stays."""


def make(around: Surroundings, answers: Answers, file: str, pbx: str = "") -> Plan:
    """Decide what is to be done. Raises ConfigurationError if the answers make no configuration."""
    there = manager.manager_of(around.machine, around.asterisk) if around.asterisk is not None else None
    kept = around.machine.exists(file)
    known = _kept(around, file) if kept else _fresh(answers, there)
    steps: list[Step] = [*_account(around), Folder(ETC, "for the configuration and its secrets", 0o750, USER)]
    written: list[File] = []
    if not kept:
        written.append(
            File(file, text_of(around, answers, known, there, pbx), "our configuration", mode=0o640, group=USER)
        )
        written += certificates(around, answers)
    if there is not None and there.theirs is None:
        login = Login(known.secret)
        text = manager.text_of(there, around.machine, login)
        likewise = f"{there.asterisk.etc}/manager.conf"
        written.append(File(there.file, text, "our user in Asterisk", mode=0o640, like=likewise))
    written += units.files(around)
    steps += written
    if there is not None:
        reload = ("asterisk", "-rx", "manager reload")
        steps.append(Command(reload, "Asterisk learns of our user", (there.file,), lambda: not _is_known(around)))
    steps += units.commands(around, [one.path for one in written])
    return Plan(steps, known, there, kept)


def _fresh(answers: Answers, there: Manager | None) -> Known:
    secret = there.secret if there is not None else ""
    return Known(secret or secrets.token_hex(16), secrets.token_hex(24), answers.public_url)


def _kept(around: Surroundings, file: str) -> Known:
    config = load(around.machine.at(file))
    server = config.server
    token, url = (server.token.get_secret_value(), server.public_url) if server is not None else ("", "")
    return Known(config.ami.secret.get_secret_value(), token, url)


def _is_known(around: Surroundings) -> bool:
    """Ask a running Asterisk whether it knows our user."""
    return "username:" in around.machine.run("asterisk", "-rx", f"manager show user {USER}").output


def _account(around: Surroundings) -> Iterator[Step]:
    words = ("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", USER)
    accounts = around.machine.read("/etc/passwd")
    yield Command(words, "the daemon's own account", needed=lambda: f"\n{USER}:" not in f"\n{accounts}")


def text_of(around: Surroundings, answers: Answers, known: Known, there: Manager | None, pbx: str) -> str:
    """Write the configuration, and see that it is one."""
    text = example(_values(around, answers, known, there, pbx))
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "config.yaml"
        draft.write_text(text, "utf-8")
        problems = examine(draft).problems
    if problems:
        raise ConfigurationError("\n".join(f"{'.'.join(map(str, one.key))}: {one.wrong}" for one in problems))
    return text


def _values(around: Surroundings, answers: Answers, known: Known, there: Manager | None, pbx: str) -> dict[str, object]:
    values: dict[str, object] = {
        "ami": _ami(known, there, pbx),
        "numbering": {name: answers[name] for name in ("country", "area_code", "extensions", "default_extension")},
        "makecall": _makecall(around, answers),
    }
    if answers.public_url:
        values["server"] = _server(around, answers, known)
        values["recordings"] = _recordings(around, answers)
    if answers.lines:
        values["trunks"] = [_trunk(line) for line in answers.lines]
    if around.admin_port != Admin().listen.port:
        values["admin"] = {"listen": f"127.0.0.1:{around.admin_port}"}
    contacts: dict[str, object] = {}
    if around.fastagi_port != Contacts().fastagi.port:
        contacts["fastagi"] = f"127.0.0.1:{around.fastagi_port}"
    if around.asterisk is not None and around.asterisk.hints != Contacts().hints:
        contacts["hints"] = around.asterisk.hints
    return values | ({"contacts": contacts} if contacts else {})


def _ami(known: Known, there: Manager | None, pbx: str) -> dict[str, object]:
    host, port = there.address() if there is not None else (pbx, 5038)
    section: dict[str, object] = {"secret": known.secret}
    if host != "127.0.0.1":
        section["host"] = host
    if port != 5038:
        section["port"] = port
    return section


def _server(around: Surroundings, answers: Answers, known: Known) -> dict[str, object]:
    asked = urlsplit(answers.public_url).port or 443
    # Ports below 1024 are not for the daemon: a router or a proxy passes them on.
    port = asked if asked >= 1024 else around.server_port
    section: dict[str, object] = {"public_url": answers.public_url, "token": known.token}
    if answers["certificate"] == PROXY:
        return section | {"listen": f"127.0.0.1:{around.server_port}", "trusted_proxies": ["127.0.0.1/32"]}
    return section | {"listen": f"0.0.0.0:{port}", "tls": {"certificate": CHAIN, "private_key": KEY}}


def _recordings(around: Surroundings, answers: Answers) -> dict[str, object]:
    folder = answers["recordings"]
    named = around.asterisk.spool if around.asterisk is not None else folder
    return {"directory": folder, "asterisk_directory": named}


def _makecall(around: Surroundings, answers: Answers) -> dict[str, object]:
    asterisk = around.asterisk
    section: dict[str, object] = {}
    if asterisk is not None and asterisk.freepbx:
        section |= {"channel": FREEPBX_PHONE, "context": "from-internal"}
    elif asterisk is not None:
        section |= {"channel": f"{asterisk.technology}/{{extension}}", "context": asterisk.phones_context}
    if answers.public_url:
        section["dial"] = {name: answers[name] for name in ("national", "international")}
    return section


def _trunk(line: Line) -> dict[str, object]:
    section: dict[str, object] = {"channel": line.channel}
    return section | {"number": line.number} if line.number else section


def certificates(around: Surroundings, answers: Answers) -> list[File]:
    """Copy the certificate for the daemon, who is not root, and have certbot do so when it is renewed."""
    if not answers.public_url or answers["certificate"] == PROXY:
        return []
    machine = around.machine
    sources = ((answers["certificate"], CHAIN), (answers["private_key"], KEY))
    for source, _ in sources:
        if not machine.read(source):
            raise ConfigurationError(f"{source}: cannot be read; name a certificate and its key, or `{PROXY}`")
    copies = [
        File(copy, machine.read(source), f"a copy of {source} for the daemon", mode=0o640, group=USER, shown=False)
        for source, copy in sources
    ]
    lineage = str(Path(answers["certificate"]).parent)
    if lineage.startswith("/etc/letsencrypt/live/"):
        copies.append(units.renewal(lineage))
    return copies
