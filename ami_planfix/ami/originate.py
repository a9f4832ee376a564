"""The Originate action: ring one phone, then go on in the dialplan; and what became of it."""

import asyncio
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ami_planfix.ami.wire import Message
from ami_planfix.errors import WireError


@dataclass(frozen=True, slots=True)
class OriginateRequest:
    """Whom to ring, and where the one who answers goes."""

    channel: str
    """What rings first: `PJSIP/101`, `Local/101@from-internal`."""
    context: str
    exten: str
    channel_id: str
    """Becomes the Uniqueid and the Linkedid of the channel (of a Local channel: of its `;1` half)."""
    priority: int = 1
    caller_id: str = ""
    timeout: float = 30.0
    """Seconds that it may ring."""
    variables: tuple[tuple[str, str], ...] = ()
    early_media: bool = False

    def headers(self) -> list[tuple[str, str]]:
        """Return the action's headers. Raises WireError for a variable that Asterisk would misread."""
        headers = [
            ("Channel", self.channel),
            ("Context", self.context),
            ("Exten", self.exten),
            ("Priority", str(self.priority)),
            ("Timeout", str(round(self.timeout * 1000))),
            ("Async", "true"),
            ("ChannelId", self.channel_id),
        ]
        if self.channel.lower().startswith("local/"):
            headers.append(("OtherChannelId", f"{self.channel_id}-2"))
        if self.caller_id:
            headers.append(("CallerID", self.caller_id))
        if self.early_media:
            headers.append(("EarlyMedia", "true"))
        return headers + [("Variable", _assignment(name, value)) for name, value in self.variables]


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\([A-Za-z0-9_,-]+\))?", re.ASCII)
"""A variable, or a function that can be set: `PJSIP_HEADER(add,Call-Info)`."""


def _assignment(name: str, value: str) -> str:
    # Asterisk cuts the header at commas outside of brackets and takes quotes and backslashes away (Asterisk:
    # main/manager.c).
    if not _NAME.fullmatch(name):
        raise WireError(f"{name!r} cannot be the name of a channel variable")
    if any(character in value for character in ',"\\'):
        raise WireError(f"variable {name}: its value has a comma, a quote or a backslash in it; take it out")
    return f"{name}={value}"


class Outcome(NamedTuple):
    """What became of it: whether the phone that rang first was picked up."""

    answered: bool
    reason: int
    """See `why_not_picked_up`; 4: answered."""
    uniqueid: str
    channel: str


def why_not_picked_up(reason: int) -> str:
    """Put a `Reason` of OriginateResponse into words (Asterisk: include/asterisk/frame.h, AST_CONTROL_*)."""
    return _NOT_PICKED_UP.get(reason, f"reason {reason}")


_NOT_PICKED_UP = {
    0: "declined or busy, or not registered, or no such phone",
    1: "hung up",
    3: "it rang until the time was over",
    5: "busy",
    8: "congestion",
}


class Dialler(Protocol):
    """Who sends it: a connection."""

    async def act(
        self,
        action: str,
        headers: Iterable[tuple[str, str]] = (),
        *,
        within: float = ...,
        or_hang_up: bool = ...,
    ) -> Message:
        """Do an action and return its response."""

    def expect(self, ident: str) -> "asyncio.Future[Message]":
        """Return the coming event that carries an ActionID."""


class Originated:
    """An Originate that Asterisk took; its outcome is known once the phone was picked up or not."""

    def __init__(self, answer: "asyncio.Future[Message]") -> None:
        self._answer = answer

    async def outcome(self) -> Outcome:
        """Wait for what became of it; raises AmiError if the connection is lost before."""
        event = await asyncio.shield(self._answer)
        reason = event.get("Reason")
        return Outcome(
            answered=event.get("Response") == "Success",
            reason=int(reason) if reason.isascii() and reason.isdigit() else 0,
            uniqueid=event.get("Uniqueid"),
            channel=event.get("Channel"),
        )


async def originate(dialler: Dialler, request: OriginateRequest, *, within: float = 5.0) -> Originated:
    """Have Asterisk take a request; it is sent once, now or never.

    Raises NotConnected and nothing is sent; ActionRefused with Asterisk's words; WireError; AmiError if no answer
    comes `within` so many seconds: the connection is closed then, so that it is not dialled later.
    """
    ident = f"originate-{secrets.token_hex(8)}"
    headers = [*request.headers(), ("ActionID", ident)]
    answer = dialler.expect(ident)
    try:
        await dialler.act("Originate", headers, within=within, or_hang_up=True)
    except BaseException:
        answer.cancel()
        raise
    return Originated(answer)
