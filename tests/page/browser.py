"""A real Chromium without a window, driven by its DevTools protocol over one websocket."""

import asyncio
import base64
import itertools
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from tests.daemon_process import LEASH

LIMIT = 20.0
"""Seconds until what must be on a page is there."""
_ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--hide-scrollbars", "--disable-extensions", "--disable-background-networking", "--disable-component-update",
    "--remote-debugging-port=0",
)  # fmt: skip
_UNTIL = """new Promise((done) => {{
  const look = () => {{ const found = (() => {{ try {{ return {condition}; }} catch {{ return null; }} }})();
    if (found) done(found); else requestAnimationFrame(look); }};
  look();
}})"""

Fields = dict[str, Any]


class _NavigatedError(RuntimeError):
    """The page that was asked is not the page any more."""


class Browser:
    """One Chromium; every page is a session of its own on the same websocket."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Fields]] = {}
        self._pages: dict[str, Page] = {}
        self._reading = asyncio.create_task(self._read())

    async def open(
        self, url: str, width: int = 1280, height: int = 900, dark: bool = False, language: str = "en"
    ) -> "Page":
        """Open a page as a person with such a screen and language sees it."""
        context = await self.send("Target.createBrowserContext")
        created = {"url": "about:blank", "browserContextId": context["browserContextId"]}
        target = await self.send("Target.createTarget", created)
        attached = await self.send("Target.attachToTarget", {"targetId": target["targetId"], "flatten": True})
        page = Page(self, attached["sessionId"])
        self._pages[attached["sessionId"]] = page
        phone = width < 600
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
        await page.send("Page.enable")
        await page.send("Runtime.enable")
        await page.send("Log.enable")
        await page.send("Network.enable")
        await page.send("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await page.send("Emulation.setEmulatedMedia", {"features": [scheme]})
        await page.send("Network.setExtraHTTPHeaders", {"headers": {"Accept-Language": language}})
        await page.go(url)
        return page

    async def send(self, method: str, parameters: Fields | None = None, session: str = "") -> Fields:
        """Give a command; return its result."""
        number = next(self._numbers)
        answer: asyncio.Future[Fields] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        message: Fields = {"id": number, "method": method, "params": parameters or {}}
        if session:
            message["sessionId"] = session
        await self._socket.send_json(message)
        async with asyncio.timeout(LIMIT):
            return await answer

    async def close(self) -> None:
        """End it."""
        with suppress(ConnectionError, TimeoutError):
            await self.send("Browser.close")
        self._reading.cancel()

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                continue
            told = json.loads(message.data)
            if (answer := self._answers.pop(told.get("id"), None)) is not None and not answer.done():
                if "error" in told:
                    words = told["error"]["message"]
                    gone = "navigated" in words or "context was destroyed" in words or "find context" in words
                    answer.set_exception((_NavigatedError if gone else RuntimeError)(words))
                else:
                    answer.set_result(told["result"])
            elif (page := self._pages.get(told.get("sessionId", ""))) is not None:
                page.hear(told["method"], told["params"])


class Page:
    """One page."""

    def __init__(self, browser: Browser, session: str) -> None:
        self.complaints: list[str] = []
        """What the console has said, and scripts that failed: errors of ours, refusals of the security policy."""
        self.asked: list[str] = []
        """Every address that was asked."""
        self.bytes = 0
        """That came from the network."""
        self._browser = browser
        self._session = session
        self._loaded = asyncio.Event()

    async def send(self, method: str, parameters: Fields | None = None) -> Fields:
        """Give a command for this page."""
        return await self._browser.send(method, parameters, self._session)

    async def go(self, url: str) -> None:
        """Go somewhere, and wait until it is loaded."""
        self._loaded.clear()
        await self.send("Page.navigate", {"url": url})
        async with asyncio.timeout(LIMIT):
            await self._loaded.wait()

    async def run(self, script: str) -> Any:
        """Evaluate an expression there; a promise is waited for."""
        wanted = {"expression": script, "awaitPromise": True, "returnByValue": True, "userGesture": True}
        done = await self.send("Runtime.evaluate", wanted)
        if "exceptionDetails" in done:
            raise RuntimeError(done["exceptionDetails"].get("exception", {}).get("description", "failed"))
        return done["result"].get("value")

    async def until(self, condition: str) -> Any:
        """Wait until an expression is true there, looked at before each picture; return it."""
        try:
            async with asyncio.timeout(LIMIT):
                while True:
                    with suppress(_NavigatedError):
                        return await self.run(_UNTIL.format(condition=condition))
        except TimeoutError:
            shown = await self.run("document.body.innerText")
            raise AssertionError(f"never true: {condition}\n{shown}\n{self.complaints}") from None

    async def text(self, selector: str) -> str:
        """Tell what a person reads in an element."""
        return str(await self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    async def click(self, selector: str) -> None:
        """Click with the mouse, where the element is seen."""
        place = await self.run(
            f"(() => {{ const node = document.querySelector({json.dumps(selector)}); "
            "node.scrollIntoView({block: 'center'}); const box = node.getBoundingClientRect(); "
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            at = {"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1}
            await self.send("Input.dispatchMouseEvent", at)

    async def type(self, text: str) -> None:
        """Type where the focus is, then Enter."""
        await self.send("Input.insertText", {"text": text})
        for kind in ("keyDown", "keyUp"):
            key = {"type": kind, "key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13}
            await self.send("Input.dispatchKeyEvent", key)

    async def picture(self, path: Path, whole: bool = False) -> None:
        """Write what is seen, or the whole page, as PNG."""
        taken = await self.send("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": whole})
        await asyncio.to_thread(path.write_bytes, base64.b64decode(taken["data"]))

    def hear(self, event: str, told: Fields) -> None:
        """Take what DevTools tells."""
        match event:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Runtime.exceptionThrown":
                self.complaints.append(told["exceptionDetails"].get("exception", {}).get("description", "exception"))
            case "Log.entryAdded":
                self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
            case "Network.requestWillBeSent":
                self.asked.append(told["request"]["url"])
            case "Network.dataReceived":
                self.bytes += told["dataLength"]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run one, with a profile of its own."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "there is no Chromium: run `python -m tests.lab install` as root"
    with tempfile.TemporaryDirectory(prefix="ami-planfix-chromium-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            *LEASH, program, *_ARGUMENTS, f"--user-data-dir={profile}", "about:blank",
            stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stderr is not None
        try:
            async with asyncio.timeout(LIMIT):
                while b"DevTools listening on " not in (line := await process.stderr.readline()):
                    assert line, "Chromium ended before it began"
            draining = asyncio.create_task(process.stderr.read())
            address = line.decode().rpartition("listening on ")[2].strip()
            async with ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
                browser = Browser(socket)
                try:
                    yield browser
                finally:
                    await browser.close()
            async with asyncio.timeout(LIMIT):
                await process.wait()
                await draining
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
