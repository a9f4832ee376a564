"""`POST /planfix`: what Planfix asks of us, `makeCall` and `setup`.

Answers are those of the vendor's reference (200 `{}`, 400, 401) with a reason, which the Planfix
administrator gets to see after `setup`; other faults have statuses of their own.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, assert_never

import structlog
from aiohttp import web

from ami_planfix.errors import (
    ActionRefused,
    AmiError,
    ClickRefused,
    PlanfixError,
    PlanfixUnreachable,
    SetupRefused,
    StorageError,
    TokenRefused,
    TooManyClicks,
    WireError,
)
from ami_planfix.planfix.messages import InvalidCommand, MakeCall, Setup, parse_command, presented_token
from ami_planfix.web.answers import refused, taken
from ami_planfix.web.callers import Address, Callers
from ami_planfix.web.forms import Unreadable, read_form
from ami_planfix.web.throttle import MOST_WAITING, WrongTokens
from ami_planfix.web.visits import Knock, Visits

log = structlog.get_logger("ami_planfix.web")

PATH = "/planfix"
WRONG_TOKEN = "the token is not the one that server.token has on the PBX"  # noqa: S105 - words about it
Outcome = tuple[int, str]
"""A status, and why it is none of 200."""


class Clicks(Protocol):
    """Whoever rings phones for clicks (`makecall` does)."""

    async def click(self, raw_from: str, raw_to: str) -> str:
        """Ring `from`, then dial `to`."""


class Account(Protocol):
    """Whoever keeps the account in Planfix (`setup` does)."""

    async def set_up(self, setup: Setup) -> None:
        """Keep what `setup` brings; raises SetupRefused, another PlanfixError, or StorageError."""


class FromPlanfix:
    """Answers Planfix's commands."""

    def __init__(
        self,
        token: str,
        clicks: Clicks,
        account: Account,
        callers: Callers,
        visits: Visits,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._token = _digest(token)
        self._clicks = clicks
        self._account = account
        self._callers = callers
        self._visits = visits
        self._wrong = WrongTokens(clock)
        self._pause = pause
        self._waiting = 0

    def routes(self) -> list[web.AbstractRouteDef]:
        """Tell what to serve."""
        return [web.post(PATH, self.command), web.get(PATH, self.knock)]

    async def command(self, request: web.Request) -> web.StreamResponse:
        """Answer one command."""
        address = self._callers.address_of(request)
        if not self._callers.allowed(address):
            log.warning("address refused", address=str(address))
            reason = "server.allow_from does not name your address"
            self._visits.note(str(address), "", 403, reason, known=False)
            return refused(403, reason)
        form = await read_form(request)
        if isinstance(form, Unreadable):
            log.warning("request refused", address=str(address), status=form.status, reason=form.reason)
            self._visits.note(str(address), "", form.status, form.reason, known=False)
            return form.answer()
        if not hmac.compare_digest(_digest(presented_token(form)), self._token):
            self._visits.note(str(address), "", 401, WRONG_TOKEN, known=False)
            return await self._wrong_token(address)
        status, reason = await self._obey(parse_command(form))
        self._visits.note(str(address), form.get("cmd", "")[:32], status, reason, known=True)
        return taken() if status == 200 else refused(status, reason)

    async def knock(self, request: web.Request) -> web.StreamResponse:
        """Say that only POST is served, and remember who asked, so that `doctor` knows what its own request met."""
        forwarded = "X-Forwarded-For" in request.headers
        mark = request.query.get("doctor", "")
        self._visits.knock(Knock(mark, str(self._callers.address_of(request)), request.remote or "", forwarded))
        return refused(405, "not for GET", {"Allow": "POST"})

    async def _obey(self, command: MakeCall | Setup | InvalidCommand) -> Outcome:
        match command:
            case MakeCall():
                outcome = await self._make_call(command)
            case Setup():
                outcome = await self._set_up(command)
            case InvalidCommand():
                outcome = 400, command.reason
            case _:
                assert_never(command)
        return outcome

    async def _wrong_token(self, address: Address) -> web.Response:
        times, wait = self._wrong.count(address)
        log.warning("wrong token", address=str(address), times=times)
        if self._waiting >= MOST_WAITING:
            response = refused(429, "too many wrong tokens")
        else:
            self._waiting += 1
            try:
                await self._pause(wait)
            finally:
                self._waiting -= 1
            response = refused(401, WRONG_TOKEN)
        response.force_close()
        return response

    async def _make_call(self, command: MakeCall) -> Outcome:
        try:
            await self._clicks.click(command.extension, command.number)
        except ClickRefused as fault:
            status, reason = 400, str(fault)
        except TooManyClicks as fault:
            status, reason = 429, str(fault)
        except (ActionRefused, WireError) as fault:
            status, reason = 502, f"Asterisk refused the call: {fault}"
        except AmiError as fault:
            status, reason = 503, f"no connection to Asterisk; nothing was dialled: {fault}"
        else:
            return 200, ""
        log.warning(
            "click refused",
            extension=command.extension[:32],
            client=command.number[:32],
            status=status,
            reason=reason,
        )
        return status, reason

    async def _set_up(self, command: Setup) -> Outcome:
        try:
            await self._account.set_up(command)
        except SetupRefused as fault:
            status, reason = 400, str(fault)
        except TokenRefused as fault:
            status, reason = 400, f"planfix_token: Planfix itself refuses it: {fault}"
        except PlanfixUnreachable as fault:
            status, reason = 502, f"planfix_url does not answer the PBX: {fault}"
        except PlanfixError as fault:
            status, reason = 502, f"Planfix refused our ping: {fault}"
        except StorageError as fault:
            status, reason = 503, f"the PBX cannot keep it: {fault}"
        else:
            log.info("setup taken", url=command.planfix_url)
            return 200, ""
        log.error("setup refused", url=command.planfix_url[:200], status=status, reason=reason)
        return status, reason


def _digest(token: str) -> bytes:
    """Make tokens of any length equally long, so that comparing them takes the same time."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
