"""Take the account that Planfix names when the integration is switched on there.

What works is not replaced by what does not: with an account known already, the new address and token are
kept only after Planfix has taken them, at another address than before only if it answers as Planfix does: any page
that says 200 would else swallow all reports. With none, they are kept at once, since nothing can be lost.
"""

import hmac
from collections.abc import Callable

import structlog

from ami_planfix.errors import SetupRefused
from ami_planfix.planfix.account import Account, Credentials
from ami_planfix.planfix.api import PlanfixApi
from ami_planfix.planfix.messages import Ping, Setup

log = structlog.get_logger("ami_planfix.setup")


class SwitchOn:
    """Checks, verifies and keeps what `setup` brings."""

    def __init__(self, account: Account, timeout: float, told: Callable[[Ping], None]) -> None:
        self._account = account
        self._timeout = timeout
        self._told = told

    async def set_up(self, setup: Setup) -> None:
        """Keep an account that Planfix takes; raises SetupRefused, another PlanfixError, or StorageError."""
        self._account.check(setup)
        known = self._account.credentials()
        if known is not None:
            told = await self._ask(setup)
            if setup.planfix_url != known.url and not (told.pbx_token or told.pbx_url):
                raise SetupRefused(
                    "planfix_url is another than before, and does not answer `ping` as Planfix does; if it is right, "
                    "the administrator of the PBX first runs `ami-planfix account forget` there"
                )
        if not await self._account.adopt(setup):
            raise SetupRefused(
                "the configuration file of the PBX has a planfix.url or planfix.token of its own, and they are "
                "not these; its administrator removes or corrects them"
            )
        if known is None:
            await self._ask(setup)

    async def _ask(self, setup: Setup) -> Ping:
        candidate = Credentials(setup.planfix_url, setup.planfix_token)
        api = PlanfixApi(lambda: candidate, timeout=self._timeout)
        try:
            told = await api.ping()
            self._told(told)
            return told
        finally:
            await api.close()


def compare(ping: Ping, token: str, public_url: str) -> None:
    """Log where Planfix has been told something else about us than is so; clicks would not arrive."""
    if ping.pbx_token and not hmac.compare_digest(ping.pbx_token.encode(), token.encode()):
        log.warning(
            "planfix has another pbx token",
            remedy="put the value of `server` / `token` into Planfix: until then every click ends in 401",
        )
    ours = f"{public_url}/planfix"
    if ping.pbx_url and ping.pbx_url.rstrip("/") != ours:
        log.warning(
            "planfix has another pbx address",
            theirs=ping.pbx_url[:200],
            ours=ours,
            remedy="put ours into Planfix, or correct `server` / `public_url`: until then clicks may not arrive",
        )
