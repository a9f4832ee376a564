"""What init does to a machine: files that must say something, programs that must be run; done twice it does nothing."""

import difflib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple

from ami_planfix.errors import ConfigurationError
from ami_planfix.init.machine import Machine

Tell = Callable[[str], None]


class File(NamedTuple):
    """A text that must stand in a file."""

    path: str
    text: str
    why: str
    mode: int = 0o644
    """Of a file that is made anew; one that was there gives others no more than this."""
    group: str = ""
    """Of a file that is made anew; else as it was."""
    like: str = ""
    """Of a file that is made anew: owner, group and mode of this one."""
    shown: bool = True
    """What is written may be shown (secrets apart)."""


class Folder(NamedTuple):
    """A folder that must be there."""

    path: str
    why: str
    mode: int
    group: str


class Command(NamedTuple):
    """A program that must be run after certain files were written, or while it is needed."""

    words: tuple[str, ...]
    why: str
    after: tuple[str, ...] = ()
    needed: Callable[[], bool] = lambda: False
    """Tells so even if nothing was written now: an earlier try may have ended half-way."""


Step = File | Folder | Command


def carry_out(steps: Iterable[Step], machine: Machine, tell: Tell, dry_run: bool, secrets: Iterable[str] = ()) -> int:
    """Do what is not done yet, or only show it; tell how many steps that were. Raises ConfigurationError."""
    hidden = [secret for secret in secrets if secret]
    changed: set[str] = set()
    count = 0
    for step in steps:
        match step:
            case File():
                done = _write(step, machine, tell, dry_run, hidden)
                changed |= {step.path} if done else set()
            case Folder():
                done = _make(step, machine, tell, dry_run)
            case Command():
                done = _run(step, machine, tell, dry_run, changed)
        count += done
    return count


def _write(step: File, machine: Machine, tell: Tell, dry_run: bool, secrets: list[str]) -> bool:
    path = machine.at(step.path)
    before = machine.read(step.path)
    if before == step.text and path.exists():
        return False
    tell(f"{'would write' if dry_run else 'writes'} {step.path}: {step.why}")
    if dry_run and step.shown:
        tell(_difference(step.path, before, step.text, secrets))
    if dry_run:
        return True
    try:
        _replace(path, step, machine)
    except OSError as fault:
        raise ConfigurationError(f"{step.path}: cannot be written: {fault.strerror}") from fault
    return True


def _replace(path: Path, step: File, machine: Machine) -> None:
    """Write a file in one go: nobody ever reads half of it, or before it has its rights.

    Its folder may belong to somebody who is not root (FreePBX: /etc/asterisk): nothing that lies there leads elsewhere.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        raise ConfigurationError(
            f"{step.path} is a symbolic link, which root does not follow here: put the file itself in its place, or "
            "write with `init --print`"
        )
    model = path if path.exists() else machine.at(step.like) if step.like else None
    if model is not None and model.exists():
        status = model.stat()
        # A secret that stands in it now is closed to others, who could read the file until then.
        mode, owner, group = status.st_mode & (0o770 | step.mode), status.st_uid, status.st_gid
    else:
        mode, owner, group = step.mode, -1, _gid(machine, step.group)
    fresh = path.with_name(f".{path.name}.{token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(step.text)
            os.fchown(descriptor, owner, group)
            os.fchmod(descriptor, mode)
        os.replace(fresh, path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _make(step: Folder, machine: Machine, tell: Tell, dry_run: bool) -> bool:
    path = machine.at(step.path)
    if path.is_dir():
        return False
    tell(f"{'would make' if dry_run else 'makes'} {step.path}: {step.why}")
    if not dry_run:
        path.mkdir(parents=True)
        os.chown(path, -1, _gid(machine, step.group))
        path.chmod(step.mode)
    return True


def _run(step: Command, machine: Machine, tell: Tell, dry_run: bool, changed: set[str]) -> bool:
    if not changed & set(step.after) and not step.needed():
        return False
    shown = " ".join(step.words)
    tell(f"{'would run' if dry_run else 'runs'} `{shown}`: {step.why}")
    if not dry_run:
        status, output = machine.run(*step.words)
        if status != 0:
            raise ConfigurationError(f"`{shown}` failed with {status}: {output[-500:]}")
    return True


def _difference(path: str, before: str, after: str, secrets: list[str]) -> str:
    """Write a diff without other people's lines around it, and without secrets."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), path, path, n=0, lineterm="")
    text = "\n".join(lines)
    for secret in secrets:
        text = text.replace(secret, "[secret]")
    return text


def _gid(machine: Machine, name: str) -> int:
    """Find a group on that machine; -1, which changes nothing, if it is not there."""
    for line in machine.read("/etc/group").splitlines() if name else ():
        fields = line.split(":")
        if fields[0] == name and len(fields) > 2 and fields[2].isdigit():
            return int(fields[2])
    return -1
