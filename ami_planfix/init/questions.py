"""What is asked: each question with a reason, a proposal, and what it may be answered with."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from ami_planfix.config.model import Did, Numbering, Recordings, Server, Trunk
from ami_planfix.config.values import NotAllowedError
from ami_planfix.init.endpoints import Line, is_number
from ami_planfix.init.surroundings import Surroundings

PROXY = "proxy"
NONE = "none"


class Answers(dict[str, str]):
    """What was answered, by the names of the questions; `''` for none."""

    @property
    def public_url(self) -> str:
        """Tell the public address, `''` if there is none."""
        return self["public_url"].rstrip("/")

    @property
    def lines(self) -> list[Line]:
        """Tell the lines and their numbers."""
        return _lines(self["trunks"])


@dataclass(frozen=True, slots=True)
class Question:
    """One of them."""

    name: str
    text: str
    why: str
    propose: Callable[[Surroundings, Answers], str]
    check: Callable[[str, Answers], object]
    """Raises ValueError."""
    needed: Callable[[Answers], bool] = lambda _: True

    @property
    def option(self) -> str:
        """Tell its option."""
        return "--" + self.name.replace("_", "-")


def read(text: str) -> str:
    """Read what somebody has typed."""
    return "" if text.strip().lower() == NONE else text.strip()


def complaint(question: Question, answer: str, before: Answers) -> str:
    """Tell what is wrong with an answer after those before it; `''` if nothing is."""
    try:
        question.check(answer, before)
    except ValidationError as fault:
        context = fault.errors()[0].get("ctx", {}).get("error")
        return context.allowed if isinstance(context, NotAllowedError) else str(fault.errors()[0]["msg"])
    except ValueError as fault:
        return str(fault)
    return ""


def _field(model: type, name: str) -> Callable[..., object]:
    field = model.model_fields[name]  # type: ignore[attr-defined]
    adapter: TypeAdapter[object] = TypeAdapter(field.rebuild_annotation())
    return lambda text, _before=None: adapter.validate_python(text)


def _public_url(text: str, _: Answers) -> None:
    if text:
        _field(Server, "public_url")(text)
        if urlsplit(text).path.strip("/"):
            raise ValueError("https://HOST:PORT, without a path: /planfix is added")


def _certificate(text: str, _: Answers) -> None:
    if text != PROXY and not text.startswith("/"):
        raise ValueError(f"the path of a file with the certificate and its chain, or `{PROXY}`")


def _key(text: str, _: Answers) -> None:
    if not text.startswith("/"):
        raise ValueError("the path of the file with its key")


def _extension(text: str, before: Answers) -> None:
    _field(Numbering, "default_extension")(text)
    if text and not re.fullmatch(before["extensions"], text, re.ASCII):
        raise ValueError(f"an extension, as {before['extensions']} says, or `{NONE}`")


def _lines(text: str, _: Answers | None = None) -> list[Line]:
    found = []
    for item in filter(None, re.split(r"[\s,;]+", text)):
        channel, _, number = item.partition("=")
        _field(Trunk, "channel")(channel)
        if number:
            _field(Did, "number")(number)
        found.append(Line(channel, number))
    return found


def _propose_url(around: Surroundings, _: Answers) -> str:
    host = around.certificate.name if around.certificate is not None else around.host
    return f"https://{host}:{around.server_port}" if host else ""


def _propose_certificate(around: Surroundings, _: Answers) -> str:
    return around.certificate.chain if around.certificate is not None else PROXY


def _propose_key(around: Surroundings, answers: Answers) -> str:
    known = around.certificate
    if known is not None and answers["certificate"] == known.chain:
        return known.key
    return answers["certificate"].replace("fullchain.pem", "privkey.pem")


def _propose_extensions(around: Surroundings, _: Answers) -> str:
    names = [phone.name for phone in around.asterisk.endpoints.phones] if around.asterisk is not None else []
    lengths = sorted({len(name) for name in names if name.isascii() and name.isdigit() and not is_number(name)})
    lengths = [length for length in lengths if 2 <= length <= 6]
    if not lengths:
        return r"\d{3,4}"
    return rf"\d{{{lengths[0]}}}" if len(lengths) == 1 else rf"\d{{{lengths[0]},{lengths[-1]}}}"


def _propose_default(around: Surroundings, answers: Answers) -> str:
    names = [phone.name for phone in around.asterisk.endpoints.phones] if around.asterisk is not None else []
    fitting = (name for name in names if re.fullmatch(answers["extensions"], name, re.ASCII))
    return min(fitting, key=lambda name: (len(name), name), default="")


def _propose_lines(around: Surroundings, _: Answers) -> str:
    lines = around.asterisk.endpoints.lines if around.asterisk is not None else ()
    return ", ".join(f"{line.channel}={line.number}" if line.number else line.channel for line in lines)


def _propose_prefix(around: Surroundings, prefix: str) -> str:
    """Propose a prefix only if the dialplan has a pattern that begins so."""
    asterisk = around.asterisk
    if asterisk is None:
        return "{number}"
    text = around.machine.read(f"{asterisk.etc}/extensions.conf")
    return f"{prefix}{{number}}" if re.search(rf"_{prefix}[XZN.\[]", text) else "{number}"


def _numbers(text: str, _: Answers) -> None:
    if "{number}" not in text or not re.fullmatch(r"[0-9*#+]*\{number\}", text):
        raise ValueError("digits and then {number}: 8{number}, or {number} alone")


def _has_server(answers: Answers) -> bool:
    return bool(answers.public_url)


QUESTIONS = (
    Question(
        "public_url",
        "Public address of this daemon",
        f"Planfix sends clicks there and fetches recordings, over https; `{NONE}`: calls are reported, and that is all",
        _propose_url,
        _public_url,
    ),
    Question(
        "certificate",
        "Certificate (file)",
        f"what Planfix sees there; `{PROXY}`: nginx or another proxy has it and passes /planfix and /recordings/ on",
        _propose_certificate,
        _certificate,
        _has_server,
    ),
    Question(
        "private_key",
        "Its key (file)",
        "it is copied for the daemon, who is not root",
        _propose_key,
        _key,
        lambda answers: bool(answers.public_url) and answers["certificate"] != PROXY,
    ),
    Question(
        "country",
        "Country",
        "numbers without a country code belong to it",
        lambda around, _: around.place.country,
        _field(Numbering, "country"),
    ),
    Question(
        "area_code",
        "Area code",
        f"for numbers of five to seven digits; `{NONE}`: nobody dials such",
        lambda around, _: around.place.area_code,
        _field(Numbering, "area_code"),
    ),
    Question(
        "extensions",
        "Pattern of your extensions",
        "tells an extension from a telephone number (a regular expression)",
        _propose_extensions,
        _field(Numbering, "extensions"),
    ),
    Question(
        "trunks",
        "Lines to the outside (NAME=NUMBER, ...)",
        f"the channel of each provider and its number, which calls out show; `{NONE}`: later, by hand",
        _propose_lines,
        _lines,
    ),
    Question(
        "default_extension",
        "Extension for calls that reach nobody",
        f"a call in the night is a missed call of somebody; an employee in Planfix must have it; `{NONE}`: of nobody",
        _propose_default,
        _extension,
    ),
    Question(
        "recordings",
        "Folder of the recordings",
        "where Asterisk writes them, so that Planfix can play them",
        lambda around, _: around.asterisk.spool if around.asterisk is not None else "/var/spool/asterisk/monitor",
        _field(Recordings, "directory"),
        _has_server,
    ),
    Question(
        "national",
        "How clicks dial a number of your country",
        "as your dialplan wants it: with 8{number} a click on 7 495 123-00-00 dials 84951230000",
        lambda around, _: _propose_prefix(around, "8"),
        _numbers,
        _has_server,
    ),
    Question(
        "international",
        "How clicks dial any other number",
        "for example 810{number} or 00{number}",
        lambda around, _: _propose_prefix(around, "810"),
        _numbers,
        _has_server,
    ),
)
