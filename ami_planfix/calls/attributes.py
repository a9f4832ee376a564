"""What a call's data tag gets at its end: what is configured for the DID, what the dialplan told, figures of our own.

The dialplan tells fields by channel variables (`PLANFIX_DATA_utm_source`) or by `UserEvent(PlanfixData,...)`, on any
channel of the call. They win over what is configured, the client's over an employee's, and an empty one takes the field
away. Ours are sent only where the administrator wants them (`calls.attributes`). Source: Planfix API, `event`,
`data_NAME`.
"""

import re
from collections.abc import Callable, Iterable
from enum import StrEnum

from ami_planfix.calls.events import Uniqueid
from ami_planfix.calls.pbx import Channel

VARIABLE = "PLANFIX_DATA_"
"""How the names of the dialplan's variables begin."""
LONGEST = 500
"""Characters of a value."""
MOST = 50
"""Fields of a call."""

_NAME = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class Attribute(StrEnum):
    """A figure of our own."""

    QUEUE = "queue"
    """The queue in which the client waited last."""
    WAITING = "waiting"
    """Whole seconds from the beginning of the call until somebody answered, or until its end."""
    HANGUP = "hangup"
    """Who hung up first: `client`, `employee`, or `pbx`."""
    IVR = "ivr"
    """What the client chose in menus, in order, with commas between (see `menus`)."""


def keep(data: dict[str, str], name: str, value: str) -> None:
    """Keep a field that the dialplan told, if it is one: its value as one line, of at most `LONGEST` characters."""
    if _NAME.fullmatch(name) and (name in data or len(data) < MOST):
        data[name] = _CONTROL.sub(" ", value).strip()[:LONGEST]


class Attributes:
    """The attributes of one call."""

    __slots__ = (
        "_answered_at", "_chosen", "_hung_up", "_is_a_client", "_met", "_queue", "_since", "_told", "_wanted", "of_did",
        "of_trunk",
    )  # fmt: skip

    def __init__(self, wanted: frozenset[Attribute], since: float, is_a_client: Callable[[Channel], bool]) -> None:
        self.of_trunk: tuple[tuple[str, str], ...] = ()
        """What is configured for the trunk."""
        self.of_did: tuple[tuple[str, str], ...] = ()
        """What is configured for the DID; it wins."""
        self._wanted = wanted
        self._since = since
        self._is_a_client = is_a_client
        self._told: dict[str, str] = {}
        self._met: dict[Uniqueid, Channel] = {}
        """Employees' channels that live: one that has left the call may still tell something (a hangup handler)."""
        self._queue = ""
        self._chosen: tuple[str, ...] = ()
        self._answered_at: float | None = None
        self._hung_up = ""

    def note(self, client: Channel | None, employees: Iterable[Channel]) -> None:
        """Look at the channels of the call."""
        for channel in employees:
            if channel.is_line and self._is_a_client(channel):
                continue  # another call's, joined with this one's
            self._met[channel.uniqueid] = channel
            if channel.hangup_requested and channel.extension is not None and not _only_rings(channel):
                self._hung_up = self._hung_up or "employee"
        for channel in tuple(self._met.values()):
            if channel.plan.data:
                self._told.update(channel.plan.data)
            if not channel.alive:
                del self._met[channel.uniqueid]
        if client is not None:
            if client.plan.data:
                self._told.update(client.plan.data)
            self._queue = client.plan.queue or self._queue
            self._chosen = client.plan.chosen or self._chosen
            if client.hangup_requested:
                self._hung_up = self._hung_up or "client"

    def answer(self, at: float) -> None:
        """Take that an employee and the client talk from now on."""
        if self._answered_at is None:
            self._answered_at = at
        self._hung_up = ""

    def fields(self, at: float) -> tuple[tuple[str, str], ...]:
        """Tell all fields of a call that ends now."""
        found = dict((*self.of_trunk, *self.of_did))
        if Attribute.QUEUE in self._wanted and self._queue:
            found["queue"] = self._queue
        if Attribute.WAITING in self._wanted:
            until = self._answered_at if self._answered_at is not None else at
            found["waiting"] = str(int(max(0.0, until - self._since)))
        if Attribute.HANGUP in self._wanted:
            found["hangup"] = self._hung_up or "pbx"
        if Attribute.IVR in self._wanted and self._chosen:
            found["ivr"] = ",".join(self._chosen)[:LONGEST]
        found.update(self._told)
        return tuple((name, value) for name, value in found.items() if value)[:MOST]


def _only_rings(channel: Channel) -> bool:
    return channel.dial is not None and channel.dial.source is not None and not channel.was_bridged
