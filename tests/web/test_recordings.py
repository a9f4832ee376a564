"""`GET /recordings/...` over real sockets: what the right link gives, and that no other gives anything."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from typing import NamedTuple

import pytest
from aiohttp import ClientResponse, ClientSession
from structlog.testing import capture_logs

from ami_planfix.recordings import playback
from ami_planfix.storage.schema import open_database
from ami_planfix.web import recordings as web_recordings
from ami_planfix.web.app import Listener
from ami_planfix.web.callers import Callers
from ami_planfix.web.recordings import Downloads
from tests.ami.conftest import eventually
from tests.recordings.conftest import Place, recorded

CALLID = "1700000000.1"
SOUND = bytes(range(256)) * 1000


class Site(NamedTuple):
    """A listener with one recording, and whoever asks it."""

    place: Place
    session: ClientSession
    port: int
    url: str

    async def get(self, url: str = "", method: str = "GET", **headers: str) -> tuple[ClientResponse, bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, url or self.url, headers=named) as answer:
            return answer, await answer.read()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with await open_database(f"sqlite:///{tmp_path}/state.db") as database:
        made = Place(tmp_path, database)
        await made.links.load()
        yield made
        made.disk.close()


def url_of(place: Place, port: int, callid: str = CALLID, file: str = "in-1.wav", extension: str = ".wav") -> str:
    link = place.links.link(callid, file, extension)
    return f"http://127.0.0.1:{port}" + link[link.index("/recordings/") :]


@pytest.fixture
async def site(place: Place) -> AsyncIterator[Site]:
    await place.recording("in-1.wav", SOUND)
    listener = Listener("server", Downloads(place.playback, Callers(), at_once=5).routes())
    port = await listener.open("127.0.0.1", 0)
    async with ClientSession() as session:
        yield Site(place, session, port, url_of(place, port))
    await listener.close()


async def raw(port: int, request: bytes) -> bytes:
    """Ask as no client library does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


