"""What Planfix calls: our certificate, the public address, and that it is this daemon that answers there."""

import secrets
import ssl
from collections.abc import AsyncIterator
from typing import NamedTuple

import aiohttp

from ami_planfix import tls
from ami_planfix.config.model import Server
from ami_planfix.doctor import reach
from ami_planfix.doctor.finding import Fault, Finding, Sign, Untried, untried, well
from ami_planfix.doctor.patient import Patient
from ami_planfix.doctor.reach import Place
from ami_planfix.status import State

UNREADABLE = Fault(
    "certificate-unreadable",
    "certificate",
    "the daemon's user cannot read the certificate or its key",
    "copies that it can read: docs/admin/nginx.md has the hook for certbot; or `chgrp {group} {file} && "
    "chmod 640 {file}`",
)
BROKEN = Fault(
    "certificate-broken",
    "certificate",
    "the files are no certificate and its key",
    "`server.tls.certificate`: PEM with the whole chain (fullchain.pem); `private_key`: the key that belongs to it, "
    "without a password",
)
EXPIRED = Fault(
    "certificate-expired",
    "certificate",
    "it has ended: Planfix refuses it",
    "renew it (`certbot renew`), copy it to where `server.tls` names it, `systemctl reload ami-planfix`",
)
ENDS = Fault(
    "certificate-ends",
    "certificate",
    "it ends within two weeks",
    "see that it is renewed by itself: `certbot renew --dry-run`, and the hook of docs/admin/nginx.md that copies it",
    Sign.WARNING,
)
NAME = Fault(
    "certificate-name",
    "certificate",
    "it is for another name than that of `server.public_url`",
    "a certificate for {host}, or the name that it has in `server.public_url`",
)
UNTRUSTED = Fault(
    "certificate-untrusted",
    "certificate",
    "no public authority stands behind it, or its chain is not whole: Planfix refuses it",
    "one of a public authority (certbot: free of charge), with its chain: fullchain.pem, not cert.pem",
)
DNS = Fault(
    "public-dns",
    "public address",
    "the name of `server.public_url` is not found",
    "an entry for {host} in your DNS, or another name in `server.public_url`",
)
AWAY = Fault(
    "public-away",
    "public address",
    "it cannot be reached from this machine; many routers do not let you out and in again",
    "try it from another network: `curl -i {url}` must answer 405; if not: the firewall, the router's forwarding, "
    "`server.public_url`",
    Sign.WARNING,
)
TLS = Fault(
    "public-tls",
    "public address",
    "the certificate that is shown there is not trusted: Planfix refuses it too",
    "our own certificate: see there, and `systemctl reload ami-planfix` after it was renewed; a proxy's: "
    "`ssl_certificate` with the whole chain (fullchain.pem), for the name {host}",
)
OTHER = Fault(
    "public-other",
    "public address",
    "something else answers there, or another daemon",
    "the proxy must pass /planfix and /recordings/ on to `server.listen` (docs/admin/nginx.md), the router forward the "
    "port to this machine",
)
PROXY = Fault(
    "proxy-untrusted",
    "proxy",
    "requests come through a proxy that is not named: all seem to come from it, and a guesser of tokens slows all",
    "`server.trusted_proxies: [{proxy}]`, then `systemctl reload ami-planfix`",
    Sign.WARNING,
)

ENDS_SOON = 14.0
"""Days."""


class _Answer(NamedTuple):
    status: int
    body: str


