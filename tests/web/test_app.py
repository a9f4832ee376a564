"""Listeners against clients that send what no client should, over real sockets."""

import asyncio
import errno
import grp
import json
import os
import socket
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
from aiohttp import ClientSession, TCPConnector, UnixConnector, web

from ami_planfix.errors import ListenerError
from ami_planfix.web import connection
from ami_planfix.web.answers import taken
from ami_planfix.web.app import BODY, Listener, Tls


async def echo(request: web.Request) -> web.Response:
    return taken({"size": len(await request.read())})


async def broken(_request: web.Request) -> web.Response:
    raise ValueError("secret=hunter2")


ROUTES = [web.post("/echo", echo), web.get("/broken", broken)]


@pytest.fixture
async def port() -> AsyncIterator[int]:
    listener = Listener("server", ROUTES)
    yield await listener.open("127.0.0.1", 0)
    await listener.close()


async def send(port: int, *pieces: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


def body_of(answer: bytes) -> dict[str, str]:
    found: dict[str, str] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return found


class TestFaults:
    async def test_an_unknown_path_is_404_in_our_words(self, port: int) -> None:
        async with (
            ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/../etc/passwd") as answer,
        ):
            assert answer.status == 404
            assert await answer.json() == {"error": "Not found", "reason": "nothing is here"}
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Server"] == "ami-planfix"

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"])
    async def test_a_wrong_method_is_405_and_says_which_is_right(self, port: int, method: str) -> None:
        async with (
            ClientSession() as session,
            session.request(method, f"http://127.0.0.1:{port}/echo") as answer,
        ):
            assert answer.status == 405
            assert answer.headers["Allow"] == "POST"

    async def test_a_fault_of_ours_tells_nothing_about_it(self, port: int) -> None:
        async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/broken") as answer:
            assert answer.status == 500
            text = await answer.text()
        assert json.loads(text)["error"] == "Internal error"
        assert "hunter2" not in text
        assert "ValueError" not in text

    @pytest.mark.parametrize(
        "nonsense",
        [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n",
            b"POST /echo HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
            b"POST /echo HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
            b"POST /echo HTTP/1.1\r\nno colon\r\n\r\n",
            b"GET / HTTP/9.9.9\r\n\r\n",
            b"BREW / HTTP/1.1\r\n\r\n",
        ],
    )
    async def test_what_is_no_http_is_refused_in_json_and_the_connection_closed(
        self, port: int, nonsense: bytes
    ) -> None:
        answer = await send(port, nonsense)
        assert answer.split()[1] == b"400", answer
        assert body_of(answer)["error"] == "Invalid parameters"

    async def test_what_aiohttp_answers_by_itself_has_our_headers_too(self, port: int) -> None:
        answer = await send(port, b"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 200-maybe\r\nConnection: close\r\n\r\n")
        assert answer.split()[1] == b"417"
        assert b"\r\nServer: ami-planfix\r\n" in answer
        assert b"nosniff" in answer

    async def test_a_body_that_breaks_off_is_no_fault_of_ours(
        self, port: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
        assert b"100" in await reader.readuntil(b"\r\n\r\n")  # the body is waited for
        writer.transport.abort()
        # Whoever comes next is served after the broken one has been dealt with.
        await send(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert not caplog.records

    async def test_endless_header_lines_are_refused(self, port: int) -> None:
        answer = await send(port, b"POST /echo HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n")
        assert answer.split()[1] == b"400"

    async def test_thousands_of_headers_are_refused(self, port: int) -> None:
        lines = b"".join(b"X-%d: 1\r\n" % n for n in range(5000))
        answer = await send(port, b"POST /echo HTTP/1.1\r\n" + lines + b"\r\n")
        assert answer.split()[1] == b"400"

    async def test_a_body_that_says_it_is_too_large_is_413(self, port: int) -> None:
        head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n"
        answer = await send(port, head, b"a" * (BODY + 1))
        assert answer.split()[1] == b"413"
        assert body_of(answer)["error"] == "Request too large"

    async def test_a_body_in_endless_chunks_is_413(self, port: int) -> None:
        head = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = await send(port, head, *[b"1000\r\n" + b"a" * 4096 + b"\r\n"] * 5)
        assert answer.split()[1] == b"413"

    async def test_pipelined_requests_are_answered_in_order(self, port: int) -> None:
        one = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"
        two = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab"
        answer = await send(port, one + two)
        assert answer.index(b'{"size": 1}') < answer.index(b'{"size": 2}')


class TestLimits:
    async def test_a_client_that_never_ends_its_first_request_is_cut_off(
        self, port: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connection, "FIRST_REQUEST_WITHIN", 0.05)
        assert await send(port, b"POST /echo HTTP/1.1\r\nHost: ") == b""

    async def test_one_address_cannot_take_all_connections(self, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection, "MOST_PER_PEER", 2)
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for reader, writer in held:
            writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na")
            assert await reader.readuntil(b"}")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError):
            assert await reader.read() == b""
        for _, other in held:
            other.close()
        writer.close()


class TestOpening:
    async def test_a_port_in_use_says_which_listener_and_which_address(self, port: int) -> None:
        second = Listener("admin", ROUTES)
        with pytest.raises(
            ListenerError, match=rf"^admin: cannot listen on 127\.0\.0\.1:{port}: Address already in use \(`ss -ltnp`"
        ):
            await second.open("127.0.0.1", port)

    async def test_a_missing_certificate_says_so(self, tmp_path: Path) -> None:
        listener = Listener("server", ROUTES)
        with pytest.raises(ListenerError, match="server: cannot read the certificate or its key"):
            await listener.open("127.0.0.1", 0, Tls(tmp_path / "none.pem", tmp_path / "none.key"))

    async def test_a_file_that_is_no_certificate_says_so(self, tmp_path: Path) -> None:
        file = tmp_path / "cert.pem"
        file.write_text("nonsense")
        with pytest.raises(ListenerError, match="are no certificate and its key"):
            await Listener("server", ROUTES).open("127.0.0.1", 0, Tls(file, file))

    async def test_tls_of_its_own(self, tmp_path: Path) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
        issued.private_key_pem.write_to_path(key)
        for blob in issued.cert_chain_pems:
            blob.write_to_path(certificate, append=True)
        listener = Listener("server", ROUTES)
        port = await listener.open("127.0.0.1", 0, Tls(certificate, key))
        trust = ssl.create_default_context()
        authority.configure_trust(trust)
        async with (
            ClientSession(connector=TCPConnector(ssl=trust)) as session,
            session.post(f"https://127.0.0.1:{port}/echo", data=b"abc") as answer,
        ):
            assert await answer.json() == {"size": 3}
        await listener.close()


class TestUnixSocket:
    async def test_only_owner_and_group_may_use_it(self, tmp_path: Path) -> None:
        path = tmp_path / "control.sock"
        listener = Listener("control", ROUTES)
        await listener.open_unix(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        async with ClientSession(connector=UnixConnector(str(path))) as session:
            answer = await session.post("http://localhost/echo", data=b"abcd")
            assert await answer.json() == {"size": 4}
        await listener.close()
        assert not path.exists()

    async def test_the_socket_of_a_killed_daemon_is_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "control.sock"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        listener = Listener("control", ROUTES)
        await listener.open_unix(path)
        await listener.close()

    async def test_the_socket_of_a_living_daemon_is_left_to_it(self, tmp_path: Path) -> None:
        path = tmp_path / "control.sock"
        first = Listener("control", ROUTES)
        await first.open_unix(path)
        with pytest.raises(ListenerError, match=r"control: cannot listen on .*: Address already in use"):
            await Listener("control", ROUTES).open_unix(path)
        assert path.exists()
        await first.close()

    async def test_a_file_that_is_no_socket_is_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "config.yaml"
        path.write_text("kept")
        with pytest.raises(ListenerError, match=r"control: cannot listen on .*/config\.yaml: "):
            await Listener("control", ROUTES).open_unix(path)
        assert path.read_text() == "kept"

    async def test_a_group_that_the_daemon_is_not_in_says_so(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def forbid(*_: object) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "chown", forbid)
        with pytest.raises(ListenerError, match="a group that the daemon is in can it be given: SupplementaryGroups="):
            await Listener("control", ROUTES).open_unix(tmp_path / "c.sock", grp.getgrgid(os.getgid()).gr_name)
        assert not os.listdir(tmp_path)

    async def test_an_unknown_group_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(ListenerError, match="there is no group nobody-has-this"):
            await Listener("control", ROUTES).open_unix(tmp_path / "c.sock", "nobody-has-this")
        assert not os.listdir(tmp_path)
