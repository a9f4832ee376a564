"""One SIP call as one of its two ends has it: ring, answer, hold, transfer, hang up, with audio."""

import asyncio
import re
from collections.abc import Callable
from urllib.parse import quote

from tests.lab.sip.agent import ALLOW, Agent
from tests.lab.sip.digest import authorization
from tests.lab.sip.media import Media
from tests.lab.sip.messages import Message, Session, parse_session, tag_in, token, uri_in
from tests.lab.waiting import PATIENCE, Noticeboard

SDP = ("Content-Type", "application/sdp")
MIRRORED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


class RefusedError(Exception):
    """The PBX refused a request that a story relies on."""


class Call:
    """What both directions share: a dialogue (RFC 3261, 12) with its audio."""

    def __init__(self, agent: Agent, user: str, secret: str, call_id: str, frequency: int) -> None:
        self.agent = agent
        self.user = user
        self.call_id = call_id
        self.tag = token()
        self.media = Media(frequency)
        self.is_answered = False
        self.has_ended = False
        self.held_by_far_end = False
        self.transfer_status = 0
        self.board = Noticeboard()
        self._secret = secret
        self._local = ""
        self._remote = ""
        self._target = ""
        self._sequence = 100
        self._session: Session | None = None
        self._leaves_when_transferred = False

    def __str__(self) -> str:
        return f"{self.user}'s call with {uri_in(self._remote)}"

    # What a story does

    async def hang_up(self) -> None:
        """End an answered call."""
        if not self.has_ended:
            self._end()
            await self._ask("BYE")

    async def hold(self) -> None:
        """Put the other side on hold, as a phone's hold key does."""
        await self._reinvite("sendonly")

    async def unhold(self) -> None:
        await self._reinvite("sendrecv")

    async def transfer(self, number: str, *, stay: bool = False) -> None:
        """Transfer blindly by REFER; returns when it is accepted, before it is done.

        The phone leaves when it hears how that went; with `stay` it listens on (to a parking place's number).
        """
        self._leaves_when_transferred = not stay
        await self._refer(f"<sip:{number}@{self.agent.server[0]}:{self.agent.server[1]}>")

    async def transfer_to(self, consultation: "Call") -> None:
        """Hand over to whom the other call talks or rings with (REFER with Replaces)."""
        tags = f";to-tag={tag_in(consultation._remote)};from-tag={consultation.tag}"
        target = uri_in(consultation._remote)
        self._leaves_when_transferred = True
        await self._refer(f"<{target}?Replaces={quote(consultation.call_id + tags, safe='')}>")

    async def press(self, keys: str) -> None:
        """Press keys in the conversation."""
        await self.media.press(keys)

    # What a story waits for

    async def answered(self, seconds: float = PATIENCE) -> None:
        """Wait until the call is answered (for us, if we called; else until our answer is confirmed)."""
        await self._until("being answered", lambda: self.is_answered or self.has_ended, seconds)
        if not self.is_answered:
            raise RefusedError(f"{self} ended before it was answered")

    async def ended(self, seconds: float = PATIENCE) -> None:
        """Wait until the call is over, whoever ended it and however."""
        await self._until("its end", lambda: self.has_ended, seconds)

    async def transferred(self, seconds: float = PATIENCE) -> int:
        """Wait for the outcome of our REFER; returns its SIP status (0: hung up without one)."""
        await self._until("the outcome of a transfer", lambda: self.transfer_status >= 200 or self.has_ended, seconds)
        return self.transfer_status

    async def _until(self, what: str, truth: Callable[[], bool], seconds: float) -> None:
        await self.board.until(f"{self}: {what}", truth, seconds)

    # What the PBX asks

    def handle(self, request: Message) -> None:
        """Answer a request within the dialogue."""
        match request.method:
            case "BYE":
                self.agent.reply(request, 200, self.tag)
                self._end()
            case "INVITE" | "UPDATE":
                self._renegotiate(request)
            case "NOTIFY":
                self.agent.reply(request, 200, self.tag)
                self._notified(request)
            case "ACK":
                self._acknowledged(request)
            case "CANCEL":
                self._cancelled(request)
            case _:
                self.agent.reply(request, 200, self.tag)

    def abandon(self) -> None:
        """Forget the call without a word."""
        if not self.has_ended:
            self._end()

    def _acknowledged(self, ack: Message) -> None:
        if ack.body:
            self._hear(ack.body)

    def _cancelled(self, request: Message) -> None:
        self.agent.reply(request, 200, self.tag)

    def _notified(self, notify: Message) -> None:
        """Hear how our REFER went: it is the phone that hangs up then."""
        if found := re.match(r"SIP/2.0 (\d+)", notify.body):
            self.transfer_status = int(found[1])
            if self._leaves_when_transferred and self.transfer_status >= 200:
                self.agent.in_background(self.hang_up())
            self.board.changed()

    def _renegotiate(self, request: Message) -> None:
        if request["Contact"]:
            self._target = uri_in(request["Contact"])
        contact = ("Contact", self.agent.contact(self.user))
        if request.method == "UPDATE" and not request.body:
            self.agent.reply(request, 200, self.tag, contact)
            return
        direction = self._hear(request.body) if request.body else "sendrecv"
        self.held_by_far_end = direction in ("sendonly", "inactive")
        self.agent.reply(request, 200, self.tag, contact, SDP, body=self._offer(MIRRORED[direction]))
        self.board.changed()

    # Plumbing

    async def _open_media(self) -> None:
        self._session = await self.media.open(self.agent.address[0])

    def _offer(self, direction: str = "sendrecv") -> str:
        assert self._session, "the call's audio is not open yet"
        return Session(self._session.host, self._session.port, direction=direction).encode()

    def _hear(self, body: str) -> str:
        """Take over what the other side says of its audio; returns its direction."""
        far = parse_session(body)
        if far is None:
            return "sendrecv"
        self.media.connect(far)
        return far.direction

    def _end(self) -> None:
        self.has_ended = True
        self.media.close()
        self.board.changed()

    def _message(self, method: str, *extra: tuple[str, str], body: str = "") -> Message:
        self._sequence += 1
        headers = [
            self.agent.via(),
            ("Max-Forwards", "70"),
            ("From", self._local),
            ("To", self._remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self._sequence} {method}"),
            ("Contact", self.agent.contact(self.user)),
            ("Allow", ALLOW),
            ("User-Agent", "Lab phone"),
        ]
        return Message(f"{method} {self._target} SIP/2.0", [*headers, *extra], body)

    async def _ask(self, method: str, *extra: tuple[str, str], body: str = "") -> Message:
        """Make a request within the dialogue, with a password if it is asked for one."""
        message = self._message(method, *extra, body=body)
        answer = await self.agent.request(message)
        if answer.status in (401, 407):
            self._acknowledge_refusal(message, answer)
            message = self._message(method, *extra, self._credentials(message, answer), body=body)
            answer = await self.agent.request(message)
        if method == "INVITE":
            self._acknowledge(message, answer)
        return answer

    async def _reinvite(self, direction: str) -> None:
        for _ in range(5):
            answer = await self._ask("INVITE", SDP, body=self._offer(direction))
            if answer.status != 491:  # the PBX was re-inviting us at the same moment
                break
            await asyncio.sleep(0.2)
        if answer.status != 200:
            raise RefusedError(f"{self}: re-INVITE ({direction}) was answered {answer.start}")
        self._hear(answer.body)

    async def _refer(self, refer_to: str) -> None:
        self.transfer_status = 0
        referred_by = ("Referred-By", f"<{uri_in(self._local)}>")
        answer = await self._ask("REFER", ("Refer-To", refer_to), referred_by)
        if answer.status != 202:
            raise RefusedError(f"{self}: REFER to {refer_to} was answered {answer.start}")

    def _credentials(self, asked: Message, challenge: Message) -> tuple[str, str]:
        proxy = challenge.status == 407
        header = challenge["Proxy-Authenticate" if proxy else "WWW-Authenticate"]
        value = authorization(header, asked.method, asked.request_uri, self.user, self._secret)
        return ("Proxy-Authorization" if proxy else "Authorization"), value

    def _acknowledge(self, invite: Message, answer: Message) -> None:
        if answer.status >= 300:
            self._acknowledge_refusal(invite, answer)
            return
        ack = self._message("ACK")
        self._sequence -= 1
        self._number_as(ack, invite)
        self.agent.acknowledge(invite.branch, ack)

    def _acknowledge_refusal(self, invite: Message, answer: Message) -> None:
        if invite.method != "INVITE":
            return
        kept = [pair for pair in invite.headers if pair[0] in ("Via", "Max-Forwards", "From", "Call-ID", "CSeq")]
        ack = Message(f"ACK {invite.request_uri} SIP/2.0", [*kept, ("To", answer["To"])])
        self._number_as(ack, invite)
        self.agent.acknowledge(invite.branch, ack)

    @staticmethod
    def _number_as(message: Message, invite: Message) -> None:
        number = invite["CSeq"].split()[0]
        method = message.start.split(" ", 1)[0]
        message.headers = [(name, f"{number} {method}" if name == "CSeq" else value) for name, value in message.headers]
