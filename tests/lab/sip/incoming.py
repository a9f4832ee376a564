"""A call that the PBX makes to us: ring, answer, refuse, send on."""

import asyncio
import re

from tests.lab.sip.agent import ALLOW, FIRST_RESEND, Agent
from tests.lab.sip.call import SDP, Call
from tests.lab.sip.messages import Message, uri_in


class IncomingCall(Call):
    """A call that the PBX made to us; `invite` is kept for tests to read its headers."""

    def __init__(self, agent: Agent, user: str, secret: str, invite: Message, frequency: int) -> None:
        super().__init__(agent, user, secret, invite["Call-ID"], frequency)
        self.invite = invite
        self.rings = False
        self._local = f"{invite['To']};tag={self.tag}"
        self._remote = invite["From"]
        self._target = uri_in(invite["Contact"])
        self._accepted: Message | None = None

    @property
    def caller_number(self) -> str:
        """The number that the display shows."""
        return uri_in(self.invite["From"]).removeprefix("sip:").split("@", 1)[0]

    @property
    def caller_name(self) -> str:
        """The name that the display shows, '' if there is none."""
        found = re.match(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^<]*?))\s*<', self.invite["From"])
        return re.sub(r"\\(.)", r"\1", found[1] or found[2] or "") if found else ""

    def ring(self) -> None:
        """Say 180 Ringing."""
        self.rings = True
        self.agent.reply(self.invite, 180, self.tag, ("Contact", self.agent.contact(self.user)))

    async def progress(self) -> None:
        """Say 183 Session Progress and play our tone before the answer (early media)."""
        await self._prepare_media()
        contact = ("Contact", self.agent.contact(self.user))
        self.agent.reply(self.invite, 183, self.tag, contact, SDP, body=self._offer())

    async def answer(self) -> None:
        """Pick up; returns when the PBX has confirmed it."""
        await self._prepare_media()
        contact = ("Contact", self.agent.contact(self.user))
        extra = (contact, ("Allow", ALLOW), SDP)
        self._accepted = self.agent.reply(self.invite, 200, self.tag, *extra, body=self._offer())
        self.agent.in_background(self._repeat_answer())
        await self.answered()

    def refuse(self, status: int, *extra: tuple[str, str]) -> None:
        """Refuse: 486 busy, 603 declined, 480, 404, 403, 503 ..."""
        self.agent.reply(self.invite, status, self.tag, *extra)
        self._end()

    def redirect(self, number: str) -> None:
        """Send the caller elsewhere, as a phone's own call forwarding does (302)."""
        host, port = self.agent.server
        self.refuse(302, ("Contact", f"<sip:{number}@{host}:{port}>"))

    async def hang_up(self) -> None:
        """End the call; one that only rings is declined."""
        if self._accepted:
            await super().hang_up()
        else:
            self.refuse(603)

    async def _prepare_media(self) -> None:
        if self._session is None:
            await self._open_media()
            self._hear(self.invite.body)

    async def _repeat_answer(self) -> None:
        pause = FIRST_RESEND
        while self._accepted and not self.is_answered and not self.has_ended:
            await asyncio.sleep(pause)
            pause *= 2
            if not self.is_answered and not self.has_ended:
                self.agent.send(self._accepted)

    def _acknowledged(self, ack: Message) -> None:
        super()._acknowledged(ack)
        if self._accepted and not self.is_answered:
            self.is_answered = True
            self.board.changed()

    def _cancelled(self, request: Message) -> None:
        super()._cancelled(request)
        if not self._accepted and not self.has_ended:
            self.refuse(487)
