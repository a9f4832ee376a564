"""Alerts: whether the ways by which people are told are open; nobody is told anything."""

import ssl
from collections.abc import AsyncIterator

from ami_planfix.alerts.mail import Mail
from ami_planfix.doctor import reach
from ami_planfix.doctor.finding import Fault, Finding, untried, well
from ami_planfix.doctor.patient import Patient
from ami_planfix.doctor.reach import Place
from ami_planfix.errors import AlertNotSent

WEBHOOK_AWAY = Fault(
    "webhook-away",
    "webhook",
    "the host of `alerts.webhook.url` cannot be reached",
    "let the firewall pass the way to {host}; where it is blocked altogether: the address of a proxy of yours",
)
WEBHOOK_TLS = Fault(
    "webhook-tls",
    "webhook",
    "its certificate is not trusted: nobody is told anything",
    "the right name in `alerts.webhook.url`; install `ca-certificates`; a proxy that opens TLS must let {host} pass",
)
MAIL_AWAY = Fault(
    "mail-away",
    "mail",
    "the mail server cannot be reached",
    "look at `alerts.mail.host` and `port`; let the firewall pass; many networks block port 25, few 587 and 465",
)
MAIL_TLS = Fault(
    "mail-tls",
    "mail",
    "its encryption is another, or its certificate is not trusted",
    "587 with `tls: starttls`, 465 with `tls: tls`; the name that is in its certificate as `alerts.mail.host`; an "
    "authority of your own in `ca`",
)
MAIL_LOGIN = Fault(
    "mail-login",
    "mail",
    "it refuses our user name or password",
    "correct `alerts.mail.username` and `password`; many providers want a password made for programs",
)
MAIL_REFUSED = Fault(
    "mail-refused",
    "mail",
    "it takes no mail from this sender, or for one of these people",
    "its words say why; often `sender` must be the mailbox of `username`",
)
_MAIL = {"reach": MAIL_AWAY, "tls": MAIL_TLS, "login": MAIL_LOGIN, "refused": MAIL_REFUSED}


async def webhook(patient: Patient) -> AsyncIterator[Finding]:
    """Go to the host of the address; whether it takes anything only `alerts test` can tell."""
    section = patient.config.alerts
    if section.webhook is None:
        if section.mail is None:
            yield untried("alerts", "nobody is told when something is wrong: `alerts.webhook`, `alerts.mail`")
        return
    place = Place.of(section.webhook.url.get_secret_value())
    try:
        await reach.connect(place)
    except ssl.SSLError as fault:
        yield WEBHOOK_TLS.found(f"{place.host}: {reach.words(fault)}", host=place.host)
    except OSError as fault:
        yield WEBHOOK_AWAY.found(f"{place.host}:{place.port}: {reach.words(fault)}", host=place.host)
    else:
        yield well("webhook", f"{place.host} is reached; `ami-planfix alerts test` shows whether it takes what we tell")


async def mail(patient: Patient) -> AsyncIterator[Finding]:
    """Go as far as one can without sending a mail."""
    section = patient.config.alerts.mail
    if section is None:
        return
    try:
        yield well("mail", await Mail(section).probe())
    except AlertNotSent as fault:
        yield _MAIL[fault.step].found(str(fault))
