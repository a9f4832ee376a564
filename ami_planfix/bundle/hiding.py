"""Takes out of a text what nobody else may see: secrets always, numbers and names unless they are wanted (pure).

A number is hidden in such a way that the whole can still be read: its first four digits stay, the others are replaced,
the same number by the same digits everywhere in one bundle.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from ami_planfix.logs import REDACTED, redact

NAME = "[name]"
_KEPT = 4
_PASSWORD = re.compile(r"(//[^/:@\s]*:)[^/@\s]+@")
# No telephone numbers: times and ids that Asterisk makes of them (`1795441050.145`), days (`20260307`), the counted
# channels of a driver (`-0000001a`), versions and addresses with dots, numbers that JSON writes without quotes.
_NUMBER = re.compile(
    r"(?<![\d.])(?<!\": )(?!1[0-9]{9}(?:\.|\b))(?!20[0-9]{6}(?!\d))(?!0000)(\d{7,20})(?![\d.]*\.\d)", re.ASCII
)
_NAMED = re.compile(r"^(?:\w*CallerIDName|\w*ConnectedLineName): *(.{3,80}?)\r?$", re.MULTILINE)
_NO_NAME = re.compile(r"<?unknown>?|[\d+]*", re.IGNORECASE)


class Hiding:
    """Hides the same things in the same way in all texts of one bundle."""

    def __init__(self, secrets: Iterable[str], key: bytes, keep_numbers: bool = False) -> None:
        """`key` is random and thrown away with the bundle: nobody can compute numbers back."""
        self._secrets = sorted(_spellings(secrets), key=len, reverse=True)
        self._key = key
        self._keep_numbers = keep_numbers
        self._names: set[str] = set()

    def learn(self, text: str) -> None:
        """Learn callers' names from what AMI said, so that they are hidden wherever they stand."""
        self._names |= {name for name in _NAMED.findall(text) if not _NO_NAME.fullmatch(name)}

    def hide(self, text: str) -> str:
        """Give a text without what nobody may see."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        text = redact(_PASSWORD.sub(rf"\1{REDACTED}@", text))
        if self._keep_numbers:
            return text
        for name in sorted(self._names, key=len, reverse=True):
            text = text.replace(name, NAME)
        return _NUMBER.sub(lambda found: self._number(found[1]), text)

    def _number(self, digits: str) -> str:
        # The same line with and without its country code, or with 8 before it, is the same line.
        tail = digits[-7:]
        made = int.from_bytes(hmac.new(self._key, tail.encode(), hashlib.sha256).digest()[:8])
        hidden = len(digits) - _KEPT
        return digits[:_KEPT] + f"{made % 10**7:07d}"[-hidden:].rjust(hidden, "0")


def _spellings(secrets: Iterable[str]) -> set[str]:
    """Give each secret as it may stand in a URL, a form or a JSON text, too."""
    found: set[str] = set()
    for secret in filter(None, secrets):
        found |= {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
        found |= {json.dumps(secret, ensure_ascii=False)[1:-1], secret.encode().hex()}
    return found
