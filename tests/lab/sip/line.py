"""A number at a SIP agent: who can be called there, and call from there."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.lab.sip.agent import ALLOW, Agent, called_user
from tests.lab.sip.call import RefusedError
from tests.lab.sip.digest import authorization
from tests.lab.sip.incoming import IncomingCall
from tests.lab.sip.messages import Message, token
from tests.lab.sip.outgoing import OutgoingCall
from tests.lab.waiting import PATIENCE, within

Behaviour = Callable[[IncomingCall], Awaitable[None]]


class Line:
    """One number: a phone's own, or somebody's beyond a provider.

    A call for it waits until the story takes it with `incoming()`, or is given to the `behaviour`, if any.
    """

    def __init__(self, agent: Agent, user: str, frequency: int, secret: str = "", name: str = "") -> None:
        self.agent = agent
        self.user = user
        self.name = name
        self.frequency = frequency
        self.behaviour: Behaviour | None = None
        self._secret = secret
        self._waiting: asyncio.Queue[IncomingCall] = asyncio.Queue()

    async def register(self, expires: int = 3600) -> None:
        """Tell the PBX where this phone is; expires 0 takes it back."""
        address = f"sip:{self.user}@{self.agent.server[0]}:{self.agent.server[1]}"
        call_id, local = token(), f"<{address}>;tag={token()}"
        extra: list[tuple[str, str]] = []
        for sequence in (1, 2):
            headers = [
                self.agent.via(),
                ("Max-Forwards", "70"),
                ("From", local),
                ("To", f"<{address}>"),
                ("Call-ID", call_id),
                ("CSeq", f"{sequence} REGISTER"),
                ("Contact", self.agent.contact(self.user)),
                ("Expires", str(expires)),
            ]
            uri = f"sip:{self.agent.server[0]}:{self.agent.server[1]}"
            answer = await self.agent.request(Message(f"REGISTER {uri} SIP/2.0", headers + extra))
            if answer.status == 200:
                return
            challenge = answer["WWW-Authenticate"]
            if not challenge:
                break
            extra = [("Authorization", authorization(challenge, "REGISTER", uri, self.user, self._secret))]
        raise RefusedError(f"the registration of {self.user} was answered {answer.start}")

    async def dial(self, number: str, *, caller: str = "", headers: tuple[tuple[str, str], ...] = ()) -> OutgoingCall:
        """Call a number; `caller` replaces the whole From address (hidden, or written in another way)."""
        host, port = self.agent.address
        own = f"<sip:{self.user}@{host}:{port}>"
        named = f'"{self.name}" {own}' if self.name else own
        call = OutgoingCall(self.agent, self.user, self._secret, self.frequency, caller or named)
        await call.dial(number, (("Allow", ALLOW), *headers))
        return call

    async def incoming(self, seconds: float = PATIENCE) -> IncomingCall:
        """Take the next call for this line, before anything was answered to it."""
        return await within(seconds, f"a call for {self.user}", self._waiting.get())

    async def rings(self, seconds: float = PATIENCE) -> IncomingCall:
        """Take the next call and ring."""
        call = await self.incoming(seconds)
        call.ring()
        return call

    def is_quiet(self) -> bool:
        """Tell whether nobody waits for this line to be taken."""
        return self._waiting.empty()

    def forget(self) -> None:
        """Drop calls that no story took, and the behaviour."""
        self.behaviour = None
        while not self._waiting.empty():
            self._waiting.get_nowait()

    def receive(self, invite: Message) -> IncomingCall:
        """Be called."""
        call = IncomingCall(self.agent, self.user, self._secret, invite, self.frequency)
        if self.behaviour:
            self.agent.in_background(self._behave(self.behaviour, call))
        else:
            self._waiting.put_nowait(call)
        return call

    @staticmethod
    async def _behave(behaviour: Behaviour, call: IncomingCall) -> None:
        await behaviour(call)


class Phone(Line):
    """A desk phone: one line with a socket of its own."""

    def __init__(self, host: str, user: str, frequency: int, secret: str, name: str) -> None:
        super().__init__(Agent(host), user, frequency, secret, name)
        self.agent.on_invite = self.receive


class Provider:
    """A trunk's far side: any number may be behind it."""

    def __init__(self, host: str) -> None:
        self.agent = Agent(host)
        self.agent.on_invite = self._receive
        self.anyone = Line(self.agent, "anyone", 700)
        self._lines: dict[str, Line] = {}

    def line(self, number: str, frequency: int = 600, name: str = "") -> Line:
        """Return the line of a number behind this provider; made at its first mention."""
        return self._lines.setdefault(number, Line(self.agent, number, frequency, name=name))

    def lines(self) -> list[Line]:
        return [*self._lines.values(), self.anyone]

    def _receive(self, invite: Message) -> IncomingCall:
        return self._lines.get(called_user(invite), self.anyone).receive(invite)
