"""The page's live updates (server-sent events): one look at the daemon for all who watch, told as what has changed.

While anybody watches, calls and parts are looked at twice a second and the database every two; each change is written
once, whoever gets it. Nobody watches: nothing is looked at. Who does not take what is sent is let go, and comes again.
"""

import asyncio
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from aiohttp import web

from ami_planfix.web.answers import HEADERS, refused
from ami_planfix.web.overview import Json, Overview

log = structlog.get_logger("ami_planfix.web")

LOOK_EVERY = 0.5
ASK_EVERY = 2.0
"""Seconds between two looks at the database."""
PULSE = 10.0
"""Seconds after which even nothing is told, so that a broken connection is noticed."""
MOST_VIEWERS = 30
BEHIND = 40
"""Changes that a viewer may be behind."""
LOOKING = "page"
"""The name of the task that looks; it runs only while anybody watches."""
GONE_AFTER = 30_000
"""Milliseconds after which a phone that takes nothing counts as gone: it sleeps, and says no goodbye."""


@dataclass(eq=False, slots=True)
class _Viewer:
    transport: asyncio.BaseTransport | None
    session: object
    changes: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(BEHIND))

    def let_go(self) -> None:
        """Cut its connection, and wake who waits for what to write there."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()
        while not self.changes.empty():
            self.changes.get_nowait()
        self.changes.put_nowait(b"")


class Stream:
    """Tells viewers how things are, and from then on what changes."""

    def __init__(self, overview: Overview, clock: Callable[[], float] = time.time) -> None:
        self.nobody = asyncio.Event()
        """Nobody looks."""
        self.nobody.set()
        self._overview = overview
        self._clock = clock
        self._viewers: set[_Viewer] = set()
        self._calls: dict[str, Json] = {}
        self._sections: Json = {}
        self._asked_at = self._told_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def viewers(self) -> int:
        """Tell how many look."""
        return len(self._viewers)

    async def serve(self, request: web.Request, session: object = None) -> web.StreamResponse:
        """Answer one viewer, for as long as it looks and its session goes on."""
        if not self._viewers:
            await self._begin()
        if len(self._viewers) >= MOST_VIEWERS or self._closed:  # others may have come meanwhile
            return refused(503, f"{MOST_VIEWERS} browsers look already")
        headers = {**HEADERS, "Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=headers)
        viewer = _Viewer(request.transport, session)
        _notice_sleep(request.transport)
        self._viewers.add(viewer)
        self.nobody.clear()
        try:
            await response.prepare(request)
            await response.write(self._whole())
            while change := await viewer.changes.get():
                await response.write(change)
        except ConnectionError:
            pass  # it looks no more
        finally:
            self._viewers.discard(viewer)
            if not self._viewers:
                self._end()
                self.nobody.set()
        return response

    def hurry(self) -> None:
        """Ask the database at the next look: somebody has changed something."""
        self._asked_at = float("-inf")

    def end(self, session: object) -> None:
        """Let the viewers of a session go, which is over."""
        for viewer in self._viewers:
            if viewer.session is session:
                viewer.let_go()

    def close(self) -> None:
        """Let all viewers go."""
        self._closed = True
        self._end()
        for viewer in self._viewers:
            viewer.let_go()

    async def _begin(self) -> None:
        self._calls = self._overview.calls()
        self._sections = self._overview.moving() | await self._overview.kept()
        self._asked_at = self._told_at = asyncio.get_running_loop().time()
        if self._looking is None and not self._closed:
            self._looking = asyncio.create_task(self._look(), name=LOOKING)
            self._looking.add_done_callback(self._looked)

    def _end(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def _looked(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("page not updated", exc_info=fault, remedy="report this as a fault of ami-planfix")
            self._looking = None
            for viewer in self._viewers:
                viewer.let_go()

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_EVERY)
            sections = self._overview.moving()
            if loop.time() - self._asked_at >= ASK_EVERY:
                self._asked_at = loop.time()
                sections |= await self._overview.kept()
            change = self._change(self._overview.calls(), sections)
            if change or loop.time() - self._told_at >= PULSE:
                self._told_at = loop.time()
                self._tell(self._event("change", change))

    def _change(self, calls: dict[str, Json], sections: Json) -> Json:
        """Tell what differs from the last look, and keep what is now."""
        change: Json = {name: value for name, value in sections.items() if self._sections.get(name, ...) != value}
        moved = {callid: call for callid, call in calls.items() if self._calls.get(callid) != call}
        gone = [callid for callid in self._calls if callid not in calls]
        if moved:
            change["moved"] = moved
        if gone:
            change["gone"] = gone
        self._calls, self._sections = calls, self._sections | sections
        return change

    def _whole(self) -> bytes:
        return self._event("whole", {**self._sections, "about": self._overview.about(), "calls": self._calls})

    def _event(self, name: str, what: Json) -> bytes:
        body = json.dumps({"now": round(self._clock(), 2), **what}, ensure_ascii=False, separators=(",", ":"))
        return f"event: {name}\ndata: {body}\n\n".encode(errors="replace")

    def _tell(self, change: bytes) -> None:
        for viewer in self._viewers:
            try:
                viewer.changes.put_nowait(change)
            except asyncio.QueueFull:
                viewer.let_go()


def _notice_sleep(transport: asyncio.BaseTransport | None) -> None:
    found = transport.get_extra_info("socket") if transport is not None else None
    if found is not None and found.family in (socket.AF_INET, socket.AF_INET6):
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, GONE_AFTER)
