"""Results go to stdout, as a table or as JSON lines; words for people go to stderr."""

import errno
import json
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import click

Cell = str | int | float | None


def tell(message: str) -> None:
    """Say something to the person at the terminal."""
    click.echo(printable(message), err=True)


def print_json(row: Mapping[str, object]) -> None:
    """Print one JSON object on a line of its own."""
    click.echo(printable_json(json.dumps(row, ensure_ascii=False)))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print rows under headings; numbers to the right, the rest to the left; nothing in a cell begins a row."""
    cells = [list(row) for row in rows]
    texts = [[printable("" if cell is None else str(cell)).replace("\n", "\\x0a") for cell in row] for row in cells]
    widths = [max(len(text) for text in column) for column in zip(headings, *texts, strict=True)]
    numeric = [
        bool(cells) and all(isinstance(row[i], int | float | None) for row in cells) for i in range(len(headings))
    ]
    for line in (list(headings), *texts):
        padded = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ]
        click.echo("  ".join(padded).rstrip())


def printable(text: str) -> str:
    """Show a caller's name or a server's words without letting them steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def printable_json(line: str) -> str:
    """Write a line of JSON so that it says the same and steers no terminal either."""
    return line if line.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


def private_file(path: Path) -> BinaryIO:
    """Write a file anew for its owner alone, from its first byte on; raise OSError.

    Root writes it perhaps where others may write too (/tmp): what they have put there is not filled.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.fdopen(os.open(path, flags, 0o600), "wb")
    status = os.fstat(file.fileno())
    if status.st_uid != os.geteuid():
        file.close()
        raise PermissionError(errno.EPERM, "it belongs to somebody else")
    if stat.S_ISREG(status.st_mode):
        os.fchmod(file.fileno(), 0o600)
        file.truncate(0)
    return file


def rows_of(answer: Mapping[str, object], name: str) -> list[dict[str, object]]:
    """Take a list of objects out of an answer."""
    found = answer.get(name)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