class TestTheRightLink:
    async def test_gives_the_file(self, site: Site) -> None:
        answer, body = await site.get()
        assert (answer.status, body) == (200, SOUND)
        assert answer.headers["Content-Type"] == "audio/wav"
        assert answer.headers["Content-Length"] == str(len(SOUND))
        assert answer.headers["Accept-Ranges"] == "bytes"
        assert answer.headers["Content-Disposition"] == f'inline; filename="{CALLID}.wav"'
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "private, no-cache"

    async def test_head_tells_all_but_the_bytes(self, site: Site) -> None:
        answer, body = await site.get(method="HEAD")
        whole, _ = await site.get()
        assert (answer.status, body) == (200, b"")
        for name in ("Content-Length", "Content-Type", "ETag", "Last-Modified", "Accept-Ranges"):
            assert answer.headers[name] == whole.headers[name]

    @pytest.mark.parametrize(
        ("asked", "start", "end"),
        [
            ("bytes=0-0", 0, 1),
            ("bytes=100-199", 100, 200),
            ("bytes=255000-", 255000, 256000),
            ("bytes=-10", 255990, 256000),
            ("bytes=-999999999", 0, 256000),
            ("bytes=255999-999999999", 255999, 256000),
        ],
    )
    async def test_a_range_gives_that_part(self, site: Site, asked: str, start: int, end: int) -> None:
        answer, body = await site.get(Range=asked)
        assert (answer.status, body) == (206, SOUND[start:end])
        assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(SOUND)}"

    async def test_a_range_beyond_the_end_is_416(self, site: Site) -> None:
        answer, body = await site.get(Range="bytes=256000-")
        assert (answer.status, body) == (416, b"")
        assert answer.headers["Content-Range"] == "bytes */256000"

    @pytest.mark.parametrize("asked", ["bytes=", "bytes=a-b", "bytes=5-2", "bytes=0-1,5-6", "lines=1-2", "bytes=--1"])
    async def test_a_range_that_is_none_counts_as_none(self, site: Site, asked: str) -> None:
        answer, body = await site.get(Range=asked)
        assert (answer.status, body) == (200, SOUND)

    async def test_conditions(self, site: Site) -> None:
        first, _ = await site.get()
        tag, date = first.headers["ETag"], first.headers["Last-Modified"]
        past = "Tue, 01 Jan 2019 00:00:00 GMT"
        statuses = {
            (await site.get(**headers))[0].status: headers
            for headers in ({"If-None-Match": tag}, {"If-Match": '"other"'}, {"Range": "bytes=0-1", "If-Range": tag})
        }
        assert sorted(statuses) == [206, 304, 412]
        assert (await site.get(**{"If-Modified-Since": date}))[0].status == 304
        assert (await site.get(**{"If-Modified-Since": past}))[0].status == 200
        assert (await site.get(**{"If-Unmodified-Since": past}))[0].status == 412
        assert (await site.get(**{"If-None-Match": '"other"', "If-Modified-Since": date}))[0].status == 200
        assert (await site.get(**{"Range": "bytes=0-1", "If-Range": '"other"'}))[0].status == 200
        assert (await site.get(**{"Range": "bytes=0-1", "If-Range": date}))[0].status == 206
        assert (await site.get(**{"Range": "bytes=0-1", "If-Range": past}))[0].status == 200

    async def test_goes_on_working_when_a_script_has_made_an_mp3_of_it(self, site: Site) -> None:
        os.rename(site.place.monitor / "in-1.wav", site.place.monitor / "in-1.mp3")
        answer, body = await site.get()
        assert (answer.status, answer.headers["Content-Type"], body) == (200, "audio/mpeg", SOUND)

    async def test_waits_while_its_recording_is_not_whole(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(playback, "_LOOK_AGAIN", 0.02)
        await site.place.note(recorded("in-2.wav", callid="2.2"))
        (site.place.monitor / "in-2.wav").write_bytes(SOUND)
        asked = asyncio.create_task(site.get(url_of(site.place, site.port, "2.2", "in-2.wav")))
        await asyncio.sleep(0)
        assert not asked.done()
        await site.place.settle("2.2")
        answer, body = await asked
        assert (answer.status, body) == (200, SOUND)


class TestNoOtherLink:
    async def test_a_wrong_signature_a_missing_file_and_an_unknown_call_are_the_same(self, site: Site) -> None:
        await site.place.note(recorded("gone.wav", callid="3.3"))
        await site.place.settle("3.3")
        base = f"http://127.0.0.1:{site.port}/recordings"
        signature = site.place.links.signature(CALLID, "in-1.wav")
        answers = [
            await site.get(url)
            for url in (
                url_of(site.place, site.port, "3.3", "gone.wav"),
                f"{base}/{'0' * 32}/{CALLID}.wav",
                f"{base}/{signature}/1700000000.2.wav",
                f"{base}/{signature.upper()}/{CALLID}.wav",
                f"{base}/x/{CALLID}.wav",
                url_of(site.place, site.port, "4.4", ""),
                f"http://127.0.0.1:{site.port}/nowhere",
            )
        ]
        assert {(answer.status, body) for answer, body in answers} == {
            (404, b'{"error": "Not found", "reason": "nothing is here"}')
        }
        told = [{name: value for name, value in answer.headers.items() if name != "Date"} for answer, _ in answers]
        assert all(headers == told[0] for headers in told)

    async def test_who_tries_is_named_in_the_log(self, site: Site) -> None:
        with capture_logs() as said:
            await site.get(f"http://127.0.0.1:{site.port}/recordings/{'0' * 32}/{CALLID}.wav")
            await site.get(f"http://127.0.0.1:{site.port}/recordings/x/{CALLID}.wav")
            await site.get()
        told = [(line["event"], line["address"]) for line in said if line["log_level"] == "warning"]
        assert told == 2 * [("wrong link", "127.0.0.1")]

    @pytest.mark.parametrize(
        "path",
        [
            "/recordings/",
            "/recordings",
            "/recordings/SIGNATURE/",
            "/recordings/SIGNATURE/../SIGNATURE/",
            "/recordings/SIGNATURE/..%2f..%2fetc%2fpasswd",
            "/recordings/SIGNATURE/%2e%2e/%2e%2e/etc/passwd",
            "/recordings/SIGNATURE/in-1.wav",
            "/recordings/SIGNATURE/%00.mp3",
            "/recordings/SIGNATURE/1700000000.1%0d%0aX-Evil:%201.mp3",
            "/recordings/SIGNATURE/" + "1" * 3000,
            "/recordings/%f0%28%8c%28/1700000000.1.mp3",
            "//recordings/SIGNATURE/1700000000.1.mp3",
        ],
    )
    async def test_tricks_with_the_path_give_nothing(self, site: Site, path: str) -> None:
        signature = site.place.links.signature(CALLID, "in-1.wav")
        asked = path.replace("SIGNATURE", signature)
        answer = await raw(site.port, f"GET {asked} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert answer.split()[1] in (b"400", b"404"), answer
        assert b"X-Evil" not in answer
        assert b"root:" not in answer

    async def test_a_link_out_of_the_folder_gives_nothing(self, site: Site, tmp_path: Path) -> None:
        secret = tmp_path / "secret.wav"
        secret.write_bytes(b"S" * 500)
        (site.place.monitor / "in-1.wav").unlink()
        (site.place.monitor / "in-1.wav").symlink_to(secret)
        answer, body = await site.get()
        assert answer.status == 404
        assert b"SSS" not in body

    async def test_after_a_new_key_the_link_is_of_nothing(self, site: Site) -> None:
        await site.place.links.renew()
        assert (await site.get())[0].status == 404

    async def test_an_expired_link_is_of_nothing(self, site: Site) -> None:
        (site.place.monitor / "in-5.wav").write_bytes(SOUND)
        await site.place.note(recorded("in-5.wav", callid="5.5"))
        await site.place.settle("5.5", expires=site.place.now + 10)
        url = url_of(site.place, site.port, "5.5", "in-5.wav")
        assert (await site.get(url))[0].status == 200
        site.place.now += 11
        assert (await site.get(url))[0].status == 404

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
    async def test_nothing_can_be_changed(self, site: Site, method: str) -> None:
        assert (await site.get(method=method))[0].status == 405

    async def test_who_is_not_in_allow_from_gets_nothing(self, place: Place) -> None:
        await place.recording("in-1.wav", SOUND)
        callers = Callers([ip_network("192.0.2.0/24")])
        listener = Listener("server", Downloads(place.playback, callers).routes())
        port = await listener.open("127.0.0.1", 0)
        async with ClientSession() as session, session.get(url_of(place, port)) as answer:
            assert answer.status == 403
        await listener.close()


class TestLimits:
    async def slow_reader(self, site: Site) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Ask, read the head and the first bytes, and then no more."""
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port, limit=1024)
        path = site.url[site.url.index("/recordings") :]
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert b" 200 " in await reader.readuntil(b"\r\n")
        return reader, writer

    async def rest(self, reader: asyncio.StreamReader) -> int:
        """Read until the connection ends; tell how many bytes came."""
        received = 0
        with suppress(ConnectionError):
            async with asyncio.timeout(10):
                while piece := await reader.read(65536):
                    received += len(piece)
        return received

    async def test_one_link_is_given_to_few_at_once_and_again_when_they_have_gone(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(web_recordings, "MOST_PER_LINK", 2)
        (site.place.monitor / "in-1.wav").write_bytes(SOUND * 100)
        readers = [await self.slow_reader(site) for _ in range(2)]
        answer, body = await site.get()
        assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
        for _, writer in readers:
            writer.close()
        async with asyncio.timeout(10):
            while answer.status == 503:
                await asyncio.sleep(0.01)
                answer, body = await site.get()
        assert len(body) == len(SOUND) * 100

    async def test_a_reader_that_does_not_read_is_cut_off(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(web_recordings, "STALL", 0.2)
        (site.place.monitor / "in-1.wav").write_bytes(SOUND * 100)
        with capture_logs() as said:
            reader, writer = await self.slow_reader(site)
            await eventually(lambda: any(line["event"] == "download cut" for line in said))
        assert await self.rest(reader) < len(SOUND) * 100
        writer.close()

    async def test_a_file_that_becomes_shorter_ends_the_connection_instead_of_lying(self, site: Site) -> None:
        path = site.place.monitor / "in-1.wav"
        path.write_bytes(SOUND * 200)
        reader, writer = await self.slow_reader(site)
        os.truncate(path, 1000)
        assert await self.rest(reader) < len(SOUND) * 200
        writer.close()

    async def test_slow_readers_leave_the_others_alone(self, site: Site) -> None:
        path = site.url[site.url.index("/recordings") :]
        held = [await asyncio.open_connection("127.0.0.1", site.port, limit=1024) for _ in range(40)]
        for _, writer in held:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        async with asyncio.timeout(10):
            answer, _ = await site.get(f"http://127.0.0.1:{site.port}/recordings/{'0' * 32}/{CALLID}.mp3")
        assert answer.status == 404
        for _, writer in held:
            writer.close()
