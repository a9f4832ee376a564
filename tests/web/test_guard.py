"""The listener for this machine lets nobody in by a foreign name, without the password, or from another site."""

from base64 import b64encode
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest
from aiohttp import ClientSession, web
from structlog.testing import capture_logs

from ami_planfix.web.app import Listener
from ami_planfix.web.guard import COOKIE, TOKEN_HEADER, Guard
from ami_planfix.web.sessions import KEPT, MOST, Sessions
from tests.contacts.making import Clock

PASSWORD = "a quiet evening"
PATHS = ("/", "/live", "/explain", "/healthz", "/readyz", "/login", "/static/page.js", "/metrics", "/contact")


class House:
    """A listener with a guard, and somebody who asks it."""

    def __init__(self, password: str, hosts: tuple[str, ...] = (), proxies: tuple[str, ...] = ()) -> None:
        self.clock = Clock()
        self.pauses: list[float] = []
        self.sessions = Sessions(password, self.clock)
        self.guard = Guard(self.sessions, hosts, map(ip_network, proxies), self.clock, self._pause)
        self.port = 0

    async def ask(self, path: str = "/", method: str = "GET", key: str = "", **headers: str) -> int:
        """Tell the status; `key` is the cookie's."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{self.port}{path}"
        async with (
            ClientSession(cookies={COOKIE: key} if key else {}) as session,
            session.request(method, url, headers=named, allow_redirects=False) as answer,
        ):
            return answer.status

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


async def well(_request: web.Request) -> web.Response:
    return web.Response(text="well")


async def living(house: House) -> AsyncIterator[House]:
    routes: list[web.AbstractRouteDef] = [web.get(path, well) for path in PATHS]
    routes += [web.post("/deliveries/drop", well), web.post("/login", well)]
    listener = Listener("admin", routes, [house.guard.middleware])
    house.port = await listener.open("127.0.0.1", 0)
    yield house
    await listener.close()


@pytest.fixture
async def free() -> AsyncIterator[House]:
    """One without a password."""
    async for house in living(House("", ("pbx.example.com",))):
        yield house


@pytest.fixture
async def closed() -> AsyncIterator[House]:
    """One with a password."""
    async for house in living(House(PASSWORD)):
        yield house


class TestNames:
    @pytest.mark.parametrize(
        "host", ["127.0.0.1:8093", "[::1]:8093", "192.0.2.7", "localhost:1", "LOCALHOST", "pbx.example.com."]
    )
    async def test_an_address_and_our_names_lead_here(self, free: House, host: str) -> None:
        assert await free.ask(Host=host) == 200

    @pytest.mark.parametrize(
        "host", ["evil.example", "127.0.0.1.evil.example:8093", "pbx.example.com.evil.example", "", "[::1", "1.2.3"]
    )
    @pytest.mark.parametrize("path", ["/", "/contact", "/metrics", "/healthz"])
    async def test_no_other_name_does(self, free: House, host: str, path: str) -> None:
        assert await free.ask(path, Host=host) == 403


class TestChanges:
    async def test_without_the_token_nothing_is_changed(self, free: House) -> None:
        session = free.sessions.find("")
        assert session is not None
        assert await free.ask("/deliveries/drop", "POST") == 403
        assert await free.ask("/deliveries/drop", "POST", **{TOKEN_HEADER: session.token + "x"}) == 403
        assert await free.ask("/deliveries/drop", "POST", **{TOKEN_HEADER: session.token}) == 200

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
    async def test_nor_for_another_site_even_with_it(self, free: House, origin: str) -> None:
        session = free.sessions.find("")
        assert session is not None
        assert await free.ask("/deliveries/drop", "POST", Origin=origin, **{TOKEN_HEADER: session.token}) == 403
        own = f"http://127.0.0.1:{free.port}"
        assert await free.ask("/deliveries/drop", "POST", Origin=own, **{TOKEN_HEADER: session.token}) == 200

    async def test_one_sessions_token_is_not_anothers(self, closed: House) -> None:
        mine, others = closed.sessions.begin(), closed.sessions.begin()
        session = closed.sessions.find(others)
        assert session is not None
        assert await closed.ask("/deliveries/drop", "POST", mine, **{TOKEN_HEADER: session.token}) == 403

    async def test_nor_is_anybody_logged_in_from_another_site(self, closed: House) -> None:
        assert await closed.ask("/login", "POST", Origin="https://evil.example") == 403
        assert await closed.ask("/login", "POST") == 200


class TestOtherSites:
    """What a browser on this machine can be made to ask by any site, which never sees the answer."""

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    @pytest.mark.parametrize("path", ["/live", "/explain", "/contact", "/metrics", "/static/page.js", "/healthz"])
    async def test_have_nothing_done(self, free: House, site: str, path: str) -> None:
        for dest, mode in (("image", "no-cors"), ("empty", "cors"), ("iframe", "navigate"), ("document", "navigate")):
            headers = {"Sec_Fetch_Site": site, "Sec_Fetch_Dest": dest, "Sec_Fetch_Mode": mode}
            assert await free.ask(path, **headers) == 403
        assert await free.ask(path, Sec_Fetch_Site="same-origin") == 200
        assert await free.ask(path) == 200

    async def test_may_link_to_the_page_alone(self, free: House, closed: House) -> None:
        link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Dest": "document", "Sec_Fetch_Mode": "navigate"}
        assert await free.ask("/", **link) == 200
        assert await closed.ask("/login", **link) == 200
        assert await closed.ask("/login", "POST", **link) == 403
        assert await free.ask("/", **link | {"Sec_Fetch_Dest": "iframe"}) == 403


class TestAddress:
    async def test_of_a_guesser_behind_our_proxy_is_what_the_proxy_says(self) -> None:
        wrong = b64encode(b"x:guess").decode()
        with capture_logs() as log:
            for proxies in (("127.0.0.1/32",), ()):
                async for house in living(House(PASSWORD, proxies=proxies)):
                    await house.ask("/metrics", Authorization=f"Basic {wrong}", X_Forwarded_For="192.0.2.7")
        assert [line["address"] for line in log if line["event"] == "wrong password"] == ["192.0.2.7", "127.0.0.1"]


class TestPassword:
    async def test_without_a_session_there_is_only_health_and_the_login(self, closed: House) -> None:
        found = {path: await closed.ask(path) for path in PATHS}
        assert found == {
            "/": 303, "/live": 401, "/explain": 401, "/healthz": 200, "/readyz": 200, "/login": 200,
            "/static/page.js": 200, "/metrics": 200, "/contact": 200,
        }  # fmt: skip
        assert await closed.ask("/deliveries/drop", "POST") == 401
        assert await closed.ask("/nothing") == 401

    async def test_a_session_opens_all_until_it_is_over(self, closed: House) -> None:
        key = closed.sessions.begin()
        assert await closed.ask("/", key=key) == 200
        closed.clock.now += KEPT - 1
        assert await closed.ask("/live", key=key) == 200
        closed.clock.now += KEPT
        assert await closed.ask("/live", key=key) == 401

    async def test_a_session_that_was_ended_is_over(self, closed: House) -> None:
        key = closed.sessions.begin()
        closed.sessions.end(key)
        assert await closed.ask("/live", key=key) == 401

    async def test_only_so_many_sessions_are_kept(self, closed: House) -> None:
        first, *others = (closed.sessions.begin() for _ in range(MOST + 1))
        assert closed.sessions.find(first) is None
        assert all(map(closed.sessions.find, others))

    @pytest.mark.parametrize("path", ["/metrics", "/contact"])
    async def test_programs_elsewhere_present_the_password(self, closed: House, path: str) -> None:
        elsewhere = {"X_Forwarded_For": "192.0.2.7"}
        right = b64encode(f"prometheus:{PASSWORD}".encode()).decode()
        assert await closed.ask(path, **elsewhere) == 401
        assert await closed.ask(path, Authorization=f"Basic {right}", **elsewhere) == 200
        for wrong in ("Basic !", "Basic", f"Bearer {right}", "Basic eDp5"):
            assert await closed.ask(path, Authorization=wrong, **elsewhere) == 401

    async def test_guesses_are_answered_ever_more_slowly(self, closed: House) -> None:
        wrong = b64encode(b"x:guess").decode()
        for _ in range(4):
            await closed.ask("/metrics", Authorization=f"Basic {wrong}", X_Forwarded_For="192.0.2.7")
        assert len(closed.pauses) == 4
        assert closed.pauses == sorted(closed.pauses)
        assert closed.pauses[-1] > 4 * closed.pauses[0]
