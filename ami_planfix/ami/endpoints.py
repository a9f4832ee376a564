"""The PBX's own phones, as AMI tells them without the `system` right, and whose they are."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from ami_planfix.ami.wire import Message
from ami_planfix.errors import ActionRefused


class Device(NamedTuple):
    """A device that Asterisk knows: a phone or a trunk, which its name alone does not tell."""

    name: str
    """As in channel names: `PJSIP/101`."""
    extension: str | None
    """Whose it is, where Asterisk says so."""
    why: str
    """How that is known, for `ami-planfix endpoints`."""


class Doer(Protocol):
    """Whom to ask for one thing: a connection."""

    async def act(self, action: str, headers: Iterable[tuple[str, str]] = (), *, within: float = ...) -> Message:
        """Do an action and return its response."""


class Asker(Doer, Protocol):
    """Whom to ask for lists, too."""

    async def collect(
        self, action: str, headers: Iterable[tuple[str, str]] = (), *, within: float = ...
    ) -> list[Message]:
        """Do an action that answers with a list."""


class ExtensionState(NamedTuple):
    """How an extension's phones are, as its hint says."""

    status: int
    """-1 no such hint, 0 idle, 1 in use, 2 busy, 4 unavailable, 8 ringing, 16 on hold, or sums of these."""
    text: str
    hint: str


_DEVICE = re.compile(r"(?P<technology>[A-Za-z0-9]+)/(?P<id>[^/&,@;]+)")
_NO_PHONES = frozenset({"local", "message", "surrogate", "bridge", "snoop", "audiosocket", "external"})
_TWINS = ("90", "91", "98", "99")
"""What FreePBX puts before an extension to name the device of its WebRTC or softphone twin."""


async def devices(asker: Asker) -> list[Device]:
    """List all devices, sorted by name, each with its extension if FreePBX or a hint tells it.

    Raises AmiError; what this Asterisk does not offer (`chan_sip`, FreePBX's database) is only left out.
    """
    names = await _names(asker)
    hinted = await _hinted(asker)
    in_freepbx = await _freepbx_users(asker, names)
    return [_device(name, in_freepbx, hinted) for name in sorted(names)]


async def extension_state(asker: Doer, extension: str, context: str) -> ExtensionState:
    """Ask how an extension's phones are. Raises AmiError."""
    answer = await asker.act("ExtensionState", [("Exten", extension), ("Context", context)])
    status = answer.get("Status")
    return ExtensionState(
        int(status) if re.fullmatch(r"-?[0-9]{1,4}", status) else -1,
        answer.get("StatusText"),
        answer.get("Hint"),
    )


async def device_state(asker: Doer, device: str) -> str:
    """Ask how a device (`PJSIP/101`) is: `NOT_INUSE`, `INUSE`, `UNAVAILABLE`, ... Raises AmiError."""
    return (await asker.act("Getvar", [("Variable", f"DEVICE_STATE({device})")])).get("Value")


async def _names(asker: Asker) -> set[str]:
    names = {item.get("Device") for item in await _list(asker, "DeviceStateList")}
    for action, technology in (("SIPpeers", "SIP"), ("IAXpeers", "IAX2")):
        for item in await _list(asker, action):
            name = item.get("ObjectName")
            if name:
                names.add(f"{technology}/{name.partition('/')[0]}")
    return {name for name in names if _is_device(name)}


async def _list(asker: Asker, action: str) -> list[Message]:
    try:
        return await asker.collect(action)
    except ActionRefused:
        # The module is not loaded, or there is nothing to list; a missing right shows with the snapshot.
        return []


def _is_device(name: str) -> bool:
    found = _DEVICE.fullmatch(name)
    return found is not None and found["technology"].lower() not in _NO_PHONES


async def _hinted(asker: Asker) -> dict[str, str]:
    """Return the extension of each device that the hints give to exactly one."""
    owners: dict[str, set[str]] = defaultdict(set)
    for item in await _list(asker, "ExtensionStateList"):
        extension = item.get("Exten")
        watched = [part for part in item.get("Hint").partition(",")[0].split("&") if _is_device(part)]
        if not (extension.isascii() and extension.isdigit()):
            continue  # patterns, and feature codes with their lamps
        for device in watched:
            # A hint of several devices may be a group's: then a device is only its namesake's.
            if len(watched) == 1 or extension in device.partition("/")[2]:
                owners[device].add(extension)
    chosen = {device: _one_of(extensions, device.partition("/")[2]) for device, extensions in owners.items()}
    return {device: extension for device, extension in chosen.items() if extension}


def _one_of(extensions: set[str], ident: str) -> str | None:
    if ident in extensions:
        return ident
    return next(iter(extensions)) if len(extensions) == 1 else None


async def _freepbx_users(asker: Asker, names: set[str]) -> dict[str, str]:
    """Return the extension of each device id that FreePBX's database has (`DEVICE/<id>/user`)."""
    users = {}
    for ident in sorted({name.partition("/")[2] for name in names}):
        try:
            items = await asker.collect("DBGet", [("Family", "DEVICE"), ("Key", f"{ident}/user")])
        except ActionRefused:
            continue  # not in the database
        user = items[0].get("Val") if items else ""
        if user and user != "none":  # nobody is logged in there
            users[ident] = user
    return users


def _device(name: str, in_freepbx: dict[str, str], hinted: dict[str, str]) -> Device:
    ident = name.partition("/")[2]
    if ident in in_freepbx:
        return Device(name, in_freepbx[ident], "FreePBX gives this device to it")
    if ident.startswith(_TWINS) and ident[2:] in in_freepbx:
        return Device(name, in_freepbx[ident[2:]], f"FreePBX's web or softphone twin of {ident[2:]}")
    if name in hinted:
        return Device(name, hinted[name], "the hint of this extension watches it")
    return Device(name, None, "Asterisk knows it and does not say whose it is")
