"""Whose channel: the words for it, and the directory that knows (`numbering` is one; the heart is given it)."""

from enum import StrEnum
from typing import NamedTuple, Protocol

from ami_planfix.calls.reports import Extension


class Kind(StrEnum):
    """What stands at the far end of a channel."""

    EMPLOYEE = "employee"
    """One of the PBX's own phones."""
    PROVIDER = "provider"
    """A trunk to the outside; the same for a peer that nothing else claims."""
    BRANCH = "branch"
    """A trunk of kind `internal`: another PBX of the company (rule 28)."""
    IGNORED = "ignored"
    """A guest, a trunk of kind `ignore`, a channel of `ignore.channels` (rule 26)."""
    LOCAL = "local"
    """Half of a Local channel: plumbing."""
    OTHER = "other"
    """What is no phone and no line: `Message/`, `ConfBridge` recorders, `Announcer/`, `Surrogate/`."""


class Party(NamedTuple):
    """Whose a channel is, and why (for people: `ami-planfix endpoints`)."""

    kind: Kind
    extension: Extension | None
    """With `Kind.EMPLOYEE` only."""
    trunk: str
    """The configured trunk's `channel`, else `''`."""
    number: str
    """The configured trunk's number as digits with country code, else `''`."""
    why: str


class Did(NamedTuple):
    """What is configured for a number that clients dial."""

    number: str
    name: str
    default_extension: Extension | None
    reported: bool
    data: tuple[tuple[str, str], ...]


class Directory(Protocol):
    """Answers whose a channel and whose a number is; deterministic, without I/O, cheap (answers are cached)."""

    def party(self, channel: str) -> Party:
        """Tell whose channel this is, by its name (`PJSIP/101-0000001a`) or device (`PJSIP/101`)."""

    def number(self, raw: str) -> str:
        """Write a number as digits with country code; `''` for hidden ones and what is no number.

        What has digits only but is no phone number (`112`, `900`) stays as it is.
        """

    def is_outside(self, raw: str) -> bool:
        """Tell whether this could be a client's number: IS_POSSIBLE for libphonenumber and no extension."""

    def is_company(self, raw: str) -> bool:
        """Tell whether this is a number of the company itself (a trunk's or a DID's; rule 27)."""

    def is_ignored(self, raw: str) -> bool:
        """Tell whether `ignore.callers` names this number (rule 26)."""

    def extension(self, raw: str) -> Extension | None:
        """Read an extension: digits that match `numbering.extensions` or belong to one of the PBX's phones."""

    def in_name_of(self, exten: str) -> Extension | None:
        """Tell in whose name a Local channel's exten is dialled: `101`, `FMPR-101` -> 101; else None."""

    def is_follow_me(self, exten: str) -> bool:
        """Tell whether a Local channel's exten is another phone of the employee beside whom it is dialled.

        FreePBX writes `FMGL-79161234567#`, without saying whose follow-me it is.
        """

    def mobile_of(self, raw: str) -> Extension | None:
        """Tell whose configured mobile this number is."""

    def dialled(self, channel: str, dial_string: str) -> str:
        """Read the number that a leg on a trunk dials, as digits with country code; `''` if there is none.

        Forms: `NUMBER@trunk`, `trunk/NUMBER`, `g0/NUMBER`, `i1/NUMBER`, `sip:NUMBER@host`; the trunk's
        configured `strip` (a prefix for an outside line) is taken off first. Without a channel it is what
        somebody dialled on a phone, perhaps with any trunk's `strip` before it.
        """

    def target(self, argument: str) -> Party:
        """Tell whom an argument of `Dial` names: `PJSIP/101`, `PJSIP/7910...@trunk`, `SIP/trunk/7910...`."""

    def common_number(self) -> str:
        """Tell the number that all provider trunks share; `''` if they do not, or none is configured."""

    def did(self, number: str) -> Did | None:
        """Find what is configured for a DID (number as `number()` writes it)."""

    def trunk_data(self, trunk: str) -> tuple[tuple[str, str], ...]:
        """Tell what is configured for a trunk's calls (`Party.trunk`): fields for their data tags."""

    def default_extension(self, did: str) -> Extension | None:
        """Tell for whom an unclaimed call through this DID counts: the DID's, else the general default."""

    def is_reported(self, extension: Extension) -> bool:
        """Tell whether this employee's calls are reported (`employees[].report`)."""
