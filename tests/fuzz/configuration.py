"""Configuration files that nobody can have meant: always problems in words, never a fault of ours."""

import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random
from typing import Self

import yaml

from ami_planfix.ami.settings import settings_of
from ami_planfix.config.example import example
from ami_planfix.config.load import FOR_CALLS, examine
from ami_planfix.config.model import Config
from ami_planfix.errors import ConfigurationError
from ami_planfix.numbering import Numbering
from tests.config.test_example import switched_on
from tests.fuzz.mutation import damaged, poison
from tests.fuzz.target import Target

SECRET = "zq9XhushTHISw0rdISnot2beSHOWNk7"
MOST_SHOWN = 1000
"""Characters of one problem."""
WORDS = (
    b"&a ",
    b"*a",
    b"!!python/object/apply:os.system [id]",
    b"!!binary ",
    b"<<: *a",
    b"- ",
    b": ",
    b"? ",
    b"|2-\n",
    b">+\n",
    b"---\n",
    b"...\n",
    b"%YAML 1.1\n",
    b"\t",
    b"${HOME}",
    b"${",
    b"$${",
    b"${" + b"A" * 500 + b"}",
    b"_file: /dev/zero",
    b"0x1F",
    b"1_000",
    b"12:30:45",
    b"0o17",
    b".inf",
    b"yes",
    b"~",
    b"{",
    b"}",
    b"[",
    b"]",
    b"'",
    b'"\\x00\\u0000\\ud800"',
    b"#",
)
VALUES: tuple[object, ...] = (
    "x",
    "",
    None,
    True,
    10**30,
    -1,
    1.5,
    [],
    {},
    [[]],
    [{}],
    {"a": "b"},
    "1" * 500,
    "\u202e",
    "/dev/zero",
    "a\nb",
)


class HostileConfiguration(Target):
    """Whatever stands in the file: a configuration that works, or problems with their lines and without secrets."""

    name = "configuration"
    about = "configuration files: wrong types everywhere, bombs, deep nesting, huge numbers, odd encodings"

    async def __aenter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-")
        self._file = Path(self._folder.name) / "config.yaml"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._folder.cleanup()

    def make(self, random: Random) -> bytes:
        """Make a file: the sample with damage, one of wrong types, or a bomb."""
        match random.randrange(8):
            case 0:
                return _bomb(random)
            case 1 | 2 | 3:
                tree = yaml.safe_load(_whole())
                tree["ami"]["secret"] = tree["planfix"]["token"] = tree["server"]["token"] = SECRET
                _change(random, tree)
                text = yaml.safe_dump(tree, allow_unicode=True)
                return text.encode(random.choice(("utf-8",) * 9 + ("utf-16",)))
            case _:
                data = random.choice((example(), _whole())).encode()
                start = random.randrange(len(data))
                return damaged(random, data if random.random() < 0.7 else data[start : start + 2000], WORDS)

    async def attempt(self, data: bytes) -> None:
        """Read it as `check` does, and as `replay` does."""
        self._file.write_bytes(data)
        for needs in (None, FOR_CALLS):
            environment = {"HOME": SECRET}
            found = examine(self._file, environment=environment) if needs is None else examine(self._file, needs)
            told = [str(problem) for problem in found.problems]
            assert found.config is not None or told, "neither a configuration nor a problem"
            for problem, words in zip(found.problems, told, strict=True):
                assert words.startswith(str(self._file)), f"no file: {words}"
                assert SECRET not in words, f"it tells a secret: {words}"
                assert words.isprintable(), f"it could steer a terminal: {words!r}"
                assert len(words) < MOST_SHOWN, f"a problem of {len(words)} characters: {words[:300]}"
                assert problem.line is None or 1 <= problem.line <= data.count(b"\n") + data.count(b"\r") + 2
            if found.config is not None:
                _use(found.config)


def _use(config: Config) -> None:
    """Make of it what the daemon makes at its start."""
    numbering = Numbering(config)
    for channel in ("PJSIP/101-00000001", "PJSIP/provider-1", "Local/101@x-1;2", ""):
        numbering.party(channel)
    numbering.number("89101234567")
    with suppress(ConfigurationError):  # a certificate that is not there
        settings_of(config.ami)


@cache
def _whole() -> str:
    """Give the sample with each key switched on."""
    return switched_on(example())


def _bomb(random: Random) -> bytes:
    """Make what is small and unfolds, or is nested, or has very many problems."""
    many = random.choice((10, 100, 900, 5000, 20_000))
    match random.randrange(9):
        case 0:
            return b"a: &a [x]\n" + b"".join(b"b%d: &b%d [*a,*a,*a]\n" % (at, at) for at in range(min(many, 2000)))
        case 1:
            return (b"[" * many)[:250_000]
        case 2:
            return (b"{a: " * many)[:250_000]
        case 3:
            return b"".join(b"%s- a:\n" % (b" " * at) for at in range(min(many, 600)))
        case 4:
            return b"".join(b"unknown%d: 1\n" % at for at in range(min(many, 2000)))
        case 5:
            return b"numbering: {employees: [" + b"{extention: 1}," * min(many, 2000) + b"]}"
        case 6:
            return b"numbering:\n  employees:\n" + b"    - extension: '101'\n" * min(many, 3000)
        case 7:
            return b"ami: {port: " + b"9" * many + b", secret: " + poison(random) + b"}"
        case _:
            return b"? " * min(many, 3000) + b"a"


def _change(random: Random, tree: dict[str, object]) -> None:
    """Put something of a wrong kind into some places."""
    for _ in range(random.randint(1, 4)):
        place: object = tree
        while isinstance(place, dict | list) and place:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = random.choice(keys)
            inner = place[key]
            if random.random() < 0.3 or not isinstance(inner, dict | list) or not inner:
                place[key] = random.choice((*VALUES, poison(random).decode("utf-8", "replace")))
                break
            place = inner
