"""A call that we make to the PBX: dial, wait, give up."""

from tests.lab.sip.agent import Agent
from tests.lab.sip.call import SDP, Call, RefusedError
from tests.lab.sip.messages import Message, tag_in, token, uri_in
from tests.lab.waiting import PATIENCE


class OutgoingCall(Call):
    """A call that we make."""

    def __init__(self, agent: Agent, user: str, secret: str, frequency: int, caller: str) -> None:
        super().__init__(agent, user, secret, token(), frequency)
        self.is_ringing = False
        self.status = 0
        self.identities: list[str] = []  # P-Asserted-Identity of each answer that had one: what the display shows
        self.refusal: Message | None = None
        self._invite: Message | None = None
        self._local = f"{caller};tag={self.tag}"

    async def dial(self, number: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Send the INVITE and go on in the background."""
        host, port = self.agent.server
        self._target = f"sip:{number}@{host}:{port}"
        self._remote = f"<{self._target}>"
        await self._open_media()
        self.agent.dialogues[self.call_id] = self
        self.agent.in_background(self._dial(headers))

    async def ringing(self, seconds: float = PATIENCE) -> None:
        """Wait for ringback (180) or early media (183)."""
        await self._until("ringing", lambda: self.is_ringing or self.is_answered or self.has_ended, seconds)
        if self.has_ended:
            raise RefusedError(f"{self} ended before it rang, with status {self.status}")

    async def refused(self, seconds: float = PATIENCE) -> int:
        """Wait for a refusal; returns its status."""
        await self._until("a refusal", lambda: self.status >= 300 or self.is_answered, seconds)
        if self.is_answered:
            raise RefusedError(f"{self} was answered, not refused")
        return self.status

    async def hang_up(self) -> None:
        """End the call; one that was not answered yet is cancelled."""
        if self.is_answered or self.has_ended or not self._invite:
            await super().hang_up()
            return
        kept = [pair for pair in self._invite.headers if pair[0] in ("Via", "Max-Forwards", "From", "To", "Call-ID")]
        number = self._invite["CSeq"].split()[0]
        cancel = Message(f"CANCEL {self._invite.request_uri} SIP/2.0", [*kept, ("CSeq", f"{number} CANCEL")])
        await self.agent.request(cancel)
        await self.ended()

    async def _dial(self, headers: tuple[tuple[str, str], ...]) -> None:
        self._invite = self._message("INVITE", *headers, SDP, body=self._offer())
        answer = await self.agent.request(self._invite, self._progressing)
        if answer.status in (401, 407):
            self._acknowledge_refusal(self._invite, answer)
            credentials = self._credentials(self._invite, answer)
            self._invite = self._message("INVITE", *headers, credentials, SDP, body=self._offer())
            answer = await self.agent.request(self._invite, self._progressing)
        self.status = answer.status
        self._identify(answer)
        self._learn(answer)
        self._acknowledge(self._invite, answer)
        if answer.status >= 300:
            self.refusal = answer
            self._end()
        else:
            self._hear(answer.body)
            self.is_answered = True
        self.board.changed()

    def _progressing(self, answer: Message) -> None:
        self.is_ringing = self.is_ringing or answer.status in (180, 183)
        self._identify(answer)
        if tag_in(answer["To"]):
            self._learn(answer)
        if answer.body:
            self._hear(answer.body)
        self.board.changed()

    def _identify(self, answer: Message) -> None:
        self.identities += answer.all("P-Asserted-Identity")

    def _learn(self, answer: Message) -> None:
        self._remote = answer["To"]
        if answer["Contact"] and answer.status < 300:
            self._target = uri_in(answer["Contact"])
