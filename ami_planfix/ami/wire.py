"""Bytes to AMI messages and back, without a socket.

AMI is lines `Name: value` that end in CR LF; an empty line ends a message. The first line of a connection,
the banner, has no empty line after it. Most messages are events that nobody here wants, so that cutting must
cost next to nothing and nothing is decoded before somebody asks.
"""

import re
from collections.abc import Iterable, Iterator

from ami_planfix.errors import WireError

MESSAGE_LIMIT = 16 * 1024 * 1024
"""Bytes in one message; Asterisk's largest are lists of a command's output."""

LINE_LIMIT = 1024
"""Bytes in one line of an action, CR LF included: Asterisk drops longer ones (Asterisk: main/manager.c)."""

_STAMP = b"\nTimestamp:"
_BANNER = b"Asterisk Call Manager/"
_END = b"\r\n\r\n"
_ANY_EMPTY_LINE = re.compile(rb"\n\r?\n")
_NOT_IN_A_VALUE = re.compile("[\r\n\0]")
_NOT_IN_A_NAME = re.compile("[\r\n\0:]|^$|^ | $")


class Splitter:
    """Cuts a stream into messages, in time linear in its size however it is cut.

    Asterisk itself only writes CR LF. `lf=False` believes that and is twice as fast; files that went through
    editors and terminals need the other way.
    """

    def __init__(self, limit: int = MESSAGE_LIMIT, *, lf: bool = True) -> None:
        self.banner = ""
        """`Asterisk Call Manager/5.0.2`, once the first message is complete."""
        self._limit = limit
        self._lf = lf
        self._pieces: list[bytes] = []
        self._pending = 0
        self._seam = b""
        self._banner_may_come = True

    def feed(self, data: bytes) -> list[bytes]:
        """Take what was read; return the messages that it completes, without their empty line.

        Raises WireError if a message is larger than the limit; the stream is of no use after that.
        """
        if self._pieces:
            # The end of a message is at most four bytes: three that were there before are enough to see it.
            seam = self._seam + data[:3]
            if not (self._ends_in(seam) or self._ends_in(data)):
                self._keep(data)
                return []
            self._pieces.append(data)
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._pending = 0
        parts = _ANY_EMPTY_LINE.split(data) if self._lf else data.split(_END)
        rest = parts.pop()
        if rest:
            self._seam = b""
            self._keep(rest)
        messages = [message for part in parts if (message := part.strip(b"\r\n"))]
        if len(data) > self._limit and any(len(message) > self._limit for message in messages):
            raise self._too_large()
        if self._lf:  # a file may have the banners of many connections
            return self._without_banner(messages) if _BANNER in data else messages
        if self._banner_may_come and messages:
            self._banner_may_come = False
            messages[:1] = self._without_banner(messages[:1])
        return messages

    def rest(self) -> bytes:
        """Return the message that was begun and not ended, `b""` if none was."""
        rest = b"".join(self._pieces).strip(b"\r\n")
        messages = [rest] if rest else []
        if self._lf or self._banner_may_come:
            messages = self._without_banner(messages)
        return messages[0] if messages else b""

    def _ends_in(self, data: bytes) -> bool:
        return (b"\n\r\n" in data or b"\n\n" in data) if self._lf else _END in data

    def _keep(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._seam = (self._seam + piece[-3:])[-3:]
        self._pending += len(piece)
        if self._pending > self._limit + 3:
            raise self._too_large()

    def _too_large(self) -> WireError:
        return WireError(
            f"an AMI message is larger than {self._limit} bytes: is this port Asterisk's manager interface?"
        )

    def _without_banner(self, messages: list[bytes]) -> list[bytes]:
        kept = []
        for message in messages:
            if message.startswith(_BANNER):
                line, _, after = message.partition(b"\n")
                self.banner = decode_text(line.rstrip(b"\r"))
                if after:
                    kept.append(after)
            else:
                kept.append(message)
        return kept


class Message:
    """One parsed message: its headers in the order in which they came."""

    __slots__ = ("_first", "headers")

    def __init__(self, headers: Iterable[tuple[str, str]]) -> None:
        self.headers = tuple(headers)
        self._first: dict[str, str] = {}
        for name, value in self.headers:
            self._first.setdefault(name.lower(), value)

    def get(self, name: str, default: str = "") -> str:
        """Return the first header of that name, whatever its case."""
        return self._first.get(name.lower(), default)

    def all(self, name: str) -> list[str]:
        """Return every header of that name, in order (`Variable`, `ChanVariable`, `Output`)."""
        name = name.lower()
        return [value for key, value in self.headers if key.lower() == name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._first

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.headers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and self.headers == other.headers

    def __hash__(self) -> int:
        return hash(self.headers)

    def __repr__(self) -> str:
        # Values may be secrets; names never are.
        kind = self.get("Event") or self.get("Response")
        return f"<Message {kind!r} {[name for name, _ in self.headers]}>"


def parse(raw: bytes) -> Message:
    """Read one message; a line without a colon is left out, `Name:` and `Name:value` are headers."""
    headers = []
    for line in raw.split(b"\n"):
        name, colon, value = line.rstrip(b"\r").partition(b":")
        if colon:
            # One blank belongs to the separator; more belong to the value (`Output:`).
            headers.append((decode_text(name.strip()), decode_text(value.removeprefix(b" "))))
    return Message(headers)


def decode_text(value: bytes) -> str:
    """Decode a header: UTF-8, also with a character that Asterisk cut in the middle, else cp1251.

    Asterisk cuts names at a number of bytes, and phones send names in either encoding. Broken UTF-8 is
    still UTF-8 if more of its letters are whole than broken.
    """
    try:
        return value.decode()
    except UnicodeDecodeError:
        pass
    guess = value.decode(errors="replace")
    broken = guess.count("\ufffd")
    whole = sum(character > "\x7f" for character in guess) - broken
    if whole > broken:
        return guess.replace("\ufffd", "")
    return value.decode("cp1251", errors="replace")


def event_name(raw: bytes) -> bytes:
    """Return an event's name from the first line alone; `b""` for what is no event."""
    if raw.startswith(b"Event: "):
        end = raw.find(b"\r", 7, 80)
        if end > 0:
            return raw[7:end]
    key, colon, value = raw[:80].partition(b"\n")[0].partition(b":")
    return value.strip() if colon and key.lower() == b"event" else b""


def is_stamped(raw: bytes) -> bool:
    """Tell whether an event has a `Timestamp` header (manager.conf: `timestampevents`)."""
    return _STAMP in raw


def stamped(raw: bytes, at: float) -> bytes:
    """Return an event with a `Timestamp` header: its own, else `at` (seconds since the epoch)."""
    if _STAMP in raw:
        return raw
    first, newline, others = raw.partition(b"\n")
    ending = b"\r\n" if first.endswith(b"\r") or not newline else b"\n"
    header = b"Timestamp: %.6f" % at
    if not newline:
        return first + ending + header
    return first + newline + header + ending + others


def encode(action: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Write an action, its empty line included; a name may be repeated.

    Raises WireError for a name or a value that would end its line or that Asterisk would drop.
    """
    lines = [_line("Action", action)]
    lines += [_line(name, value) for name, value in headers]
    return b"".join([*lines, b"\r\n"])


def _line(name: str, value: str) -> bytes:
    if _NOT_IN_A_NAME.search(name):
        raise WireError(f"{name!r} cannot be the name of an AMI header: it is empty or has a colon or a line's end")
    if _NOT_IN_A_VALUE.search(value):
        # The value itself may be a secret.
        raise WireError(f"AMI header {name}: its value has a CR, LF or NUL in it; take it out")
    try:
        line = f"{name}: {value}\r\n".encode()
    except UnicodeEncodeError:
        raise WireError(f"AMI header {name}: its value has characters that are no Unicode text") from None
    if len(line) > LINE_LIMIT:
        raise WireError(f"AMI header {name}: its value is longer than the {LINE_LIMIT} bytes that Asterisk takes")
    return line
