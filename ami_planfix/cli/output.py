"""Results go to stdout, as a table or as JSON lines; words for people go to stderr."""

import json
from collections.abc import Iterable, Mapping, Sequence

import click

Cell = str | int | float | None


def tell(message: str) -> None:
    """Say something to the person at the terminal."""
    click.echo(printable(message), err=True)


def print_json(row: Mapping[str, object]) -> None:
    """Print one JSON object on a line of its own."""
    click.echo(printable_json(json.dumps(row, ensure_ascii=False)))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print rows under headings; numbers to the right, the rest to the left."""
    cells = [list(row) for row in rows]
    texts = [[printable("" if cell is None else str(cell)) for cell in row] for row in cells]
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


def rows_of(answer: Mapping[str, object], name: str) -> list[dict[str, object]]:
    """Take a list of objects out of an answer."""
    found = answer.get(name)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
