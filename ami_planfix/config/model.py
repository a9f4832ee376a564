"""Every section and key of the configuration; a field's description is its comment in config.example.yaml.

A value in `examples` stands in the sample file where the default alone would not explain the key. Keys
that hold a secret (`Secret`) may also be written `KEY_file`: see `source`.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from ami_planfix.config.alerting import Alerts
from ami_planfix.config.section import Days, Port, Seconds, Section
from ami_planfix.config.values import (
    Address,
    AreaCode,
    ChannelPattern,
    Country,
    Device,
    Extension,
    ExtensionPattern,
    FieldName,
    FilePath,
    Host,
    LinkTemplate,
    Listen,
    Network,
    NoExtension,
    NoNumber,
    Number,
    NumberPattern,
    Pattern,
    PhonePattern,
    Prefix,
    Records,
    Secret,
    StorageUrl,
    Text,
    TimeZone,
    WebUrl,
    Word,
)


class Ami(Section):
    """The connection to Asterisk (its manager interface, AMI)."""

    name: Word = Field("", description="Name of this PBX if there are several; it goes before every call's id.")
    host: Host = Field("127.0.0.1", description="Where Asterisk is.")
    port: Port = Field(5038, description="Asterisk's port: `port` in manager.conf, or `tlsbindaddr` with TLS.")
    username: Word = Field("ami-planfix", min_length=1, description="The section of manager.conf that is ours.")
    secret: Secret = Field(SecretStr(""), description="Its `secret`.")
    tls: bool = Field(False, description="Speak TLS with Asterisk (`tlsenable` in manager.conf).")
    ca: FilePath | None = Field(
        None,
        description="A file (PEM) with the certificate to trust, if this machine does not know Asterisk's.",
        examples=["/etc/asterisk/keys/ca.crt"],
    )
    timeout: Seconds = Field(10, description="Seconds that Asterisk may take to accept us and to answer.")
    silence: Seconds = Field(
        30, ge=2, description="Seconds without a sign of life after which the connection counts as dead."
    )


class Planfix(Section):
    """The account in Planfix. It fills in `url` and `token` itself when its integration is switched on."""

    url: WebUrl | None = Field(
        None, description="The address that Planfix shows.", examples=["https://company.planfix.com/tel/api"]
    )
    token: Secret = Field(SecretStr(""), description="The token that Planfix shows; we present it with every report.")
    canceled_status: Literal["Canceled", "Cancelled"] = Field(
        "Canceled",
        description="How Planfix spells it: its English documentation has one `l`, the Russian one two.",
    )
    hidden_number: Text = Field("anonymous", min_length=1, description="Sent as the number of a caller who hides it.")
    allowed_hosts: tuple[Host, ...] = Field(
        ("planfix.com", "planfix.ru"),
        description="Hosts that Planfix may name when it switches the integration on, with their subdomains.",
    )
    timeout: Seconds = Field(10, description="Seconds that Planfix may take to answer; then we try again.")


class Tls(Section):
    """A certificate of our own."""

    certificate: FilePath = Field(
        description="File (PEM) with the certificate and its chain; certbot's own are for root alone, the daemon needs "
        "a copy: docs/admin/nginx.md.",
        examples=["/etc/ami-planfix/fullchain.pem"],
    )
    private_key: FilePath = Field(
        description="File (PEM) with its key, which the daemon must be able to read too.",
        examples=["/etc/ami-planfix/privkey.pem"],
    )


class Server(Section):
    """What Planfix calls. Without this section calls are reported, but no clicks, no recordings."""

    listen: Listen = Field(Address("0.0.0.0", 8443), description="Address and port to listen on.")  # noqa: S104
    public_url: WebUrl = Field(
        description="How Planfix reaches it. The PBX address in Planfix is this with /planfix at its end.",
        examples=["https://pbx.example.com:8443"],
    )
    token: Secret = Field(
        min_length=16,
        description="A long random word of your own; paste the same into Planfix as the PBX token.",
    )
    tls: Tls | None = Field(
        None,
        description="Our certificate; not needed behind a proxy (nginx) that has one: see trusted_proxies.",
    )
    allow_from: tuple[Network, ...] = Field(
        (), description="Addresses that may call us; empty: all.", examples=[["192.0.2.0/24"]]
    )
    trusted_proxies: tuple[Network, ...] = Field(
        (), description="Proxies whose X-Forwarded-For we believe.", examples=[["127.0.0.1/32"]]
    )


class Admin(Section):
    """For you and this machine: the status page, health, metrics, callers' names, and the daemon's commands."""

    listen: Listen = Field(
        Address("127.0.0.1", 8093),
        description="The status page, /healthz, /readyz, /metrics, and /contact for the dialplan.",
    )
    password: Secret = Field(
        SecretStr(""),
        description="Asked for by the status page. Without one `listen` must be an address of this machine alone.",
    )
    tls: Tls | None = Field(None, description="A certificate for the page, if others than this machine reach it.")
    hosts: tuple[Host, ...] = Field(
        (),
        description="Names by which browsers reach the page (a proxy's, say); addresses and this machine's name do "
        "always.",
        examples=[["pbx.example.com"]],
    )
    socket: FilePath = Field(
        Path("/run/ami-planfix/control.sock"),
        description="Unix socket by which commands such as `ami-planfix calls` reach the daemon.",
    )
    group: Word = Field(
        "", description="Group whose members may use it, also the unit's SupplementaryGroups=; empty: the daemon's own."
    )


class Employee(Section):
    """What Asterisk does not tell about an employee."""

    extension: Extension = Field(description="The extension, as it stands in Planfix.", examples=["101"])
    devices: tuple[Device, ...] = Field(
        (),
        description="Further phones, whose names do not show whose they are.",
        examples=[["PJSIP/101-home"]],
    )
    mobiles: tuple[Number, ...] = Field(
        (), description="Mobile phones on which this employee takes calls.", examples=[["+79161234567"]]
    )
    report: bool = Field(True, description="`false`: nothing about this employee's calls goes to Planfix.")
    click: tuple[Device, ...] = Field(
        (),
        description="Phones that ring for this employee's clicks, in place of makecall.channel.",
        examples=[["PJSIP/101", "PJSIP/101-home"]],
    )
    shown: NoNumber = Field("", description="As makecall.shown, for this employee.", examples=["74951230001"])


class Numbering(Section):
    """Telephone numbers and extensions."""

    country: Country = Field("RU", description="Your country (ISO 3166); numbers without a country code belong to it.")
    area_code: AreaCode = Field(
        "", description="Your area code, for numbers of five to seven digits; empty: none.", examples=["495"]
    )
    extensions: ExtensionPattern = Field(
        r"\d{3,4}",
        description="Pattern (regular expression) of your extensions. Phones that Asterisk knows need none.",
    )
    default_extension: NoExtension = Field(
        "", description="For whom a call counts that reached nobody's phone; empty: nobody.", examples=["100"]
    )
    employees: tuple[Employee, ...] = Field((), description="Only those of whom there is something to say.")


class Trunk(Section):
    """A line to the outside or to another PBX."""

    channel: Device = Field(
        description="Its channels' name without the last hyphen and what follows.",
        examples=["PJSIP/provider"],
    )
    number: NoNumber = Field("", description="Its telephone number.", examples=["74951230000"])
    kind: Literal["provider", "internal", "ignore"] = Field(
        "provider",
        description="`provider`: the outside world; `internal`: your other PBX; `ignore`: not reported.",
    )
    data: dict[FieldName, Text] = Field(
        {}, description="As dids.data, for calls on this line.", examples=[{"utm_source": "leaflet"}]
    )
    strip: Prefix = Field("", description="Prefix that is dialled before the client's number on it.", examples=["9"])


class Did(Section):
    """One of your numbers that clients dial."""

    number: Number = Field(description="The number.", examples=["74951230001"])
    name: Text = Field("", description="What you call it.", examples=["Sales"])
    default_extension: NoExtension = Field(
        "", description="As numbering.default_extension, for this number.", examples=["101"]
    )
    report: bool = Field(True, description="`false`: nothing about calls to this number goes to Planfix.")
    prefix: Text = Field(
        "", description="Shown before the caller's name on the phone, if the dialplan asks.", examples=["Sales:"]
    )
    to_manager: bool = Field(
        True, description="`false`: the dialplan is never told to ring the manager for calls to this number."
    )
    data: dict[FieldName, Text] = Field(
        {}, description="Fields for the data tag of the call in Planfix.", examples=[{"utm_source": "site"}]
    )


class Ignore(Section):
    """What is not reported."""

    channels: tuple[ChannelPattern, ...] = Field(
        (), description="Channels, `*` stands for anything.", examples=[["PJSIP/doorphone"]]
    )
    callers: tuple[NumberPattern, ...] = Field(
        (), description="Outside numbers, `*` stands for anything.", examples=[["79031234567", "7800*"]]
    )


class Calls(Section):
    """How calls are reported."""

    transfers: Literal["last", "each"] = Field(
        "last",
        description="Who is credited with a transferred call: the `last` who talked, or `each`.",
    )
    missed: Literal["one", "each"] = Field(
        "one", description="A call that several phones missed is `one` missed call, or one for `each`."
    )
    attributes: tuple[Literal["queue", "waiting", "hangup", "ivr"], ...] = Field(
        (),
        description="Sent with a call's end for its data tag: its queue, the seconds until an answer, who hung up, "
        "what the client chose in menus.",
        examples=[["queue", "waiting", "hangup", "ivr"]],
    )
    timeline_days: Days = Field(14, description="Days for which `ami-planfix explain` can tell about a call.")


class Dial(Section):
    """How the dialplan wants numbers."""

    national: Pattern = Field(
        "{number}",
        description="Numbers of numbering.country. With a prefix the country code is left off: '8{number}'.",
    )
    international: Pattern = Field("{number}", description="All other numbers, for example '810{number}'.")


class MakeCall(Section):
    """Clicks on a number in Planfix."""

    channel: PhonePattern = Field(
        "PJSIP/{extension}", description="The phone that rings; {extension} is the employee's."
    )
    together: bool = Field(
        False,
        description="An employee's several phones ring at once: needs asterisk/extensions-planfix.conf. `false`: the "
        "first that is free.",
    )
    caller_id: Literal["auto", "client", "extension"] = Field(
        "auto",
        description="Whose number that phone shows: the `client`'s or, as FreePBX needs it, its own `extension`; "
        "`auto`: the extension for Local/...@originate-skipvm.",
    )
    context: Word = Field("from-internal", min_length=1, description="The context that dials the client then.")
    shown: NoNumber = Field(
        "",
        description="Number shown to the client; the dialplan has it in PLANFIX_SHOWN. Empty: as the dialplan does.",
        examples=["74951230000"],
    )
    timeout: Seconds = Field(30, ge=1, le=600, description="Seconds for which the employee's phone rings.")
    auto_answer: bool = Field(False, description="Ask the employee's phone to answer by itself.")
    dial: Dial = Field(Dial(), description="How the dialplan wants numbers.")
    countries: tuple[Country, ...] = Field(
        ("RU",),
        description="Countries that may be dialled. Left out: numbering.country alone.",
    )
    per_minute: int = Field(10, ge=1, le=10000, description="Not more clicks than this a minute, of all together.")


class Contacts(Section):
    """Names of callers and their managers, asked of Planfix by the dialplan: see docs/admin/contacts.md."""

    timeout: Annotated[float, Field(gt=0, le=30, allow_inf_nan=False)] = Field(
        1.5, description="Seconds that a caller waits for it at most."
    )
    cache: Annotated[int, Field(ge=0, le=86400)] = Field(300, description="Seconds for which an answer is kept.")
    at_once: Annotated[int, Field(ge=1, le=100)] = Field(10, description="Planfix is asked for so many at once.")
    fastagi: Listen = Field(Address("127.0.0.1", 4583), description="Where the dialplan asks (FastAGI).")
    hints: Word = Field(
        "from-internal",
        min_length=1,
        description="The context with the hints that tell whether a manager's phone is free.",
    )
    name_length: Annotated[int, Field(ge=8, le=79)] = Field(40, description="Characters of a name that phones show.")
    transliterate: bool = Field(False, description="Write names in Latin letters, for phones without Cyrillic ones.")


class Recordings(Section):
    """Recorded calls."""

    directory: FilePath = Field(
        Path("/var/spool/asterisk/monitor"), description="Where they are, seen from this machine."
    )
    asterisk_directory: FilePath = Field(
        Path("/var/spool/asterisk/monitor"), description="The same, as Asterisk names it."
    )
    archives: tuple[FilePath, ...] = Field(
        (),
        description="Folders into which recordings are moved later: links go on working.",
        examples=[["/srv/archive"]],
    )
    format: Literal["mp3", "original"] = Field(
        "mp3", description="What Planfix gets: `mp3`, made by ffmpeg or sox where there is one, or the `original`."
    )
    converter: Literal["auto", "ffmpeg", "sox"] = Field("auto", description="The program that makes mp3; `auto`: any.")
    cache: FilePath = Field(
        Path("/var/cache/ami-planfix/recordings"), description="Where converted recordings are kept for a while."
    )
    cache_days: Days = Field(30, description="Days for which they are kept; they are made anew when asked for.")
    cache_megabytes: Annotated[int, Field(ge=10, le=10_000_000)] = Field(2000, description="Not more than this.")
    link: Literal["record", "completed"] = Field(
        "record",
        description="When Planfix gets the link: when the file is whole (`record`), or with the end of the call.",
    )
    link_days: Annotated[int, Field(ge=0, le=3650)] = Field(
        0, description="Days for which a link works, so that Planfix must download at once; 0: for ever."
    )
    settle: Seconds = Field(
        5, description="Seconds without a change after which a file counts as whole that does not say so itself."
    )
    patience: Annotated[int, Field(ge=1, le=336)] = Field(
        24, description="Hours after which a recording that does not appear is given up."
    )
    downloads: Annotated[int, Field(ge=1, le=200)] = Field(20, description="Not more downloads than this at once.")
    url: LinkTemplate = Field(
        "",
        description="If another web server or archive has the files: their address there. Not looked at by us.",
        examples=["https://records.example.com/{path}"],
    )
    url_after: Annotated[float, Field(ge=0, le=86400)] = Field(
        10, description="With `url`: seconds after the end of the call until Planfix gets the address."
    )


class Delivery(Section):
    """The way of reports to Planfix."""

    history: Literal["opened", "completed"] = Field(
        "opened",
        description="Of a call that Planfix missed while away: beginning and end, or the end (`completed`).",
    )
    popup_max_age: Seconds = Field(60, description="Seconds after which it is too late for a popup.")
    retention_days: Days = Field(30, description="Days for which delivered and refused reports are kept.")


class Storage(Section):
    """Where reports wait until Planfix has taken them."""

    url: StorageUrl = Field(
        SecretStr("sqlite:////var/lib/ami-planfix/state.db"),
        description="A file: sqlite:////PATH, or a server: postgresql://USER:PASSWORD@HOST/DATABASE.",
    )
    durable: bool = Field(False, description="Lose nothing in a power cut either; every report waits for the disk.")


class Backfill(Section):
    """Calls that nobody heard of, from Asterisk's own records: see docs/admin/backfill.md. Left out: none are read."""

    cel: Records = Field(
        SecretStr(""),
        description="Its channel events (CEL), which tell all: as `cdr`. Empty: CDR alone.",
        examples=["mysql://freepbxuser:PASSWORD@localhost/asteriskcdrdb"],
    )
    cdr: Records = Field(
        SecretStr(""),
        description="Its call records (CDR): mysql://..., postgresql://..., sqlite:////PATH, or a Master.csv's path.",
        examples=["mysql://freepbxuser:PASSWORD@localhost/asteriskcdrdb"],
    )
    cel_table: Word = Field("cel", min_length=1, description="The table of channel events, in a database.")
    cdr_table: Word = Field("cdr", min_length=1, description="The table of call records, in a database.")
    timezone: TimeZone = Field(
        "", description="The zone of their times: Europe/Moscow, UTC; empty: that of this machine.", examples=["UTC"]
    )
    hours: Annotated[int, Field(ge=1, le=720)] = Field(24, description="Not further back than this.")


class Log(Section):
    """What is written to the log."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="From which importance on.")
    format: Literal["auto", "json", "text"] = Field(
        "auto", description="`json`, `text`, or `auto`: text in a terminal, else JSON."
    )


class Config(Section):
    """The whole file."""

    ami: Ami = Ami()
    planfix: Planfix = Planfix()
    server: Server | None = None
    admin: Admin = Admin()
    numbering: Numbering = Numbering()
    trunks: tuple[Trunk, ...] = ()
    dids: tuple[Did, ...] = ()
    ignore: Ignore = Ignore()
    calls: Calls = Calls()
    makecall: MakeCall = MakeCall()
    contacts: Contacts = Contacts()
    recordings: Recordings = Recordings()
    delivery: Delivery = Delivery()
    backfill: Backfill = Backfill()
    storage: Storage = Storage()
    alerts: Alerts = Alerts()
    log: Log = Log()

    @model_validator(mode="after")
    def _dial_home(self) -> "Config":
        # Whoever names another country and no `countries` may dial home, not Russia.
        if "countries" not in self.makecall.model_fields_set:
            home = self.makecall.model_copy(update={"countries": (self.numbering.country,)})
            object.__setattr__(self, "makecall", home)
        return self
