"""What a phone's screen shows of a client: no character that is misread, not too many, Latin if asked for (pure)."""

import unicodedata
from functools import lru_cache

MOST_BYTES = 79
"""Of UTF-8: Asterisk keeps a caller's name in 80 bytes in places (CDR, chan_sip), and cuts it between any two."""

# Letters, marks and digits of every script, and what cannot end an argument of the dialplan, open a quotation in a
# SIP header, or begin an expression.
_KINDS = ("L", "M", "N")
_SIGNS = frozenset(" .-'&+/№_!#*@:")
_INSTEAD = str.maketrans({"—": "-", "–": "-", "‑": "-", "−": "-", "’": "'", "`": "'", "ʼ": "'"})


def on_screen(name: str, prefix: str = "", most: int = 40, *, transliterate: bool = False) -> str:
    """Write a name for a screen of `most` characters; a prefix is never cut before the name is."""
    if transliterate:
        prefix, name = _latin(prefix), _latin(name)
    prefix = _safe(prefix)
    if prefix:
        prefix += " "
    return _cut(prefix + _safe(name), most).strip()


def _safe(text: str) -> str:
    written = unicodedata.normalize("NFC", text.translate(_INSTEAD))
    kept = "".join(letter if _is_safe(letter) else " " for letter in written)
    return " ".join(kept.split())


def _is_safe(letter: str) -> bool:
    return letter in _SIGNS or unicodedata.category(letter).startswith(_KINDS)


def _cut(text: str, most: int) -> str:
    """Cut at a character's end: neither inside its bytes nor before its accents."""
    end = min(most, len(text))
    while len(text[:end].encode(errors="replace")) > MOST_BYTES:
        end -= 1
    while 0 < end < len(text) and unicodedata.combining(text[end]):
        end -= 1
    return text[:end]


@lru_cache(maxsize=1024)
def _latin(text: str) -> str:
    from anyascii import anyascii  # noqa: PLC0415 - only some phones need it

    return anyascii(text)
