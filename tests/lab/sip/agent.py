"""One SIP socket: sends requests and pairs them with responses, gives calls what is theirs."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Protocol

from tests.lab.sip.messages import Message, parse, response, token, user_in
from tests.lab.waiting import PATIENCE, within

ALLOW = "INVITE, ACK, CANCEL, BYE, REFER, NOTIFY, OPTIONS, UPDATE, INFO"
FIRST_RESEND = 0.5  # seconds, RFC 3261's T1
Address = tuple[str, int]


class Dialogue(Protocol):
    """A call, as its socket sees it."""

    def handle(self, request: Message) -> None: ...
    def abandon(self) -> None: ...


class Agent(asyncio.DatagramProtocol):
    """Speaks SIP on a port of the kernel's choice; knows nothing of who is called."""

    def __init__(self, host: str) -> None:
        self.address: Address = (host, 0)
        self.server: Address = (host, 0)
        self.dialogues: dict[str, Dialogue] = {}
        self.failures: list[BaseException] = []
        self.on_invite: Callable[[Message], Dialogue] | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._expected: dict[tuple[str, str], asyncio.Queue[Message]] = {}
        self._acks: dict[str, Message] = {}
        self._replies: dict[tuple[str, str], Message] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=self.address)
        self.address = (self.address[0], self._transport.get_extra_info("sockname")[1])

    def close(self) -> None:
        self.forget()
        for task in self._tasks:
            task.cancel()
        if self._transport:
            self._transport.close()

    def forget(self) -> None:
        """Drop all calls, without a word."""
        for dialogue in self.dialogues.values():
            dialogue.abandon()
        self.dialogues.clear()
        self._replies.clear()
        self._acks.clear()

    def in_background(self, work: Coroutine[object, object, None]) -> None:
        """Do something meanwhile; what it raises is kept in `failures`."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def via(self) -> tuple[str, str]:
        """Make the Via header of a new transaction."""
        return "Via", f"SIP/2.0/UDP {self.address[0]}:{self.address[1]};rport;branch=z9hG4bK{token()}"

    def contact(self, user: str) -> str:
        return f"<sip:{user}@{self.address[0]}:{self.address[1]}>"

    def send(self, message: Message) -> None:
        """Send to the PBX."""
        if self._transport:
            self._transport.sendto(message.encode(), self.server)

    def acknowledge(self, branch: str, ack: Message) -> None:
        """Send an ACK, and again whenever the answer to that INVITE is repeated."""
        self._acks[branch] = ack
        self.send(ack)

    def reply(self, request: Message, status: int, tag: str, *extra: tuple[str, str], body: str = "") -> Message:
        """Answer a request; the answer is repeated if the request is."""
        answer = response(request, status, tag, *extra, body=body)
        self._replies[request.branch, request.method] = answer
        self.send(answer)
        return answer

    async def request(self, message: Message, progress: Callable[[Message], None] | None = None) -> Message:
        """Send a request and return its final response; provisional ones go to `progress`.

        An INVITE may take as long as it likes, anything else must be answered in time.
        """
        if message.method == "INVITE":
            return await self._transaction(message, progress)
        return await within(PATIENCE, f"an answer to {message.start}", self._transaction(message, progress))

    async def _transaction(self, message: Message, progress: Callable[[Message], None] | None) -> Message:
        key = (message.branch, message.method)  # a CANCEL has the branch of its INVITE
        answers = self._expected[key] = asyncio.Queue()
        resending = asyncio.create_task(self._resend(message))
        try:
            while True:
                answer = await answers.get()
                resending.cancel()
                if answer.status >= 200:
                    return answer
                if progress:
                    progress(answer)
        finally:
            resending.cancel()
            del self._expected[key]

    async def _resend(self, message: Message) -> None:
        self.send(message)
        pause = FIRST_RESEND
        while True:
            await asyncio.sleep(pause)
            self.send(message)
            pause *= 2

    def datagram_received(self, data: bytes, addr: tuple[str | int, int]) -> None:
        if not data.strip():
            return
        message = parse(data)
        if message.status:
            self._answered(message)
        else:
            self._asked(message)

    def _answered(self, answer: Message) -> None:
        if expected := self._expected.get((answer.branch, answer.method)):
            expected.put_nowait(answer)
        elif answer.status >= 200 and answer.method == "INVITE" and (ack := self._acks.get(answer.branch)):
            self.send(ack)

    def _asked(self, request: Message) -> None:
        if repeated := self._replies.get((request.branch, request.method)):
            self.send(repeated)
        elif dialogue := self.dialogues.get(request["Call-ID"]):
            dialogue.handle(request)
        elif request.method == "INVITE" and self.on_invite:
            self.reply(request, 100, token())
            self.dialogues[request["Call-ID"]] = self.on_invite(request)
        elif request.method != "ACK":
            self.reply(request, 481 if request.method in ("BYE", "CANCEL") else 200, token())

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.failures.append(error)


def called_user(invite: Message) -> str:
    """Return the number in the request line."""
    return user_in(invite.request_uri)
