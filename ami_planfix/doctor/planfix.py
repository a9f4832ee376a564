"""Planfix: name, connection, certificate, tokens, addresses, its last command, reports."""

import hmac
import ssl
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from ami_planfix.doctor import reach
from ami_planfix.doctor.finding import Fault, Finding, Sign, Untried, untried, well
from ami_planfix.doctor.patient import Patient
from ami_planfix.doctor.reach import Place
from ami_planfix.errors import PlanfixError, StorageError, TokenRefused
from ami_planfix.planfix.account import Credentials, find_credentials
from ami_planfix.planfix.api import PlanfixApi
from ami_planfix.planfix.messages import Ping

UNSET = Fault(
    "planfix-unset",
    "account",
    "its address and token are not known",
    "switch the integration on in Planfix, or give `planfix.url` and `planfix.token`; reports are kept until then",
)
DNS = Fault(
    "planfix-dns",
    "name",
    "the name of Planfix's host is not found",
    "look at `planfix.url`, and at this machine's DNS: `getent hosts {host}`",
)
AWAY = Fault(
    "planfix-away",
    "connection",
    "Planfix cannot be reached",
    "let the firewall pass HTTPS to {host}; `curl -v {url}` shows how far it comes",
)
TLS = Fault(
    "planfix-tls",
    "certificate",
    "Planfix's certificate is not trusted",
    "install `ca-certificates`, set the clock; a proxy that opens TLS must let {host} pass",
)
TOKEN = Fault(
    "planfix-token",
    "token",
    "Planfix does not know our token: nothing is taken",
    "switch the integration off and on in Planfix, or copy its token into `planfix.token`",
)
URL = Fault(
    "planfix-url",
    "ping",
    "what answers at that address is not Planfix's interface for telephony, or is in trouble",
    "copy the address that Planfix shows into `planfix.url`, or take it out and switch the integration on anew",
)
OTHER_TOKEN = Fault(
    "planfix-pbx-token",
    "token of the PBX",
    "Planfix has another one: every click ends in 401",
    "paste the value of `server.token` into Planfix as the token of the PBX",
)
OTHER_ADDRESS = Fault(
    "planfix-pbx-url",
    "address of the PBX",
    "Planfix has another one: clicks may not arrive",
    "put {ours} into Planfix as the address of the PBX, or correct `server.public_url`",
)
CLOCK = Fault(
    "clock",
    "clock",
    "this machine's clock is not Planfix's",
    "let NTP set it: `timedatectl set-ntp true`; times of calls, certificates and expiring links depend on it",
    Sign.WARNING,
)
REFUSED_COMMAND = Fault(
    "planfix-command-refused",
    "last command",
    "the last command from outside was refused",
    "401: paste `server.token` into Planfix as the token of the PBX; 403: `server.allow_from`; else the reason says "
    "what to do. An address that is not Planfix's: somebody guesses, and nothing is to be done",
    Sign.WARNING,
)
REPORTS_REFUSED = Fault(
    "reports-refused",
    "reports",
    "Planfix refused reports",
    "`ami-planfix deliveries` has its words; when mended, `ami-planfix deliveries retry --all`, or `drop --all`",
    Sign.WARNING,
)
REPORTS_WAIT = Fault(
    "reports-wait",
    "reports",
    "reports have waited for Planfix for minutes",
    "what stands here about Planfix; when it is mended they are sent by themselves, none is lost",
    Sign.WARNING,
)

APART = 30.0
"""Seconds that Planfix's clock, which tells whole ones, may be from ours."""
LATE = 300.0
"""Seconds after which a report that waits is worth a word."""


async def account(patient: Patient) -> AsyncIterator[Finding]:
    """See whether url and token are known, and go there."""
    known = await _credentials(patient)
    if known is None:
        yield UNSET.found("neither in the configuration nor brought by Planfix")
        return
    place = Place.of(known.url)
    try:
        await reach.resolve(place)
    except OSError as fault:
        yield DNS.found(f"{place.host}: {reach.words(fault)}", host=place.host)
        return
    try:
        certificate = await reach.connect(place)
    except ssl.SSLError as fault:
        yield TLS.found(f"{place.host}: {reach.words(fault)}", host=place.host)
        return
    except OSError as fault:
        yield AWAY.found(f"{place.host}:{place.port}: {reach.words(fault)}", host=place.host, url=known.url)
        return
    yield well("connection", f"{place.host}{f', certificate until {certificate.until}' if certificate else ''}")
    async for finding in _ping(patient, known):
        yield finding


