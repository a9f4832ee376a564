"""SIP messages (RFC 3261) and session descriptions (RFC 4566), as text and as values."""

import itertools
import re
import secrets
from dataclasses import dataclass, field

from tests.lab.sip.codecs import PCMA, PCMU

EVENT_PAYLOAD = 101  # of telephone-event, in what we offer

REASONS = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    302: "Moved Temporarily",
    403: "Forbidden",
    404: "Not Found",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    503: "Service Unavailable",
    603: "Decline",
}

_session_numbers = itertools.count(1)


def token() -> str:
    """Make a tag, branch or Call-ID that nobody else has."""
    return secrets.token_hex(8)


@dataclass(slots=True)
class Message:
    """A request or a response; the start line tells which."""

    start: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""

    @property
    def status(self) -> int:
        """The status of a response, 0 of a request."""
        return int(self.start.split(" ", 2)[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """The request's method, or of the request that a response answers."""
        return self["CSeq"].split()[-1] if self.status else self.start.split(" ", 1)[0]

    @property
    def request_uri(self) -> str:
        return self.start.split(" ")[1]

    @property
    def branch(self) -> str:
        found = re.search(r"branch=([^;,\s]+)", self["Via"])
        return found[1] if found else ""

    def __getitem__(self, name: str) -> str:
        """Return the first header of that name, '' if there is none."""
        return next(iter(self.all(name)), "")

    def all(self, name: str) -> list[str]:
        """Return every header of that name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def encode(self) -> bytes:
        body = self.body.encode()
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def parse(data: bytes) -> Message:
    """Read a datagram; folded headers and compact names are not used by Asterisk."""
    head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
    start, *lines = head.split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return Message(start, [(name.strip(), value.strip()) for name, _, value in pairs], body)


def response(request: Message, status: int, tag: str, *extra: tuple[str, str], body: str = "") -> Message:
    """Answer a request; `tag` marks our side of the dialogue."""
    copied = [pair for pair in request.headers if pair[0].lower() in ("via", "from", "call-id", "cseq")]
    to = request["To"] if "tag=" in request["To"] else f"{request['To']};tag={tag}"
    start = f"SIP/2.0 {status} {REASONS.get(status, 'Answer')}"
    return Message(start, [*copied, ("To", to), *extra], body)


def uri_in(value: str) -> str:
    """Return the bare URI of a From, To, Contact or Refer-To header."""
    found = re.search(r"<([^>]*)>", value)
    return found[1] if found else value.split(";", 1)[0].strip()


def user_in(uri: str) -> str:
    """Return the user part of a URI."""
    found = re.match(r"sips?:([^@;]+)@", uri)
    return found[1] if found else ""


def tag_in(value: str) -> str:
    found = re.search(r";\s*tag=([^;\s]+)", value)
    return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class Session:
    """What one side of a call says about its audio."""

    host: str
    port: int
    payloads: tuple[int, ...] = (PCMU, PCMA)
    event_payload: int = EVENT_PAYLOAD
    direction: str = "sendrecv"

    def encode(self) -> str:
        codecs = "".join(
            f"a=rtpmap:{payload} {'PCMU' if payload == PCMU else 'PCMA'}/8000\r\n" for payload in self.payloads
        )
        payloads = " ".join(str(payload) for payload in (*self.payloads, self.event_payload))
        return (
            f"v=0\r\no=- 1 {next(_session_numbers)} IN IP4 {self.host}\r\ns=call\r\nc=IN IP4 {self.host}\r\n"
            f"t=0 0\r\nm=audio {self.port} RTP/AVP {payloads}\r\n{codecs}"
            f"a=rtpmap:{self.event_payload} telephone-event/8000\r\na=fmtp:{self.event_payload} 0-16\r\n"
            f"a=ptime:20\r\na={self.direction}\r\n"
        )


def parse_session(body: str) -> Session | None:
    """Read a session description; None if there is no audio in it."""
    host = re.search(r"^c=IN IP4 (\S+)", body, re.MULTILINE)
    audio = re.search(r"^m=audio (\d+) \S+ ([\d ]+)", body, re.MULTILINE)
    if not host or not audio:
        return None
    events = re.search(r"^a=rtpmap:(\d+) telephone-event", body, re.MULTILINE)
    event_payload = int(events[1]) if events else EVENT_PAYLOAD
    payloads = tuple(int(word) for word in audio[2].split() if int(word) in (PCMU, PCMA))
    direction = re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)", body, re.MULTILINE)
    return Session(host[1], int(audio[1]), payloads, event_payload, direction[1] if direction else "sendrecv")
