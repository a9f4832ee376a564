"""The kinds of values that an administrator writes: addresses, URLs, numbers, secrets."""

import re
import time
from ipaddress import ip_address, ip_network
from itertools import product
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import phonenumbers
from pydantic import AfterValidator, PlainValidator, SecretStr, ValidationInfo

LONGEST_EXTENSION = 32
"""Characters."""
_TOO_LONG = 0.05
"""Seconds of computing for one match; an ordinary one takes a millionth."""


class NotAllowedError(ValueError):
    """A value that is not allowed; says what is (`allowed`), and what was perhaps meant (`instead`)."""

    def __init__(self, allowed: str, instead: str = "") -> None:
        super().__init__(allowed)
        self.allowed = allowed
        self.instead = instead


class Address(NamedTuple):
    """Where to listen; port 0 lets the kernel choose one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Tell whether only this machine reaches it."""
        return is_loopback(self.host)

    @property
    def is_everywhere(self) -> bool:
        """Tell whether it stands for all addresses of this machine."""
        return self.host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine itself, by its name or address alone."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _address(value: object) -> Address:
    if isinstance(value, Address):
        return value
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})", str(value), re.ASCII)
    if not match or int(match[3]) > 65535:
        raise NotAllowedError("HOST:PORT, such as 127.0.0.1:8093 or [::1]:8093")
    return Address(match[1] or match[2], int(match[3]))


def _network(value: str) -> str:
    try:
        return str(ip_network(value))
    except ValueError:
        try:
            instead = str(ip_network(value, strict=False))
        except ValueError:
            instead = ""
        raise NotAllowedError("an address or a network, such as 192.0.2.7 or 192.0.2.0/24", instead) from None


def _web_url(value: str) -> str:
    allowed = "https://HOST/..., without user, query and #; http:// only for this machine itself"
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise NotAllowedError(allowed) from None
    plain = parts.scheme == "http" and is_loopback(host)
    extra = parts.username or parts.password or parts.query or parts.fragment
    if not host or extra or not (parts.scheme == "https" or plain) or re.search(r"[\s\x00-\x1f\x7f\\]", value):
        instead = "https" + value[4:] if parts.scheme == "http" and host and not extra else ""
        raise NotAllowedError(allowed, instead)
    return value.rstrip("/")


def _hook_url(value: SecretStr) -> SecretStr:
    allowed = "https://HOST/...; http:// only to an address of your own network"
    url = value.get_secret_value()
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise NotAllowedError(allowed) from None
    safe = parts.scheme == "https" or (parts.scheme == "http" and _is_near(host))
    if not host or not safe or parts.username or parts.password or re.search(r"[\s\\#]", url) or not url.isascii():
        raise NotAllowedError(allowed)
    return value


def _is_near(host: str) -> bool:
    try:
        return is_loopback(host) or ip_address(host).is_private
    except ValueError:
        return False


def _storage_url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    if not re.match(r"sqlite:////[^/]|postgresql://[^/]", url):
        raise NotAllowedError("sqlite:////ABSOLUTE/PATH (four strokes) or postgresql://USER:PASSWORD@HOST/DATABASE")
    return value


