"""Captures, raw AMI logs: read for `replay`, written by `capture`, without secrets."""

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ami_planfix.ami.wire import Splitter, event_name, stamped
from ami_planfix.errors import CaptureError, WireError

_CHUNK = 256 * 1024
_GZIP = b"\x1f\x8b"
_BEGINNING = re.compile(rb"(?:Event|Response|Action)[ \t]*:", re.IGNORECASE)
_ALL_HEADERS = re.compile(rb"(?:[A-Za-z][\w()-]*:[^\n]*(?:\n|\Z))+\Z")


def read(path: Path) -> Iterator[bytes]:
    """Give the raw messages of a capture, gzipped or not, in order, of a file of any size.

    Raises CaptureError, with file and line, for what is no AMI log.
    """
    count = 0
    try:
        for message in _messages(path):
            if _BEGINNING.match(message):
                yield message
            elif count or not _ALL_HEADERS.match(message):
                raise _no_capture(path, _line(path, count), "no AMI message begins here")
            # else: a log that was cut, and begins in the middle of a message
            count += 1
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CaptureError(f"{path}: cannot be read: {reason}") from error
    except WireError as error:
        raise _no_capture(path, _line(path, count), str(error)) from error
    if not count:
        raise _no_capture(path, 1, "the file is empty")


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


def _messages(path: Path) -> Iterator[bytes]:
    splitter = Splitter()
    with _open(path) as file:
        while data := file.read(_CHUNK):
            yield from splitter.feed(data)
    if rest := splitter.rest():
        yield rest


def _line(path: Path, before: int) -> int:
    """Return the number of the line where the message after `before` others begins."""
    inside = False
    number = 1
    with _open(path) as file:
        while line := file.readline(_CHUNK):  # in pieces: what is no capture may be one line of any length
            if not line.strip(b"\r\n"):
                inside = False
            elif not inside and not (number == 1 and line.startswith(b"Asterisk Call Manager/")):
                inside = True
                if before == 0:
                    return number
                before -= 1
            number += line.endswith(b"\n")
    return 1


def _no_capture(path: Path, line: int, what: str) -> CaptureError:
    return CaptureError(
        f"{path}:{line}: {what}. A capture is a raw AMI log, as `ami-planfix capture` writes it: "
        "lines `Name: value`, each event ended by an empty line"
    )


class Writer:
    """Writes a raw AMI log that may be shown to others: every event has its time, secrets are taken out."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, raw: bytes, arrival: float) -> None:
        """Append one message that came at `arrival` (seconds since the epoch)."""
        if event_name(raw):
            raw = stamped(raw, arrival)
        self._stream.write(redacted(raw) + b"\r\n\r\n")


REDACTED = b"***"

_SECRET_WORD = rb"secret|passw|token"
_MAYBE_SECRET = re.compile(_SECRET_WORD + rb"|key:|challenge|expectedresponse|receivedhash", re.IGNORECASE)
_SECRET_NAME = re.compile(
    rb".*(?:" + _SECRET_WORD + rb").*|key|(?:received)?challenge|expectedresponse|receivedhash",
    re.IGNORECASE | re.DOTALL,
)
_SECRET_INSIDE = re.compile(rb"((?:" + _SECRET_WORD + rb")[\w)-]*\s*[:=]\s*)[^\r\n]+", re.IGNORECASE)


def redacted(raw: bytes) -> bytes:
    """Return a message with its secrets replaced: passwords, tokens, keys, challenges and their answers.

    That is: headers so named, channel variables so named in whatever header, and lines of a command's output.
    """
    if not _MAYBE_SECRET.search(raw):
        return raw
    lines = raw.split(b"\n")
    names = [line.partition(b":")[0].strip().lower() for line in lines]
    of_challenge = event_name(raw) == b"ChallengeResponseFailed"
    secret_value = any(
        name in (b"variable", b"key") and re.search(_SECRET_WORD, line, re.IGNORECASE)
        for name, line in zip(names, lines, strict=True)
    )
    for index, (name, line) in enumerate(zip(names, lines, strict=True)):
        if (
            (_SECRET_NAME.fullmatch(name) and not (name == b"key" and b"family" in names))
            or (name in (b"value", b"val") and secret_value)
            or (name == b"response" and of_challenge)
        ):
            lines[index] = _blank(line)
        else:
            head, colon, value = line.partition(b":")
            lines[index] = head + colon + _SECRET_INSIDE.sub(rb"\1" + REDACTED, value)
    return b"\n".join(lines)


def _blank(line: bytes) -> bytes:
    head, colon, _ = line.partition(b":")
    kept = head + b": " if colon else b""  # without a colon the secret itself stands in front
    return kept + REDACTED + (b"\r" if line.endswith(b"\r") else b"")