async def _ping(patient: Patient, known: Credentials) -> AsyncIterator[Finding]:
    api = PlanfixApi(lambda: known, timeout=reach.WITHIN)
    try:
        told = await api.ping()
    except TokenRefused as fault:
        yield TOKEN.found(str(fault).partition("; ")[0])
    except PlanfixError as fault:
        yield URL.found(str(fault))
    else:
        yield well("ping", "Planfix takes our token")
        for finding in _compare(patient, told):
            yield finding
    finally:
        await api.close()


def _compare(patient: Patient, told: Ping) -> list[Finding]:
    server = patient.config.server
    if server is None:
        return []
    if not told.pbx_token and not told.pbx_url:
        return [untried("address of the PBX", "Planfix does not say what it has")]
    ours = f"{server.public_url}/planfix"
    findings = []
    if not told.pbx_token:
        findings.append(untried("token of the PBX", "Planfix does not say which it has"))
    elif hmac.compare_digest(told.pbx_token.encode(), server.token.get_secret_value().encode()):
        findings.append(well("token of the PBX", "Planfix has ours"))
    else:
        findings.append(OTHER_TOKEN.found("Planfix has another one than `server.token`"))
    if told.pbx_url.rstrip("/") == ours:
        findings.append(well("address of the PBX", f"Planfix has {ours}"))
    else:
        findings.append(OTHER_ADDRESS.found(f"Planfix has {told.pbx_url[:200] or 'none'}, ours is {ours}", ours=ours))
    return findings


async def clock(patient: Patient) -> AsyncIterator[Finding]:
    """Compare Planfix's clock with ours."""
    known = await _credentials(patient)
    if known is None:
        raise Untried("Planfix's address is not known")
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=reach.WITHIN)) as session,
            session.head(known.url, allow_redirects=False) as answer,
        ):
            apart = parsedate_to_datetime(answer.headers.get("Date", "")).timestamp() - time.time()
    except (aiohttp.ClientError, OSError, ValueError) as fault:
        raise Untried(f"Planfix does not tell its time: {reach.words(fault)}") from fault
    if abs(apart) > APART:
        yield CLOCK.found(f"Planfix's is {abs(apart):.0f} s {'ahead' if apart > 0 else 'behind'}")
    else:
        yield well("clock", "as Planfix's")


async def last_command(patient: Patient) -> AsyncIterator[Finding]:
    """Tell when Planfix last called us, from where, with what result."""
    if patient.config.server is None:
        raise Untried("there is no section `server`: Planfix cannot call")
    running = patient.daemon()
    last, known = running.called, running.called_with_token
    since = _clock_time(running.since)
    if last is None:
        yield untried(
            "last command", f"none since the daemon began, {since}", "click on a number, or switch the integration on"
        )
        return
    if known is not None and known.status == 200:
        yield well("last command", f"{known.command} from {known.address}, {_clock_time(known.at)}: taken")
    if last.status != 200:
        name = last.command or "a command"
        yield REFUSED_COMMAND.found(f"{name} from {last.address}, {_clock_time(last.at)}: {last.status}, {last.reason}")


async def reports(patient: Patient) -> AsyncIterator[Finding]:
    """Tell what waits and what was refused."""
    answer = await patient.ask("/deliveries?limit=1")
    counts = answer.get("counts")
    numbers = counts if isinstance(counts, dict) else {}
    dead, waiting = int(numbers.get("dead", 0)), int(numbers.get("waiting", 0))
    oldest = answer.get("oldest_waiting")
    age = time.time() - oldest if isinstance(oldest, int | float) else 0.0
    if dead:
        yield REPORTS_REFUSED.found(f"{dead} refused")
    if age > LATE:
        yield REPORTS_WAIT.found(f"{waiting} waiting, the oldest for {age / 60:.0f} minutes")
    if not dead and age <= LATE:
        yield well("reports", f"{numbers.get('delivered', 0)} delivered, {waiting} waiting, none refused")


async def _credentials(patient: Patient) -> Credentials | None:
    try:
        config = patient.config
        return await find_credentials(config.planfix, config.storage.url.get_secret_value(), config.ami.name)
    except StorageError as fault:
        raise Untried(f"what `setup` brought cannot be read (run doctor with sudo): {fault}") from fault


def _clock_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