def _records(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if text and not re.match(r"/[^/]|sqlite:////[^/]|(?:mysql|mariadb|postgresql)://[^/]", text):
        raise NotAllowedError(
            "mysql://USER:PASSWORD@HOST/DATABASE, postgresql://..., sqlite:////ABSOLUTE/PATH, or the absolute path of "
            "a Master.csv"
        )
    return value


def _time_zone(value: str) -> str:
    if value and value != "UTC" and value not in available_timezones():
        raise NotAllowedError("a time zone such as Europe/Moscow or UTC; '' is that of this machine")
    return value


def _secret(value: SecretStr) -> SecretStr:
    # A line's end in a secret would begin a new AMI header or HTTP field.
    if not value.get_secret_value().isprintable():
        raise NotAllowedError("one line of printable characters")
    return value


def _country(value: str) -> str:
    if value not in phonenumbers.SUPPORTED_REGIONS:
        instead = value.upper() if value.upper() in phonenumbers.SUPPORTED_REGIONS else ""
        raise NotAllowedError("two capital letters of ISO 3166, such as RU, BY, KZ, UA, DE, US", instead)
    return value


def _extensions(value: str) -> str:
    try:
        pattern = re.compile(value, re.ASCII)
    except re.error as error:
        raise NotAllowedError(f"a regular expression, such as \\d{{3,4}} ({error})") from None
    if pattern.fullmatch("") or pattern.fullmatch("79101234567"):
        raise NotAllowedError("a regular expression for your extensions alone: it must not match telephone numbers")
    if _may_hang(pattern):
        raise NotAllowedError("a regular expression without repetitions of repetitions, such as (\\d+)+: it may hang")
    return value


def _may_hang(pattern: re.Pattern[str]) -> bool:
    """Tell whether one digit over and over, perhaps behind another, keeps a pattern busy: callers may send that."""
    digits = sorted({*filter(str.isalnum, pattern.pattern), "0", "a"})
    for length in range(1, LONGEST_EXTENSION):
        for first, digit in product(("", *digits), digits):
            begun = time.thread_time()
            pattern.fullmatch(f"{first}{digit * length}!"[:LONGEST_EXTENSION])
            if time.thread_time() - begun > _TOO_LONG:
                return True
    return False


def _path(value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        raise NotAllowedError("a path")
    # A relative path is relative to the configuration file, wherever the daemon was started.
    folder = (info.context or {}).get("folder")
    return folder / value if isinstance(folder, Path) else Path(value)


def _not_empty(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise NotAllowedError("at least one")
    return value


def _matching(pattern: str, allowed: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value, re.ASCII):
            raise NotAllowedError(allowed)
        return value

    return AfterValidator(check)


def _template(allowed: str) -> AfterValidator:
    def check(value: str) -> str:
        # Nothing that ends a line, an argument of the dialplan, or names another placeholder.
        prefix, _, suffix = value.partition(allowed)
        if allowed not in value or not re.fullmatch(r"[A-Za-z0-9_./@*#+-]*", prefix + suffix):
            raise NotAllowedError(f"a text with {allowed} in it, such as {allowed}")
        return value

    return AfterValidator(check)


def _link_template(value: str) -> str:
    allowed = "https://HOST/... with {path}, {name} or {callid} in it, and {year}, {month}, {day} as needed"
    placeholders = ("path", "name", "callid", "year", "month", "day")
    if not value:
        return value
    filled = value
    for name in placeholders:
        filled = filled.replace(f"{{{name}}}", "x")
    identified = any(f"{{{name}}}" in value for name in placeholders[:3])
    if (
        not identified
        or not re.fullmatch(r"https?://[A-Za-z0-9_.:\[\]-]+/[!-z|~]*", filled, re.ASCII)
        or "\\" in filled
    ):
        raise NotAllowedError(allowed)
    return value


Listen = Annotated[Address, PlainValidator(_address)]
Network = Annotated[str, AfterValidator(_network)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
LinkTemplate = Annotated[str, AfterValidator(_link_template)]
Secret = Annotated[SecretStr, AfterValidator(_secret)]
HookUrl = Annotated[SecretStr, AfterValidator(_secret), AfterValidator(_hook_url)]
StorageUrl = Annotated[SecretStr, AfterValidator(_secret), AfterValidator(_storage_url)]
Records = Annotated[SecretStr, AfterValidator(_secret), AfterValidator(_records)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Country = Annotated[str, AfterValidator(_country)]
ExtensionPattern = Annotated[str, AfterValidator(_extensions)]
FilePath = Annotated[Path, PlainValidator(_path)]
Word = Annotated[str, _matching(r"[A-Za-z0-9_.-]{0,64}", "letters, digits, _ . - (64 at most)")]
Text = Annotated[str, _matching(r"[^\x00-\x1f\x7f]{0,200}", "one line of text")]
MailAddress = Annotated[
    str, _matching(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}", "a mail address: name@example.com")
]
MailAddresses = Annotated[tuple[MailAddress, ...], AfterValidator(_not_empty)]
Host = Annotated[str, _matching(r"[A-Za-z0-9_.:-]{1,253}", "a host name or an address")]
Extension = Annotated[str, _matching(r"[0-9A-Za-z_*#-]{1,32}", "an extension, such as 101")]
NoExtension = Annotated[str, _matching(r"[0-9A-Za-z_*#-]{0,32}", "an extension, such as 101, or ''")]
Device = Annotated[str, _matching(r"[A-Za-z][A-Za-z0-9_]*/[^\s,&;|/][^\s,&;|]*", "TECHNOLOGY/NAME, such as PJSIP/101")]
ChannelPattern = Annotated[
    str,
    _matching(r"[A-Za-z*][A-Za-z0-9_*]*(?:/[^\s,&|]+)?", "TECHNOLOGY/NAME, such as PJSIP/anonymous; * is anything"),
]
Number = Annotated[str, _matching(r"(?=.*[0-9])\+?[0-9 ().-]{2,30}", "a telephone number, such as '74951230000'")]
NoNumber = Annotated[
    str, _matching(r"(?:(?=.*[0-9])\+?[0-9 ().-]{2,30})?", "a telephone number, such as '74951230000', or ''")
]
NumberPattern = Annotated[
    str, _matching(r"\+?[0-9 ().*-]{1,30}", "a telephone number; * is anything: '79031234567', '7800*'")
]
Prefix = Annotated[str, _matching(r"[0-9*#+]{0,16}", "digits that are dialled before the number, or ''")]
AreaCode = Annotated[str, _matching(r"[0-9]{0,6}", "the digits of your area code, such as '495', or ''")]
Pattern = Annotated[str, _template("{number}")]
PhonePattern = Annotated[str, _template("{extension}")]
FieldName = Annotated[str, _matching(r"[A-Za-z0-9_]{1,64}", "letters, digits and _")]
