"""The daemon's doors: clients that do what no client should, at each of them, while honest ones are served."""

import asyncio
import itertools
import json
import re
from random import Random
from typing import Self
from urllib.parse import quote_from_bytes

from tests.daemon_process import PBX_TOKEN
from tests.fuzz import http
from tests.fuzz.mutation import damaged, poison
from tests.fuzz.script import dump, load, paced, play
from tests.fuzz.target import Target
from tests.fuzz.victim import CLIENT, PASSWORD, Victim

_STATUS = re.compile(rb"HTTP/\d\.\d (\d{3}) ")
NOT_OURS = (b"Traceback", b"site-packages", b'File "/', b"aiohttp")
LINK, KEY, TOKEN = "@LINK@", "@KEY@", "@TOKEN@"
"""Stand in an input for the recording's link, and for what a page has that has logged in: others in each run."""


class Door(Target):
    """One of the daemon's listeners."""

    at_once = 20
    _sources = itertools.cycle(range(2, 250))

    async def __aenter__(self) -> Self:
        self._victim = await Victim().__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._victim.__aexit__()

    async def meanwhile(self) -> None:
        """Call, click, listen, ask."""
        await self._victim.serve()

    async def well(self) -> None:
        """Look at the daemon."""
        await self._victim.well()

    async def attempt(self, data: bytes) -> None:
        """Do the steps at the door."""
        for mark, what in ((LINK, self._victim.link), (KEY, self._victim.key), (TOKEN, self._victim.token)):
            data = data.replace(mark.encode(), what.encode())
        try:
            reader, writer = await self.knock()
        except ConnectionError:
            return  # too many of us at once: it may say so
        self.judge(await play(load(data), reader, writer))

    async def knock(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect; each time from another of this machine's addresses, as strangers would."""
        address = (f"127.0.0.{next(self._sources)}", 0)
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=address)

    @property
    def port(self) -> int:
        """Tell where the door is."""
        raise NotImplementedError

    def judge(self, heard: bytes) -> None:
        """Look at what it answered: no fault of ours, and nothing of our insides."""
        assert not any(word in heard for word in NOT_OURS), f"it tells of its insides: {heard[:500]!r}"
        assert PBX_TOKEN.encode() not in heard, "it tells the token"
        assert PASSWORD.encode() not in heard, "it tells the password"
        statuses = [int(found[1]) for found in _STATUS.finditer(heard)]
        assert 500 not in statuses, f"it failed: {heard[:500]!r}"
        assert not heard or heard.startswith(b"HTTP/"), f"it answered with what is no HTTP: {heard[:200]!r}"


class Server(Door):
    """The listener for Planfix."""

    name = "server"
    about = "HTTP to the listener for Planfix, with and without its token"

    @property
    def port(self) -> int:
        """Tell where the door is."""
        return self._victim.home.server_port

    def make(self, random: Random) -> bytes:
        """Make what is sent."""
        wishes = [(b"/planfix", form) for form in _forms(random)]
        wishes += [(b"/", b""), (b"/planfix", b""), (b"/recordings/x/y.mp3", b"")]
        return dump(paced(random, http.request(random, wishes)))


class Recordings(Server):
    """Links to recordings."""

    name = "recordings"
    about = "requests for recordings, with a link that is good, damaged or guessed"

    def make(self, random: Random) -> bytes:
        """Make what is sent."""
        link = LINK.encode()
        paths = (link,) * 6 + (
            link + b"/../../../etc/passwd",
            b"/recordings/" + b"0" * 32 + b"/1.1.mp3",
            b"/recordings/" + b"f" * 32 + b"/" + quote_from_bytes(poison(random)).encode() + b".mp3",
            b"/recordings/%2e%2e/%2e%2e/etc/passwd",
            link.upper(),
        )
        return dump(paced(random, http.request(random, [(path, b"") for path in paths], http.CONDITIONS)))

    def judge(self, heard: bytes) -> None:
        """See to it that nothing but the recording is given."""
        head, _, _ = heard.partition(b"\r\n\r\n")
        super().judge(head)
        assert b"root:" not in heard


class Admin(Door):
    """The listener for this machine."""

    name = "admin"
    about = "HTTP to the listener for this machine"
    _paths = (b"/healthz", b"/readyz", b"/metrics", b"/contact", b"/", b"/live", b"/static/x", b"/static/page.js",
              b"/language/ru", b"/login", b"/logout", b"/calls", b"/explain", b"/deliveries/retry")  # fmt: skip

    @property
    def port(self) -> int:
        """Tell where the door is."""
        return self._victim.home.admin_port

    def make(self, random: Random) -> bytes:
        """Make what is sent."""
        asked = b"/contact?phone=" + quote_from_bytes(poison(random, (CLIENT.encode(),))).encode()
        wishes = [(path, b"") for path in (*self._paths, asked, asked)]
        return dump(paced(random, http.request(random, [*wishes, (random.choice(self._paths), b"a=b")])))


