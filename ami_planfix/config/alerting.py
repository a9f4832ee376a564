"""The section `alerts`: whom the daemon tells when something is wrong."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from ami_planfix.config.section import Port, Seconds, Section
from ami_planfix.config.values import FieldName, FilePath, HookUrl, Host, MailAddress, MailAddresses, Secret, Text

Patience = Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)]


class Webhook(Section):
    """An address that gets each alert as JSON (POST): a messenger's bot, another program of yours."""

    url: HookUrl = Field(
        description="Where to; a secret, since most have one in them.",
        examples=["https://api.telegram.org/bot123456:SECRET/sendMessage"],
    )
    body: dict[FieldName, Secret] = Field(
        {},
        description="The JSON object that goes there; {text}, {subject}, {event} and more are filled in: "
        "docs/admin/alerts.md. Left out: all of them.",
        examples=[{"chat_id": "-1001234567890", "text": "{text}"}],
    )
    token: Secret = Field(SecretStr(""), description="Sent as `Authorization: Bearer ...`, if it is asked for.")
    timeout: Patience = Field(10, description="Seconds that it may take to answer; then we try again.")


class Mail(Section):
    """A mail server that takes mail from us."""

    host: Host = Field("127.0.0.1", description="Its name.", examples=["smtp.example.com"])
    port: Port = Field(
        587, description="Its port: 587 with `starttls`, 465 with `tls`, 25 for a mail server on this machine."
    )
    tls: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the way there is encrypted; `none`: not at all, then without a password."
    )
    ca: FilePath | None = Field(
        None,
        description="A file (PEM) with the certificate to trust, if this machine does not know the server's.",
        examples=["/etc/ssl/certs/mail-server.pem"],
    )
    username: Text = Field("", description="Who we are there; empty: it does not ask.")
    password: Secret = Field(SecretStr(""), description="The password that belongs to it.")
    sender: MailAddress = Field(description="From whom it comes.", examples=["pbx@example.com"])
    to: MailAddresses = Field(description="Who gets it.", examples=[["admin@example.com"]])
    timeout: Patience = Field(20, description="Seconds that sending may take; then we try again.")


class Alerts(Section):
    """What you are told when something stays wrong, once, and once when it is over; the log has it anyway."""

    after: Seconds = Field(120, description="Seconds for which something must be wrong, or well again, to be told.")
    outbox_age: Seconds = Field(600, description="Reports that have waited for longer are something wrong.")
    language: Literal["en", "ru"] = Field("en", description="The language of what you are told.")
    webhook: Webhook | None = Field(None, description="An address that is told (HTTP).")
    mail: Mail | None = Field(None, description="Mail.")
