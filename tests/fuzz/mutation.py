"""Damages bytes as strangers, broken software and people who look for a hole do."""

from collections.abc import Callable, Sequence
from random import Random

LARGEST = 300_000

POISON: tuple[bytes, ...] = (
    b"",
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\n\n",
    b"\r\n\r\r\n",
    b"\x1b[2J\x1b]0;owned\x07",
    b"\x9b31m",
    b"\x7f",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"\xf0\x9f\x98",
    "\u202eexe.3pm".encode(),
    "\u2028".encode(),
    "Ω≈ç√Иванов".encode(),
    "٠١٢٣".encode(),
    "Привет".encode("cp1251"),
    b"-1",
    b"0",
    b"00",
    b"1e400",
    b"nan",
    b"inf",
    b"4294967296",
    b"9223372036854775808",
    b"9" * 40,
    b"%00",
    b"%0d%0a",
    b"%ff%fe",
    b"%",
    b"+",
    b"'; DROP TABLE outbox; --",
    b'" OR 1=1 --',
    b"<script>alert(1)</script>",
    b"{{7*7}}{% raw %}",
    b"${SHELL(id)}",
    b"$(id)`id`|id;id",
    b"../../../../etc/passwd",
    b"/etc/passwd",
    b"Local/101@from-internal&PJSIP/900",
    b"sip:101@evil.example",
    b"{0.__class__}%s%n",
    b"***",
    b":",
    b",",
    b"=",
)
"""What has broken other programs."""
LONG: tuple[bytes, ...] = (
    b"9" * 400,
    b"9" * 5000,
    b"A" * 70_000,
    b"[" * 3000,
    b"{" * 3000,
    b"a:" * 2000,
    b"\xd0" * 999,
)
"""What has broken them by its length."""

Damage = Callable[[Random, bytes, Sequence[bytes]], bytes]


def damaged(random: Random, data: bytes, words: Sequence[bytes] = (), times: int = 4) -> bytes:
    """Damage bytes in one to `times` places; `words` are those of the format, as poison as any."""
    for _ in range(random.randint(1, times)):
        data = random.choice(_DAMAGES)(random, data, words)[:LARGEST]
    return data


def poison(random: Random, words: Sequence[bytes] = ()) -> bytes:
    """Choose something that has broken a program, or is a word of this format in a wrong place."""
    chance = random.random()
    if words and chance < 0.4:
        return random.choice(words)
    return random.choice(LONG if chance > 0.97 else POISON)


def _flip(random: Random, data: bytes, _words: Sequence[bytes]) -> bytes:
    at = _place(random, data)
    return data[:at] + random.randbytes(1) + data[at + 1 :]


def _insert(random: Random, data: bytes, words: Sequence[bytes]) -> bytes:
    at = _place(random, data)
    return data[:at] + poison(random, words) + data[at:]


def _overwrite(random: Random, data: bytes, words: Sequence[bytes]) -> bytes:
    at, word = _place(random, data), poison(random, words)
    return data[:at] + word + data[at + len(word) :]


def _remove(random: Random, data: bytes, _words: Sequence[bytes]) -> bytes:
    at, length = _place(random, data), _length(random)
    return data[:at] + data[at + length :]


def _repeat(random: Random, data: bytes, _words: Sequence[bytes]) -> bytes:
    at, length = _place(random, data), _length(random)
    return data[:at] + data[at : at + length] * random.choice((2, 3, 50)) + data[at + length :]


def _swap(random: Random, data: bytes, _words: Sequence[bytes]) -> bytes:
    first, second = sorted((_place(random, data), _place(random, data)))
    length = min(_length(random), second - first)
    one, other = data[first : first + length], data[second : second + length]
    return data[:first] + other + data[first + length : second] + one + data[second + length :]


def _cut(random: Random, data: bytes, _words: Sequence[bytes]) -> bytes:
    return data[: _place(random, data)]


def _noise(random: Random, data: bytes, _words: Sequence[bytes]) -> bytes:
    at = _place(random, data)
    return data[:at] + random.randbytes(_length(random)) + data[at:]


def _place(random: Random, data: bytes) -> int:
    return random.randint(0, len(data))


def _length(random: Random) -> int:
    return random.choice((1, 2, 4, 16, 64, 1000))


_DAMAGES: tuple[Damage, ...] = (_flip, _insert, _insert, _overwrite, _remove, _repeat, _swap, _cut, _noise)
