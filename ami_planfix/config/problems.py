"""A problem in the configuration file, and how a person is told: file:line, key, wrong, allowed, did you mean."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

KeyPath = tuple[str | int, ...]
"""`("trunks", 0, "kind")` is trunks[0].kind; `()` is the whole file."""

LONGEST_SHOWN = 60

_PASSWORD = re.compile(r"//[^/@\s]*@")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; a secret's value is in none of the fields."""

    file: str
    line: int | None
    """From 1; None if it is about no line."""
    column: int | None
    key: KeyPath
    wrong: str
    """Goes on after the key: `is missing`, `'extern' is not allowed`."""
    allowed: str = ""
    suggestion: str = ""
    """What was probably meant."""

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        what = f"{dotted(self.key)}: {self.wrong}" if self.key else self.wrong
        allowed = f"; allowed: {self.allowed}" if self.allowed else ""
        meant = f". Did you mean {self.suggestion}?" if self.suggestion else ""
        return f"{where}: {what}{allowed}{meant}"


def dotted(key: KeyPath) -> str:
    """Write a key as people do: `trunks[0].kind`."""
    text = ""
    for step in key:
        text += f"[{step}]" if isinstance(step, int) else f".{harmless(step)}"
    return text.removeprefix(".")


def harmless(text: str) -> str:
    """Write a text from a file so that it cannot disturb a terminal or a log, nor fill it."""
    short = text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "..."
    return re.sub(r"[^\x20-\x7e\u00a1-\u024f\u0400-\u04ff]", lambda found: ascii(found[0])[1:-1], short)


def shown(text: str) -> str:
    """Write a value between quotes, without a password that an address has in it."""
    return f"'{harmless(_PASSWORD.sub('//...@', text))}'"


def nearest(word: str, words: Iterable[str]) -> str:
    """Find what was probably meant by a word; `''` if nothing is near."""
    by_small = {known.casefold(): known for known in words}
    found = get_close_matches(word.casefold(), by_small, n=1, cutoff=0.6)
    return by_small[found[0]] if found else ""


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Sort problems as they stand in the file."""
    return tuple(sorted(problems, key=lambda found: (found.line or 0, found.column or 0, dotted(found.key))))
