"""Who is at the other end of a request: the address behind trusted proxies, and whether it may ask ."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import web

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

UNKNOWN = IPv4Address("0.0.0.0")  # noqa: S104 - the address of nobody, not one to listen on


def read_address(text: str) -> Address | None:
    """Read an address as proxies write it (`192.0.2.1`, `192.0.2.1:5000`, `[2001:db8::1]:5000`)."""
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


class Callers:
    """Tells the address of whoever sent a request; nobody can choose theirs by a header of their own."""

    def __init__(self, allow_from: Iterable[Network] = (), trusted_proxies: Iterable[Network] = ()) -> None:
        self._allowed = tuple(allow_from)
        self._proxies = tuple(trusted_proxies)

    def address(self, peer: str, forwarded: Sequence[str] = ()) -> Address:
        """Find the nearest address that is no trusted proxy; `forwarded` are the X-Forwarded-For headers."""
        nearest = read_address(peer) or UNKNOWN
        hops = [hop for header in forwarded for hop in header.split(",")]
        while hops and _within(nearest, self._proxies):
            before = read_address(hops.pop())
            if before is None:
                break
            nearest = before
        return nearest

    def address_of(self, request: web.BaseRequest) -> Address:
        """Find it for a request."""
        return self.address(request.remote or "", request.headers.getall("X-Forwarded-For", ()))

    def allowed(self, address: Address) -> bool:
        """Tell whether `server.allow_from` lets this address in; an empty list lets everybody."""
        return not self._allowed or _within(address, self._allowed)


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
