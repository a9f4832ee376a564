"""The account in Planfix: its address and token, from the configuration file or from `setup`."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ami_planfix.config.model import Planfix
from ami_planfix.config.values import is_loopback
from ami_planfix.errors import SetupRefused, StorageError
from ami_planfix.planfix.messages import Setup
from ami_planfix.storage.database import Database, exists
from ami_planfix.storage.schema import Standing, standing
from ami_planfix.storage.settings import Settings

URL, TOKEN = "planfix.url", "planfix.token"
LONGEST = 1000
"""Characters of an address or a token."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where Planfix is, and what we present to it."""

    url: str
    token: str = field(repr=False)


class Account:
    """Knows the account's credentials; each that the file has wins over what `setup` brought.

    The first account that is known stays the only one: `setup` with another host is refused until `forget`.
    """

    def __init__(
        self, settings: Settings, url: str | None = None, token: str = "", allowed_hosts: Sequence[str] = ()
    ) -> None:
        self._settings = settings
        self._from_file = {URL: url or "", TOKEN: token}
        self._from_setup: dict[str, str] = {}
        self._found: tuple[Credentials | None] | None = None
        """What `credentials` tells, found out once: each report asks."""
        self._allowed = tuple(host.lower().rstrip(".") for host in allowed_hosts)
        self._listeners: list[Callable[[], None]] = []
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """Read what an earlier `setup` brought, here or at another daemon on this PBX."""
        async with self._lock:
            known = await self._settings.read((URL, TOKEN))
            changed = known != self._from_setup
            self._keep(known)
        if changed:
            self._tell()

    def credentials(self) -> Credentials | None:
        """Tell url and token; None as long as one of them is unknown."""
        if self._found is None:
            self._found = (self._find(),)
        return self._found[0]

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever `setup` has changed something, here or at another daemon."""
        self._listeners.append(listener)

    def check(self, setup: Setup) -> None:
        """Raise SetupRefused, before anything is asked of it, if `setup` names what we would not take."""
        self._check(setup)
        self._check_host(setup.planfix_url)

    async def adopt(self, setup: Setup) -> bool:
        """Keep durably what `setup` brings, and use it from now on; False if the file has its own.

        Raise SetupRefused, whose message is for Planfix's administrator, and StorageError.
        """
        self._check(setup)
        async with self._lock:  # two at once, each the first
            self._check_host(setup.planfix_url)
            brought = {URL: setup.planfix_url, TOKEN: setup.planfix_token}
            await self._settings.write(brought)
            self._keep(brought)
        self._tell()
        return self.credentials() == Credentials(setup.planfix_url, setup.planfix_token)

    async def forget(self) -> None:
        """Forget what `setup` brought, so that another account may be switched on."""
        async with self._lock:
            await self._settings.remove((URL, TOKEN))
            self._keep({})
        self._tell()

    def _keep(self, brought: dict[str, str]) -> None:
        self._from_setup, self._found = brought, None

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    def _find(self) -> Credentials | None:
        url = self._known(URL)
        brought = self._from_setup if url and _host(url) == _host(self._from_setup.get(URL) or url) else {}
        token = self._from_file[TOKEN] or brought.get(TOKEN, "")  # one account's token is not another's business
        return Credentials(url, token) if url and token else None

    def _known(self, name: str) -> str:
        return self._from_file[name] or self._from_setup.get(name, "")

    def _check(self, setup: Setup) -> None:
        token = setup.planfix_token
        if not token.isprintable() or len(token) > LONGEST:
            raise SetupRefused(f"planfix_token must be one line of at most {LONGEST} characters")
        host = _host(setup.planfix_url)
        if not any(host == allowed or host.endswith(f".{allowed}") for allowed in self._allowed):
            raise SetupRefused(
                f"planfix_url names {host}, which is not among planfix.allowed_hosts ({', '.join(self._allowed)})"
            )

    def _check_host(self, url: str) -> None:
        known = self._known(URL)
        if known and _host(known) != _host(url):
            raise SetupRefused(
                f"this PBX belongs to the account at {_host(known)}; to move it to {_host(url)}, "
                "its administrator first runs `ami-planfix account forget` on the PBX"
            )


async def find_credentials(section: Planfix, storage: str, pbx: str) -> Credentials | None:
    """Tell the url and token of the file, else those that `setup` brought; None if there are none.

    The database is neither made nor brought up to date. Raises StorageError.
    """
    token = section.token.get_secret_value()
    if section.url and token:
        return Credentials(section.url, token)
    if not exists(storage):
        return None
    async with Database(storage) as database:
        if await standing(database) is not Standing.CURRENT:
            raise StorageError("the database is of another version: start the daemon once, it brings it up to date")
        account = Account(Settings(database, pbx), section.url, token, section.allowed_hosts)
        await account.load()
        return account.credentials()


def _host(url: str) -> str:
    """Tell the host of an address that may be used at all."""
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise SetupRefused("planfix_url is no address") from None
    plain = parts.scheme == "http" and is_loopback(host)
    if len(url) > LONGEST or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise SetupRefused("planfix_url has characters that no address has, or too many")
    if not host or not (parts.scheme == "https" or plain):
        raise SetupRefused("planfix_url must begin with https://")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SetupRefused("planfix_url must have no user, no query and no #")
    return host
