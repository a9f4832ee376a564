"""The names of channels and the strings of Dial, by driver: which device, which number (pure)."""

import re
from typing import NamedTuple

PHONE_DRIVERS = frozenset({"PJSIP", "SIP", "IAX2", "SCCP", "SKINNY", "USTM", "OOH323", "MOTIF", "MGCP"})
"""Drivers whose devices are named as somebody chose; those of DAHDI or Dongle count hardware: `DAHDI/101` is no 101."""
PLUMBING = frozenset(
    {"MESSAGE", "CBANN", "CBREC", "ANNOUNCER", "RECORDER", "SURROGATE", "BRIDGE", "CONSOLE", "SNOOP", "PARKED"}
    | {"MULTICASTRTP", "UNICASTRTP", "AUDIOSOCKET", "WEBSOCKET"}
)
"""Drivers that have neither a phone nor a line at their end."""

# chan_pjsip, chan_sip, chan_sccp and Local number their channels with eight hexadecimal digits; chan_iax2, chan_dahdi
# (`-1`, `-5`) and the dongles (`-0100000007`) with a few or many.
_EIGHT = re.compile(r"-[0-9a-f]{8}(?:;[12])?$", re.ASCII | re.IGNORECASE)
_ANY = re.compile(r"-[0-9a-f]{1,12}$", re.ASCII | re.IGNORECASE)
_EIGHT_DRIVERS = frozenset({"PJSIP", "SIP", "SCCP", "LOCAL"})
_AFTERLIFE = ("<ZOMBIE>", "<MASQ>")


class Device(NamedTuple):
    """A driver and the name of a peer, endpoint, span or dongle."""

    driver: str
    """In capitals: `PJSIP`."""
    name: str

    @property
    def key(self) -> str:
        """How it is looked up: whoever writes `Pjsip/Provider` means the same."""
        return f"{self.driver}/{self.name}".casefold()


def devices(channel: str) -> tuple[Device, ...]:
    """Tell which devices a channel may belong to, the likeliest first.

    `PJSIP/my-line-0000001a` may be a device of that name, or a channel of `PJSIP/my-line`;
    `DAHDI/i1/89161234567-5` belongs to the span `DAHDI/i1`.
    """
    text = channel.strip()
    while text.endswith(_AFTERLIFE):
        text = text[: text.rindex("<")]
    text = text.removeprefix("AsyncGoto/")
    driver, _, name = text.partition("/")
    driver = driver.upper()
    bare = (_EIGHT if driver in _EIGHT_DRIVERS else _ANY).sub("", name)
    names = [name, bare]
    if driver not in {"LOCAL", "MGCP"} and "/" in bare:
        names.append(bare.partition("/")[0])
    if driver == "IAX2" and "@" in bare:
        names.append(bare.partition("@")[0])
    return tuple(Device(driver, found) for found in dict.fromkeys(names))


def dialled_device(argument: str) -> Device:
    """Tell the device in an argument of Dial: `PJSIP/101`, `PJSIP/7910...@trunk`, `SIP/trunk/7910...`."""
    driver, _, rest = argument.strip().partition("/")
    return Device(driver.upper(), split_dial(rest)[0])


def split_dial(text: str) -> tuple[str, str]:
    """Split what a driver is told to dial, without its own name, into peer and number (`''` if there is none).

    Forms: `NUMBER@peer`, `peer/NUMBER`, `peer/sip:NUMBER@host`, `user:secret@peer/NUMBER@context`, `g0/NUMBER`, `101`.
    """
    head, slash, tail = text.partition("/")
    if slash:
        uri = re.match(r"<?sips?:([^@;>]*)(@?)", tail, re.IGNORECASE)
        number = (uri[1] if uri[2] else "") if uri else re.split(r"[/@,!]", tail, maxsplit=1)[0]
        return head.rpartition("@")[2], number
    number, _, peer = text.partition("!")[0].rpartition("@")
    uri_number = re.sub(r"^sips?:", "", number, flags=re.IGNORECASE)
    return peer, uri_number
