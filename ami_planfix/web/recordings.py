"""`GET /recordings/SIGNATURE/CALLID.mp3`: a call's audio, for whoever has the link.

Without the right signature there is one answer only: nothing is here. With it, what players and browsers ask for
(ranges, conditions, HEAD: RFC 9110) is given piece by piece, with limits on how many and how slow readers may be.
"""

import asyncio
import errno
import hashlib
import os
import re
import time
from collections import Counter
from collections.abc import Mapping
from email.utils import formatdate, parsedate_to_datetime
from typing import NamedTuple, Protocol

import structlog
from aiohttp import ETag, web

from ami_planfix.errors import RecordingError, StorageError
from ami_planfix.recordings.files import Opened
from ami_planfix.recordings.formats import FORMATS
from ami_planfix.recordings.ledger import Entry
from ami_planfix.recordings.links import NOBODYS, PATH, SIGNATURE
from ami_planfix.web.answers import HEADERS, refused
from ami_planfix.web.callers import Address, Callers

log = structlog.get_logger("ami_planfix.web")

PIECE = 64 * 1024
STALL = 60.0
"""Seconds that a reader may take for a piece; players that have enough for now come again with a range."""
MOST_PER_LINK = 4
AGAIN = {"Retry-After": "10"}

_SIGNATURE = re.compile(rf"[0-9a-f]{{{SIGNATURE}}}")
_LONGEST_CALLID = 200


class Audio(Protocol):
    """Whoever knows the recordings (`recordings.playback.Playback`)."""

    async def find(self, signature: str, callid: str) -> Entry | None:
        """Check a link."""

    async def open(self, entry: Entry) -> Opened:
        """Open what is heard; raises RecordingError."""

    async def read(self, opened: Opened, at: int, size: int) -> bytes:
        """Read a piece."""


class Stretch(NamedTuple):
    """Which bytes of a file are sent."""

    start: int
    end: int
    """The first that is not."""


