"""An employee listens: a real Chromium plays a recording to its end, over our own TLS and through nginx."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ami_planfix.recordings.audio import Audio, find_converter
from ami_planfix.web.app import Listener, Tls
from ami_planfix.web.callers import Callers
from ami_planfix.web.recordings import Downloads
from tests.page.browser import Browser, Page, chromium
from tests.recordings.conftest import Certificate, Place
from tests.recordings.in_front import nginx, path_of
from tests.recordings.sounds import write_tone

pytestmark = pytest.mark.chromium

SECONDS = 2.0
PLAY = """new Promise((done, fail) => {
  const told = {heard: []};
  const tell = () => done({...told, duration: sound.duration, at: sound.currentTime, error: sound.error?.message});
  sound.onseeked = () => told.heard.push('seeked');
  sound.onplaying = () => told.heard.push('playing');
  sound.onended = () => { told.heard.push('ended'); tell(); };
  sound.onerror = tell;
  sound.play().catch(fail);
})"""
ELEMENT = "const sound = document.body.appendChild(document.createElement('audio')); sound.src = '{link}';"
OWN_PAGE = "const sound = document.querySelector('video, audio');"
"""Chromium makes a page of its own around a link that is opened by itself."""


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """No browser can tell one database from another."""
    return f"sqlite:///{tmp_path}/state.db"


@asynccontextmanager
async def served(place: Place, certificate: Certificate, folder: Path, through: str) -> AsyncIterator[str]:
    """Serve the recording; its link."""
    listener = Listener("server", Downloads(place.playback, Callers()).routes())
    try:
        if through == "nginx":
            upstream = await listener.open("127.0.0.1", 0)
            async with nginx(folder, certificate, upstream) as port:
                yield f"https://127.0.0.1:{port}{path_of(place)}"
        else:
            port = await listener.open("127.0.0.1", 0, Tls(certificate.chain, certificate.key))
            yield f"https://127.0.0.1:{port}{path_of(place)}"
    finally:
        await listener.close()


@asynccontextmanager
async def planfix() -> AsyncIterator[str]:
    """Serve an empty page of another site; its address."""

    async def empty(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><link rel=icon href=data:>", content_type="text/html")

    application = web.Application()
    application.router.add_get("/", empty)
    async with TestServer(application) as server:
        yield str(server.make_url("/"))


async def opened(browser: Browser, address: str) -> Page:
    page = await browser.open(address)
    await page.send("Security.setIgnoreCertificateErrors", {"ignore": True})  # curl looks at those
    return page


async def played(page: Page, sound: str, play: str = PLAY) -> dict[str, Any]:
    told: dict[str, Any] = await page.run(f"(() => {{ {sound} return {play}; }})()")
    return told


@pytest.mark.parametrize(("through", "kind"), [("our own TLS", "mp3"), ("nginx", "wav")])
async def test_it_is_played_to_its_end(
    place: Place, certificate: Certificate, tmp_path: Path, through: str, kind: str
) -> None:
    if kind == "mp3":
        place.audio = Audio(place.disk, place.cache, find_converter("auto"))
    sound = write_tone(tmp_path / "tone.wav", 440, SECONDS).read_bytes()
    await place.recording("in-1.wav", sound)
    async with served(place, certificate, tmp_path, through) as link, planfix() as address, chromium() as browser:
        page = await opened(browser, address)
        told = await played(page, ELEMENT.format(link=link))
        assert told["heard"] == ["playing", "ended"], told
        assert told["duration"] == pytest.approx(SECONDS, abs=0.2)

        await page.go(link)
        told = await played(page, OWN_PAGE, PLAY.replace("sound.play()", "sound.currentTime = 1.5; sound.play()"))
        assert told["heard"][-1] == "ended", told
        assert "seeked" in told["heard"]
        assert not page.complaints
        assert await page.run("document.contentType") == ("audio/mpeg" if kind == "mp3" else "audio/wav")
