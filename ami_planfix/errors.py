"""The tree of errors: each message says where, what, and how to mend it.

AmiPlanfixError
├── ConfigurationError      the file that the administrator wrote; exit status 2
├── CaptureError            a file that is no raw AMI log
├── BackfillError           Asterisk's own records cannot be read
├── StorageError            the database cannot be opened, read or written
│   ├── StorageAway           its server is not reached just now
│   ├── StorageDamaged        the file is no whole database any more
│   └── StorageRefused        a database that is not for us
├── ListenerError           an address that cannot be listened on
├── RecordingError          a recording that cannot be had, or not now
├── AlertNotSent            a person who should be told of something wrong cannot be
├── DaemonAway              the running daemon cannot be asked
├── AmiError                the way to Asterisk
│   ├── NotConnected          no connection now: nothing was sent
│   ├── LoginRefused          Asterisk does not know us
│   ├── ActionRefused         Asterisk answered `Response: Error`
│   └── WireError             what came, or what was to be sent, is no AMI message
├── ClickError              a click in Planfix that is not dialled
│   ├── ClickRefused          it names what may not be dialled
│   └── TooManyClicks         more than `makecall.per_minute`
└── PlanfixError            the way to Planfix
    ├── PlanfixUnreachable    no answer: network, time-out, 5xx, 429
    ├── TokenRefused          401
    ├── ReportRefused         400, with Planfix's words
    └── SetupRefused          `setup` names an account that we do not take
"""

import errno
import os
import ssl
from pathlib import Path
from typing import Literal


def in_words(fault: Exception) -> str:
    """Say why something of the network failed: `Connection refused`, and not its number and what was called."""
    number = getattr(fault, "errno", None)
    if isinstance(number, int) and number > 0 and not isinstance(fault, ssl.SSLError):  # its numbers are its own
        return os.strerror(number)
    return getattr(fault, "strerror", None) or str(fault) or type(fault).__name__


class AmiPlanfixError(Exception):
    """Anything that a person is told about; `str()` is the whole message."""


class ConfigurationError(AmiPlanfixError):
    """The configuration cannot be used; the message lists every problem."""


class CaptureError(AmiPlanfixError):
    """A file that should be a raw AMI log is none."""


class BackfillError(AmiPlanfixError):
    """Asterisk's own records (CDR, CEL) cannot be read, or not understood."""


class StorageError(AmiPlanfixError):
    """The database cannot be opened, read or written."""


class StorageAway(StorageError):
    """The database's server cannot be reached just now, or ends, or begins; worth another attempt."""


class StorageDamaged(StorageError):
    """The database's file is damaged, and what of it can be read is to be saved."""


class StorageRefused(StorageError):
    """The database must not be used: it is of a newer version, or of no kind that we know."""


class ListenerError(AmiPlanfixError):
    """An address cannot be listened on."""

    @classmethod
    def at(cls, name: str, where: str | Path, fault: OSError | OverflowError) -> "ListenerError":
        """Say why a listener cannot be opened, and what to do about it; `where` is `HOST:PORT` or a socket's path."""
        number = fault.errno if isinstance(fault, OSError) else None
        words = in_words(fault)
        remedy = (_SOCKET_REMEDIES if isinstance(where, Path) else _PORT_REMEDIES).get(number or 0)
        return cls(f"{name}: cannot listen on {where}: {words}{f' ({remedy})' if remedy else ''}")


_PORT_REMEDIES = {
    errno.EADDRINUSE: "`ss -ltnp` shows which program has it; or choose another port",
    errno.EACCES: "ports below 1024 are not for the daemon: choose another one",
    errno.EADDRNOTAVAIL: "this machine has no such address: `ip address` shows those it has",
}
_SOCKET_REMEDIES = {
    errno.EADDRINUSE: "another daemon runs with the same admin.socket",
    errno.ENOENT: "its folder must exist and belong to the daemon's user",
    errno.EACCES: "its folder must belong to the daemon's user",
    errno.EPERM: "admin.group: only to a group that the daemon is in can it be given: SupplementaryGroups= in the unit",
}


class RecordingError(AmiPlanfixError):
    """A call's audio cannot be had; the message says which and why."""


class AlertNotSent(AmiPlanfixError):
    """Whom the administrator wants told cannot be told now; `step` says how far it came, for `doctor`."""

    def __init__(self, message: str, step: Literal["reach", "tls", "login", "refused"] = "reach") -> None:
        super().__init__(message)
        self.step = step


class DaemonAway(AmiPlanfixError):
    """The command line cannot ask the running daemon."""


class AmiError(AmiPlanfixError):
    """Something between Asterisk's manager interface and us."""


class NotConnected(AmiError):
    """There is no connection to Asterisk now, and nothing was sent."""


class LoginRefused(AmiError):
    """Asterisk refused our user name or secret."""


class ActionRefused(AmiError):
    """Asterisk answered an action with an error; the message carries its words."""


class WireError(AmiError):
    """Bytes that are no AMI message, or a value that cannot be put into one."""


class ClickError(AmiPlanfixError):
    """A click in Planfix that is not dialled."""


class ClickRefused(ClickError):
    """The click names what may not be dialled; the message says what."""


class TooManyClicks(ClickError):
    """More clicks than `makecall.per_minute` allows."""


class PlanfixError(AmiPlanfixError):
    """Something between Planfix and us."""


class PlanfixUnreachable(PlanfixError):
    """No usable answer: network, time-out, 5xx or 429; worth another attempt.

    `retry_after` is the pause in seconds that Planfix asked for, if it did.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TokenRefused(PlanfixError):
    """Planfix answered 401: it does not know our token."""


class ReportRefused(PlanfixError):
    """Planfix answered 400: it will not take this report, whatever we do."""


class SetupRefused(PlanfixError):
    """Planfix's `setup` names an account that we do not take; the message is for Planfix's administrator."""