class Downloads:
    """Answers links to recordings."""

    def __init__(self, audio: Audio, callers: Callers, at_once: int = 20) -> None:
        self._audio = audio
        self._callers = callers
        self._at_once = at_once
        self._running: Counter[str] = Counter()

    def routes(self) -> list[web.AbstractRouteDef]:
        """Tell what to serve."""
        return [web.get(PATH + "/{signature}/{file}", self.download)]

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Answer one link."""
        address = self._callers.address_of(request)
        if not self._callers.allowed(address):
            return refused(403, "server.allow_from does not name your address")
        signature, file = request.match_info["signature"], request.match_info["file"]
        if f"{signature}/{file}" == NOBODYS:
            return _nothing()
        callid = _callid(file)
        if not _SIGNATURE.fullmatch(signature) or not 0 < len(callid) <= _LONGEST_CALLID:
            return _wrong_link(address)
        try:
            entry = await self._audio.find(signature, callid)
        except StorageError as fault:
            log.warning("recording not looked up", error=str(fault))
            return refused(503, "try again", AGAIN)
        if entry is None:
            return _wrong_link(address)
        if self._running.total() >= self._at_once or self._running[callid] >= MOST_PER_LINK:
            log.warning("download refused", call=callid, address=str(address), reason="too many at once")
            return refused(503, "too many downloads at once", AGAIN)
        self._running[callid] += 1
        try:
            return await self._give(request, entry, str(address))
        finally:
            self._running[callid] -= 1
            if not self._running[callid]:
                del self._running[callid]

    async def _give(self, request: web.Request, entry: Entry, address: str) -> web.StreamResponse:
        try:
            opened = await self._audio.open(entry)
        except (RecordingError, StorageError, OSError) as fault:
            log.warning("recording not given", call=entry.callid, error=str(fault))
            return _nothing()
        with opened:
            response, stretch = _answer(request, opened, entry.callid)
            await response.prepare(request)
            if stretch is not None and request.method != "HEAD":
                began = time.monotonic()
                whole = await self._send(request, response, opened, stretch)
                log.info(
                    "recording given" if whole else "download cut",
                    call=entry.callid,
                    address=address,
                    bytes=stretch.end - stretch.start,
                    seconds=round(time.monotonic() - began, 1),
                )
            return response

    async def _send(self, request: web.Request, response: web.StreamResponse, opened: Opened, stretch: Stretch) -> bool:
        """Send piece by piece; False if the reader was too slow, or the file became shorter or unreadable."""
        at = stretch.start
        while at < stretch.end:
            piece = await self._piece(opened, at, min(PIECE, stretch.end - at))
            at += len(piece)
            try:
                async with asyncio.timeout(STALL):
                    if piece:
                        await response.write(piece)
            except TimeoutError:
                piece = b""
            if not piece:
                # Only a broken connection tells the reader that this is not all.
                if request.transport is not None:
                    request.transport.abort()
                return False
        return True

    async def _piece(self, opened: Opened, at: int, size: int) -> bytes:
        try:
            return await self._audio.read(opened, at, size)
        except OSError as fault:
            log.warning("recording not read", file=str(opened.path), error=os.strerror(fault.errno or errno.EIO))
            return b""


def _answer(request: web.Request, opened: Opened, callid: str) -> tuple[web.StreamResponse, Stretch | None]:
    """Decide what to send: status, headers and which bytes, None if none (RFC 9110, 13.2.2)."""
    tag = hashlib.sha256(opened.fingerprint.encode(errors="surrogateescape")).hexdigest()[:24]
    headers = _headers(opened, callid, tag)
    status = _precondition(request, tag, int(opened.modified))
    if status:
        return web.StreamResponse(status=status, headers={**headers, "Content-Length": "0"}), None
    try:
        wanted = request.http_range if _range_is_of_this(request, tag, int(opened.modified)) else slice(None)
    except ValueError:
        wanted = slice(None)  # a range that is none counts as none (RFC 9110, 14.2)
    if wanted.start is None and wanted.stop is None:
        status, stretch = 200, Stretch(0, opened.size)
    else:
        status, stretch = 206, Stretch(*wanted.indices(opened.size)[:2])
        if stretch.start >= stretch.end:
            empty = {**headers, "Content-Range": f"bytes */{opened.size}", "Content-Length": "0"}
            return web.StreamResponse(status=416, headers=empty), None
        headers["Content-Range"] = f"bytes {stretch.start}-{stretch.end - 1}/{opened.size}"
    headers["Content-Length"] = str(stretch.end - stretch.start)
    return web.StreamResponse(status=status, headers=headers), stretch


def _headers(opened: Opened, callid: str, tag: str) -> dict[str, str]:
    name = re.sub(r"[^A-Za-z0-9._-]", "_", callid) + opened.path.suffix
    headers = {
        **HEADERS,
        "Content-Type": opened.format.content_type,
        "Content-Disposition": f'inline; filename="{name}"',
        "Accept-Ranges": "bytes",
        "ETag": f'"{tag}"',
        "Cache-Control": "private, no-cache",
        # A browser that opens the link by itself makes a page with a player out of it.
        "Content-Security-Policy": "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'",
    }
    if opened.modified:
        headers["Last-Modified"] = formatdate(opened.modified, usegmt=True)
    return headers


def _precondition(request: web.Request, tag: str, modified: int) -> int:
    """Tell 304 or 412 if a condition of the request demands it, else 0."""
    if request.if_match is not None:
        if not _names(request.if_match, tag):
            return 412
    elif modified and request.if_unmodified_since is not None and request.if_unmodified_since.timestamp() < modified:
        return 412
    if request.if_none_match is not None:
        return 304 if _names(request.if_none_match, tag) else 0
    since = request.if_modified_since
    return 304 if modified and since is not None and since.timestamp() >= modified else 0


def _range_is_of_this(request: web.Request, tag: str, modified: int) -> bool:
    """Tell whether a range may be given: `If-Range` names what the file is now, or is not there."""
    condition = request.headers.get("If-Range", "").strip()
    if not condition or condition == f'"{tag}"':
        return True
    try:
        return modified != 0 and int(parsedate_to_datetime(condition).timestamp()) == modified
    except (ValueError, OverflowError):
        return False


def _names(tags: tuple[ETag, ...], tag: str) -> bool:
    return any(one.value in ("*", tag) for one in tags)


def _callid(file: str) -> str:
    """Take the extension off: it is for people and players."""
    stem, _, extension = file.rpartition(".")
    return stem if f".{extension}" in FORMATS else file


def _wrong_link(address: Address) -> web.Response:
    log.warning("wrong link", address=str(address))
    return _nothing()


def _nothing(headers: Mapping[str, str] | None = None) -> web.Response:
    return refused(404, "nothing is here", headers)
