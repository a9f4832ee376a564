"""The page's HTML and files: in both languages, whole, escaped, and with nothing from elsewhere."""

import json
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import cast

import pytest
from aiohttp import ClientResponse, ClientSession, CookieJar

from ami_planfix.status import State
from ami_planfix.web import page as module
from ami_planfix.web.app import Listener
from ami_planfix.web.control import Control
from ami_planfix.web.explaining import Explaining
from ami_planfix.web.guard import COOKIE, Guard
from ami_planfix.web.overview import Overview
from ami_planfix.web.page import Page, static_files
from ami_planfix.web.phrases import LANGUAGES, PHRASES, choose
from ami_planfix.web.sessions import Sessions
from ami_planfix.web.stream import Stream

WEB = Path(module.__file__).parent
PASSWORD = "a quiet evening"
HOSTILE = "</script><script>alert('x')</script>"


class Site:
    def __init__(self, session: ClientSession, port: int, sessions: Sessions) -> None:
        self.session, self.url, self.sessions = session, f"http://127.0.0.1:{port}", sessions

    async def get(self, path: str = "/", **headers: str) -> tuple[ClientResponse, str]:
        """Ask, and tell what came."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.get(self.url + path, headers=named, allow_redirects=False) as answer:
            return answer, await answer.text()

    async def log_in(self, password: str) -> tuple[ClientResponse, str]:
        """Fill in the form."""
        origin = {"Origin": self.url}
        form = {"password": password}
        async with self.session.post(self.url + "/login", data=form, headers=origin, allow_redirects=False) as answer:
            return answer, await answer.text()


async def site_with(password: str) -> AsyncIterator[Site]:
    sessions = Sessions(password)

    async def at_once(_seconds: float) -> None:
        """Wait for nothing."""

    guard = Guard(sessions, pause=at_once)
    # What is asked of these is asked of them in tests of their own.
    stream = Stream(cast(Overview, None))
    page = Page(HOSTILE, sessions, guard, stream, cast(Control, _Nobody()), cast(Explaining, _Nobody()))
    listener = Listener("admin", page.routes(), [guard.middleware])
    port = await listener.open("127.0.0.1", 0)
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        yield Site(session, port, sessions)
    await listener.close()


class _Nobody:
    async def explain(self) -> None: ...
    async def find(self) -> None: ...


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async for one in site_with(""):
        yield one


@pytest.fixture
async def closed() -> AsyncIterator[Site]:
    async for one in site_with(PASSWORD):
        yield one


class _Addresses(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found += [value or "" for name, value in attrs if name in {"src", "href", "action"}]
        self.inline += sum(name == "style" or name.startswith("on") for name, _ in attrs) + (tag == "style")
        self.inline += tag == "script" and "src" not in given and given.get("type") != "application/json"


async def test_the_page_has_no_inline_script_or_style_and_asks_nobody_else(site: Site) -> None:
    answer, text = await site.get()
    addresses = _Addresses(text)
    assert addresses.inline == 0
    assert addresses.found
    assert [one for one in addresses.found if not one.startswith("/") or one.startswith("//")] == []
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize("name", sorted(static_files()))
def test_no_file_of_the_page_speaks_of_another_host_or_makes_markup_of_text(name: str) -> None:
    text = static_files()[name].body.decode().replace("http://www.w3.org/", "")
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", text)


async def test_what_a_pbx_is_called_is_text_and_no_markup(site: Site) -> None:
    _, text = await site.get()
    assert HOSTILE not in text
    assert "&lt;/script&gt;" in text


async def test_files_are_given_with_their_type_and_not_twice(site: Site) -> None:
    for name in static_files():
        answer, text = await site.get(f"/static/{name}")
        assert answer.status == 200
        assert answer.content_type in {"text/css", "text/javascript", "image/svg+xml"}
        assert text == static_files()[name].body.decode()
        assert answer.headers["Content-Encoding"] == "gzip"
        _, plain = await site.get(f"/static/{name}", Accept_Encoding="identity")
        assert plain == text
        again, nothing = await site.get(f"/static/{name}", If_None_Match=answer.headers["ETag"])
        assert (again.status, nothing) == (304, "")


@pytest.mark.parametrize("path", ["/static/nothing.js", "/static/..%2fpage.py", "/static/../page.py", "/language/de"])
async def test_nothing_else_is_given(site: Site, path: str) -> None:
    answer, _ = await site.get(path)
    assert answer.status == 404


class TestLanguages:
    @pytest.mark.parametrize("name", sorted(PHRASES))
    def test_every_phrase_is_whole_in_both(self, name: str) -> None:
        english, russian = PHRASES[name]
        assert english.strip()
        assert russian.strip()
        assert english.count("{}") == russian.count("{}") <= 1

    def test_every_phrase_is_used_and_every_one_that_is_used_exists(self) -> None:
        scripts = "\n".join(found.body.decode() for name, found in static_files().items() if name.endswith(".js"))
        pages = "\n".join(path.read_text() for path in (WEB / "templates").glob("*.html"))
        asked = set(re.findall(r'\bt\("(\w+)"', scripts)) | set(re.findall(r"\bt\.(\w+)", pages))
        quoted = set(re.findall(r'"(\w+)"', scripts))
        made = {f"part_{part}" for part in _PARTS} | {outcome.replace(" ", "_") for outcome in _OUTCOMES}
        made |= {f"glance_{state}" for state in State}
        made |= {f"{part}_{state}" for part in _PARTS for state in State} & set(PHRASES)  # else in general words
        assert asked - set(PHRASES) == set()
        assert made - set(PHRASES) == set()
        assert set(PHRASES) - asked - quoted - made == set()

    @pytest.mark.parametrize(
        ("chosen", "accepted", "language"),
        [
            ("", "", "en"),
            ("", "ru-RU,ru;q=0.9,en;q=0.8", "ru"),
            ("", "de,en;q=0.5,ru;q=0.7", "ru"),
            ("", "de, fr", "en"),
            ("", "ru;q=x, ;;;,en", "en"),
            ("en", "ru", "en"),
            ("xx", "ru", "ru"),
        ],
    )
    def test_the_browser_is_heard_and_a_choice_counts_more(self, chosen: str, accepted: str, language: str) -> None:
        assert choose(chosen, accepted) == language

    async def test_a_choice_is_kept(self, site: Site) -> None:
        _, text = await site.get(Accept_Language="en")
        assert '<html lang="en">' in text
        answer, _ = await site.get("/language/ru")
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        _, text = await site.get(Accept_Language="en")
        assert '<html lang="ru">' in text
        words = json.loads(re.findall(r'id="words">(.*?)</script>', text)[0])
        assert words["all_well"] == PHRASES["all_well"][LANGUAGES.index("ru")]


_PARTS = (
    "asterisk", "planfix", "storage", "server", "admin", "control", "fastagi", "contacts", "recordings", "backfill",
)  # fmt: skip
_OUTCOMES = ("busy", "no answer", "not available", "not allowed", "canceled")


class TestLogin:
    async def test_a_stranger_is_sent_to_the_login_and_in_with_the_password(self, closed: Site) -> None:
        answer, _ = await closed.get()
        assert (answer.status, answer.headers["Location"]) == (303, "/login")
        _, form = await closed.get("/login")
        assert 'type="password"' in form
        answer, _ = await closed.log_in(PASSWORD)
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        cookie = answer.cookies[COOKIE]
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict")
        answer, text = await closed.get()
        assert answer.status == 200
        session = closed.sessions.find(cookie.value)
        assert session is not None
        assert f'name="token" content="{session.token}"' in text

    async def test_a_wrong_one_is_said_to_be_wrong(self, closed: Site) -> None:
        answer, text = await closed.log_in("guess")
        assert answer.status == 401
        assert PHRASES["wrong_password"][0] in text
        assert COOKIE not in answer.cookies

    async def test_who_logs_out_is_out(self, closed: Site) -> None:
        answer, _ = await closed.log_in(PASSWORD)
        session = closed.sessions.find(answer.cookies[COOKIE].value)
        assert session is not None
        async with closed.session.post(closed.url + "/logout", headers={"X-Token": session.token}) as left:
            assert left.status == 200
        assert (await closed.get())[0].status == 303


def test_what_git_leaves_out_is_no_file_of_the_page() -> None:
    ignored = (WEB.parent.parent / ".gitignore").read_text().splitlines()  # and so does the wheel (hatch)
    shipped = [
        path.relative_to(WEB.parent.parent) for folder in ("static", "templates") for path in (WEB / folder).iterdir()
    ]
    assert shipped
    assert not [path for path in shipped for pattern in ignored if pattern and path.match(pattern.strip("/"))]