async def certificate(patient: Patient) -> AsyncIterator[Finding]:
    """Look at our own certificate as Planfix would."""
    server = patient.config.server
    if server is None or server.tls is None:
        raise Untried(
            "none of our own: see the public address" if server is not None else "there is no section `server`"
        )
    files = (server.tls.certificate, server.tls.private_key)
    for file in files:
        if patient.account is not None and await patient.account.may("r", file) is False:
            group = patient.account.group
            yield UNREADABLE.found(f"{patient.account.name} cannot read {file}", group=group, file=file)
            return
    host = Place.of(server.public_url).host
    try:
        found = tls.read(*files)
    except ssl.SSLError as fault:
        if tls.is_expired(fault):
            yield EXPIRED.found(f"{files[0]} has ended")
        else:
            yield BROKEN.found(f"{files[0]} and {files[1]}: {fault.reason or reach.words(fault)}")
        return
    except OSError as fault:
        raise Untried(f"{files[0]}, {files[1]}: {fault.strerror}; run doctor with sudo") from fault
    names = ", ".join(found.names)
    against = tls.complaint(*files, host)
    if found.days < ENDS_SOON:
        yield ENDS.found(f"in {found.days:.0f} days, on {found.until}")
    if against is None:
        yield well("certificate", f"for {names}, until {found.until}")
    elif tls.is_other_name(against):
        yield NAME.found(f"it is for {names}, not for {host}", host=host)
    else:
        yield UNTRUSTED.found(f"{reach.words(against)} (for {names})")


async def public_address(patient: Patient) -> AsyncIterator[Finding]:
    """Go to the public address as Planfix does, and see whether this daemon heard it."""
    server = patient.config.server
    if server is None:
        yield untried("public address", "there is no section `server`: reports only, no clicks, no recordings")
        return
    why = _shut(patient)
    async for finding in _go(patient, server):
        if why and finding.fault in (AWAY.name, OTHER.name):
            yield untried("public address", why)
        else:
            yield finding


def _shut(patient: Patient) -> str:
    """Tell why nobody of ours can answer at all; `''` if the door is open."""
    if patient.running is None and patient.health is None:
        return "the daemon does not run"
    part = patient.part("server")
    if part is not None and part.state is State.FAILED:
        return "the daemon's own door is shut: see port"
    return part.detail if part is not None and part.state is State.OFF else ""


async def _go(patient: Patient, server: Server) -> AsyncIterator[Finding]:
    place = Place.of(server.public_url)
    url = f"{server.public_url}/planfix"
    try:
        await reach.resolve(place)
    except OSError as fault:
        yield DNS.found(f"{place.host}: {reach.words(fault)}", host=place.host)
        return
    try:
        shown = await reach.connect(place)
    except ssl.SSLCertVerificationError as fault:
        yield TLS.found(f"{place.host}: {reach.words(fault)}", host=place.host)
        return
    except OSError as fault:
        yield AWAY.found(f"{place.host}:{place.port}: {reach.words(fault)}", url=url)
        return
    if shown is not None and shown.days < ENDS_SOON and server.tls is None:
        yield ENDS.found(f"that of {place.host} in {shown.days:.0f} days, on {shown.until}")
    async for finding in _knock(patient, server, url):
        yield finding


async def _knock(patient: Patient, server: Server, url: str) -> AsyncIterator[Finding]:
    mark = secrets.token_hex(16)
    try:
        answer = await get(f"{url}?doctor={mark}")
    except (aiohttp.ClientError, OSError) as fault:
        yield OTHER.found(f"{url}: {reach.words(fault)}")
        return
    if answer.status != 405 or "not for GET" not in answer.body:
        yield OTHER.found(f"{url} answers {answer.status}, and not as the daemon does")
        return
    if patient.running is None:
        yield untried("public address", "a daemon answers there; whether it is this one, only that one could tell")
        return
    knock = (await patient.ask(f"/knocks/{mark}")).get("knock")
    if not isinstance(knock, dict):
        yield OTHER.found(f"another ami-planfix answers at {server.public_url}")
        return
    yield well("public address", f"{server.public_url} leads here")
    if knock.get("forwarded") and knock.get("address") == knock.get("peer"):
        proxy = str(knock.get("peer"))
        yield PROXY.found(f"a proxy at {proxy} passes requests on", proxy=proxy)


async def get(url: str, method: str = "GET") -> _Answer:
    """Ask for something small; raises aiohttp.ClientError, OSError."""
    timeout = aiohttp.ClientTimeout(total=reach.WITHIN)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.request(method, url, allow_redirects=False, ssl=ssl.create_default_context()) as answer,
    ):
        return _Answer(answer.status, (await answer.content.read(4096)).decode(errors="replace"))