class Page(Admin):
    """The status page, as somebody has it open who has logged in."""

    name = "page"
    about = "HTTP to the status page, with a session and its token, or nearly"

    def make(self, random: Random) -> bytes:
        """Make what is sent."""
        value = quote_from_bytes(poison(random)).encode()
        wishes = [(path, b"") for path in self._paths if path != b"/logout"]  # or nobody would be logged in any more
        wishes += [
            (b"/explain?call=" + value, b""),
            (b"/explain/find?phone=" + value + b"&since=" + value, b""),
            (b"/explain/find?phone=79101234567", b""),
            (b"/language/" + value, b""),
            (b"/login", b"password=" + value),
            (b"/deliveries/drop", random.choice((b'{"ids": null}', b'{"ids": [999999999]}', b'{"ids": ["1"]}'))),
            (b"/deliveries/retry", random.choice((b'{"ids": null}', b"[" * 15_000, b'{"ids":' * 2000, value))),
        ]
        cookie = random.choice((KEY.encode(),) * 5 + (b"", value, b"x" * 43))
        token = random.choice((TOKEN.encode(),) * 5 + (b"", value, b"x" * 32))
        site = random.choice((b"same-origin",) * 5 + (b"cross-site", b"none", b"", value))
        known = b"Cookie: ami_planfix=" + cookie + b"; ami_planfix_language=" + value + b"\r\nX-Token: " + token
        return dump(paced(random, http.request(random, wishes, [known, known, b"Sec-Fetch-Site: " + site])))


class Control(Door):
    """The unix socket of the command line."""

    name = "control"
    about = "HTTP to the unix socket of the command line"

    async def knock(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect."""
        return await asyncio.open_unix_connection(self._victim.home.folder / "control.sock")

    def make(self, random: Random) -> bytes:
        """Make what is sent."""
        value = quote_from_bytes(poison(random)).encode()
        asked = (
            b"/calls",
            b"/deliveries?state=dead&limit=" + value,
            b"/deliveries?state=" + value + b"&call=" + value,
            b"/deliveries?limit=-1",
            b"/explain?call=" + value,
            b"/explain/find?phone=" + value + b"&since=" + value,
            b"/explain/find?phone=79101234567&since=nan",
            b"/endpoints",
            b"/recordings?limit=" + value,
            b"/recordings?call=" + value,
        )
        kinds: tuple[object, ...] = (None, [], [1], [10**30], [-1], ["1"], [True], {}, [[]], list(range(3000)), "null")
        ids = random.choice(kinds)
        bodies = (json.dumps({"ids": ids}).encode(),) * 4 + (b"[" * 15_000, b'{"ids":' * 2000, b"\xff", b"9" * 9000)
        wishes = [(path, b"") for path in asked]
        wishes += [(random.choice((b"/deliveries/retry", b"/deliveries/drop")), body) for body in bodies]
        return dump(paced(random, http.request(random, wishes)))


class FastAgi(Door):
    """The listener for the dialplan."""

    name = "fastagi"
    about = "FastAGI: too much, too slow, half said, garbage"

    @property
    def port(self) -> int:
        """Tell where the door is."""
        return self._victim.home.fastagi_port

    def make(self, random: Random) -> bytes:
        """Make what is sent: a question, and answers to what it sets."""
        lines = [b"agi_network: yes", b"agi_network_script: contact", b"agi_callerid: " + CLIENT.encode()]
        lines += [b"agi_uniqueid: 1.1", b"agi_arg_1: phone=" + CLIENT.encode(), b"agi_arg_2: did=74951230001"]
        at = random.randrange(len(lines))
        lines[at] = (
            lines[at].partition(b": ")[0] + b": " + poison(random, (b"phone=", b"did=", b"callid=", b"contact?x"))
        )
        lines += [b"agi_x: y"] * random.choice((0, 0, 0, 300))
        random.shuffle(lines)
        answer = random.choice((b"200 result=1\n", b"200 result=1\n", b"510 No\n", poison(random), b"200 " * 5000))
        data = b"\n".join(lines) + b"\n\n" + answer * 4
        return dump(paced(random, damaged(random, data) if random.random() < 0.3 else data))

    def judge(self, heard: bytes) -> None:
        """See to it that only the four variables are set, each on one line that quotes what it says."""
        text = heard.decode()
        for line in text.splitlines():
            assert re.fullmatch(r'SET VARIABLE PLANFIX_[A-Z]+ "[^"\\$]*"', line), f"said to Asterisk: {line!r}"


def _forms(random: Random) -> list[bytes]:
    word = quote_from_bytes(poison(random)).encode()
    token = random.choice((PBX_TOKEN.encode(),) * 6 + (b"wrong", b"", word))
    number = random.choice((b"89161234567",) * 3 + (b"101", b"112", b"+12025550123", b"%2B7916%0d%0a", word))
    forms = (
        b"cmd=makeCall&from=101&to=%s" % number,
        b"cmd=makeCall&from=10%d&to=8916%07d" % (random.randrange(1, 4), random.randrange(10**7)),
        b"cmd=makeCall&from=%s&to=89161234567" % word,
        b"cmd=makeCall&from=101&to=89161234567%0d%0aChannel:%20PJSIP/900",
        b"cmd=setup&planfix_token=x&planfix_url=%s" % word,
        b"cmd=setup&planfix_token=%s&planfix_url=http://127.0.0.1:%d/" % (word, random.randint(0, 70000)),
        b"cmd=%s" % word,
        b"cmd=makeCall&token=x",
        b"a=b&" * random.choice((10, 100, 3000)),
        word,
    )
    return [form + b"&token=" + token for form in forms]
