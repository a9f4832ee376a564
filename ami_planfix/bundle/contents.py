"""What goes into a bundle, each piece with the words that say what it is."""

import json
import platform
import re
import sqlite3
import ssl
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, SecretStr
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from ami_planfix import __version__
from ami_planfix.ami import capture
from ami_planfix.bundle import configuration
from ami_planfix.bundle.configuration import is_database
from ami_planfix.bundle.hiding import Hiding
from ami_planfix.bundle.journal import journal
from ami_planfix.calls.tracker import is_compiled
from ami_planfix.config.load import examine
from ami_planfix.config.model import Config
from ami_planfix.control import request
from ami_planfix.doctor.checkup import examine as make_checks
from ami_planfix.doctor.patient import Patient, meet
from ami_planfix.errors import AmiPlanfixError, DaemonAway, StorageError
from ami_planfix.planfix.account import find_credentials

PIECES = {
    "config.yaml": "the configuration, without secrets and comments",
    "problems.txt": "what `check` says of it",
    "versions.json": "versions of the program, Python, its libraries, Asterisk, this system",
    "doctor.jsonl": "what `doctor` finds now",
    "daemon.json": "how the running daemon and its parts are, its last warnings and errors",
    "deliveries.json": "how many reports wait or were refused, and Planfix's words",
    "recordings.json": "recordings that wait or are missing",
    "endpoints.json": "whose each device and channel is, and why",
    "log.txt": "the end of the service's log",
    "capture.ami": "the last capture, if there is one",
}
"""In this order; what there is nothing of is left out."""

MOST = 50 * 1024 * 1024
"""Bytes of a capture; of a longer one the end is taken, which is when somebody stopped it."""
_LEAST_SECRET = 8
_OURS = "ami-planfix"
_REFUSED = [("state", "dead"), ("state", "waiting"), ("limit", "200")]


class Piece(NamedTuple):
    """One file of the bundle."""

    name: str
    text: str


async def gather(file: Path, recorded: Path | None) -> tuple[list[Piece], list[str]]:
    """Gather all pieces as they are, and all secrets that may be in them. Raises CaptureError for a wrong capture."""
    found = [Piece("config.yaml", configuration.redacted(file))]
    examined = examine(file)
    found.append(Piece("problems.txt", "".join(f"{problem}\n" for problem in examined.problems)))
    secrets: list[str] = []
    asterisk = ""
    if examined.config is not None:
        secrets = await secrets_of(examined.config)
        async with meet(file, examined.config) as patient:
            found.append(Piece("doctor.jsonl", await _findings(patient)))
            asterisk = await _asterisk(patient)
        found += await _daemon(examined.config)
    found.append(Piece("versions.json", _json(versions(asterisk))))
    found.append(Piece("log.txt", await journal()))
    if recorded is not None:
        found.append(Piece("capture.ami", _capture(recorded)))
    order = list(PIECES)
    return sorted((one for one in found if one.text), key=lambda one: order.index(one.name)), secrets


async def secrets_of(config: Config) -> list[str]:
    """List every secret that the configuration has, and those that Planfix brought."""
    secrets = list(_secrets_in(config))
    try:
        known = await find_credentials(config.planfix, config.storage.url.get_secret_value(), config.ami.name)
    except StorageError:
        known = None
    if known is not None:
        secrets.append(known.token)
    return secrets


def _secrets_in(value: object) -> Iterator[str]:
    """Find the secrets of a section and of all within; of a database's address its password is one."""
    match value:
        case SecretStr():
            text = value.get_secret_value()
            secret = _password(text) if is_database(text) else text
            yield from [secret] if secret else []
        case BaseModel():
            for name in type(value).model_fields:
                yield from _secrets_in(getattr(value, name))
        case tuple():
            for one in value:
                yield from _secrets_in(one)
        case dict():
            # alerts.webhook.body: what is short or filled in is no key to anything.
            texts = [one.get_secret_value() for one in value.values() if isinstance(one, SecretStr)]
            yield from (text for text in texts if len(text) >= _LEAST_SECRET and "{" not in text)


def _password(address: str) -> str:
    if "://" not in address:
        return ""  # a path
    try:
        return str(make_url(address).password or "")
    except ArgumentError:
        return address


async def _findings(patient: Patient) -> str:
    rows = [{"area": area, **found._asdict()} async for area, found in make_checks(patient)]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


async def _asterisk(patient: Patient) -> str:
    try:
        there = await patient.logged_in()
        return (await there.act("CoreSettings")).get("AsteriskVersion")
    except AmiPlanfixError as fault:
        return f"unknown: {fault}"


async def _daemon(config: Config) -> list[Piece]:
    """Ask the daemon, if it runs."""
    asked: tuple[tuple[str, str, list[tuple[str, str]]], ...] = (
        ("daemon.json", "/condition", []),
        ("deliveries.json", "/deliveries", _REFUSED),
        ("recordings.json", "/recordings", []),
        ("endpoints.json", "/endpoints", []),
    )
    pieces = []
    for name, path, query in asked:
        try:
            answer = await request(config.admin.socket, "GET", path, query)
        except DaemonAway as fault:
            answer = {"not_asked": str(fault)}
        pieces.append(Piece(name, _json(answer)))
    return pieces


def versions(asterisk: str) -> dict[str, object]:
    """Tell what runs here."""
    try:
        required = [text.split(";")[0] for text in distribution(_OURS).requires or () if "extra ==" not in text]
    except PackageNotFoundError:
        required = []
    names = sorted({_name(text) for text in required})
    return {
        "ami-planfix": __version__,
        "compiled": is_compiled(),
        "python": sys.version,
        "asterisk": asterisk,
        "system": _system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "openssl": ssl.OPENSSL_VERSION,
        "sqlite": sqlite3.sqlite_version,
        "libraries": {name: _version(name) for name in names},
    }


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return platform.platform()


def _name(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    return found[0] if found else requirement


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _capture(file: Path) -> str:
    """Read a capture, redacted message by message, from its end if it is long."""
    messages: list[bytes] = []
    size = 0
    for raw in capture.read(file):
        messages.append(capture.redacted(raw))
        size += len(raw) + 4
        while size > MOST:
            size -= len(messages.pop(0)) + 4
    return b"".join(raw + b"\r\n\r\n" for raw in messages).decode("utf-8", "replace")


def newest_capture(folders: Iterable[Path]) -> Path | None:
    """Find the capture that was written last in these folders."""
    found = [path for folder in folders for path in folder.glob("*.ami*") if path.is_file()]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def hidden(pieces: Iterable[Piece], hiding: Hiding) -> list[Piece]:
    """Hide in all pieces what nobody may see."""
    pieces = list(pieces)
    for piece in pieces:
        if piece.name == "capture.ami":
            hiding.learn(piece.text)
    return [piece._replace(text=hiding.hide(piece.text)) for piece in pieces]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
