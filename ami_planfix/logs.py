"""Logs: one line per thing that happened, readable in a terminal, JSON under journald, and without secrets.

An event's name is a fixed short past phrase (`report delivered`); what varies goes into keys. Levels: info
= a person cares later; warning = heals itself; error = an administrator must act, and the line says how.
"""

import logging
import os
import re
import sys
from collections import Counter, deque
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from textwrap import indent
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_SECRET_KEY = re.compile(r"token|secret|password|passwd|authorization|cookie|api_?key", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"(?i)\b((?:planfix_)?token|secret|password|pbxToken)(\"?\s*[=:]\s*\"?)(?!\[redacted\])[^\s&\"',;}]+"
)
_OF_LINES = ("exception", "stack")
"""Keys whose values have more than one line."""
REDACTED = "[redacted]"

KEPT = 50
"""Warnings and errors that are kept in memory, for the page, `doctor` and `support-bundle`."""
KEPT_OF_A_KIND = 10
"""Of these with the same event: a flood of one must not wash away the others."""

_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


_troubles: deque[EventDict] = deque(maxlen=KEPT)
_times: Counter[str] = Counter()


class Format(StrEnum):
    """How a line is written."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


def redact(text: str) -> str:
    """Take what looks like a secret's value out of a text (`token=...`, `Secret: ...`)."""
    if "=" not in text and ":" not in text:
        return text
    return _SECRET_TEXT.sub(rf"\1\2{REDACTED}", text)


@lru_cache
def _names_a_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Take secrets out of a log line: by the key's name, and where a text spells one."""
    for key, value in event.items():
        if _names_a_secret(key) and not isinstance(value, bool | int | None):
            event[key] = REDACTED
        elif isinstance(value, str):
            event[key] = redact(value)
    return event


def disarm_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Write what could steer a terminal or begin a line as its code: a caller's name, a server's words."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            kept = "\n\t" if key in _OF_LINES else ""
            event[key] = "".join(c if c.isprintable() or c in kept else ascii(c)[1:-1] for c in value)
    return event


def indent_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mark the lines of a traceback, which quotes whatever it failed at: nobody else begins a line (see fail2ban)."""
    for key in _OF_LINES:
        if isinstance(value := event.get(key), str):
            event[key] = indent(value, "  | ")
    return event


def troubles() -> list[dict[str, object]]:
    """Tell the last warnings and errors, newest first: each as it was logged, without secrets, `at` in UTC."""
    return [dict(line) for line in reversed(_troubles)]


def times(kind: str) -> int:
    """Tell how often a warning or error with this event was logged since the daemon began."""
    return _times[kind]


def _keep_troubles(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if event.get("level") in ("warning", "error", "critical"):
        at = datetime.now(UTC).isoformat(timespec="seconds")
        kind = str(event.get("event", ""))
        _times[kind] += 1
        alike = [line for line in _troubles if line.get("event") == kind]
        if len(alike) >= KEPT_OF_A_KIND:
            _troubles.remove(alike[0])
        _troubles.append({"at": at} | {name: value for name, value in event.items() if name != "timestamp"})
    return event


def configure(level: str = "info", form: Format = Format.AUTO, stream: TextIO | None = None) -> None:
    """Send all logs, also those of libraries, to `stream` (default: stderr as it is now).

    `auto` writes JSON if nobody reads along in a terminal.
    """
    out = stream if stream is not None else sys.stderr
    as_json = form is Format.JSON or (form is Format.AUTO and not out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True)
        if as_json
        else structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        redact_event,
        disarm_event,
        _keep_troubles,
    ]
    if as_json:
        last.append(structlog.processors.JSONRenderer(ensure_ascii=False))
    else:
        last += [indent_event, structlog.dev.ConsoleRenderer(colors=out.isatty(), pad_event_to=32)]
    if journal_reads(out):
        last.append(_priority_prefix)
    handler = logging.StreamHandler(out)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    # No line tells where in the program it was written, and each would find that out.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("ami_planfix").setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=_named_logger,
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _named_logger(*args: str) -> logging.Logger:
    """Give structlog a logger below `ami_planfix`, so that only our own level is the configured one."""
    name = args[0] if args else "ami_planfix"
    return logging.getLogger(name if name.startswith("ami_planfix") else f"ami_planfix.{name}")


def journal_reads(stream: TextIO) -> bool:
    """Tell whether journald is at the other end (systemd.exec: `JOURNAL_STREAM` is its device and inode)."""
    expected = os.environ.get("JOURNAL_STREAM", "")
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return expected == f"{found.st_dev}:{found.st_ino}"


def _priority_prefix(_logger: WrappedLogger, method: str, line: EventDict | str) -> str:
    """Put the syslog priority where journald takes it from (sd-daemon: `<4>`), for `journalctl -p`."""
    return f"<{_PRIORITIES.get(method, 6)}>{line}"
