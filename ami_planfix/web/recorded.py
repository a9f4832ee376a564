"""What `ami-planfix recordings`, `deliveries` and `explain` ask of the running daemon about recordings."""

import structlog
from aiohttp import web

from ami_planfix.errors import StorageError
from ami_planfix.recordings.ledger import Entry
from ami_planfix.recordings.parts import Recordings
from ami_planfix.web.answers import json_answer, refused, taken
from ami_planfix.web.control import limit_of

log = structlog.get_logger("ami_planfix.web")


class Recorded:
    """Answers the command line; `recordings` is None where no link could lead anywhere."""

    def __init__(self, recordings: Recordings | None) -> None:
        self._recordings = recordings

    def routes(self) -> list[web.AbstractRouteDef]:
        """Tell what to serve."""
        return [
            web.get("/recordings", self.listing),
            web.get("/recordings/newest", self.newest),
            web.post("/recordings/revoke", self.revoke),
        ]

    async def listing(self, request: web.Request) -> web.Response:
        """Tell what is known of a call's recording, or which recordings wait or are missing, newest first."""
        if self._recordings is None:
            return json_answer(200, {"recordings": [], "counts": {}})
        ledger = self._recordings.ledger
        callid = request.query.get("call", "")
        try:
            limit = limit_of(request)
            if callid:
                found = await ledger.find(callid)
                entries = [found] if found is not None else []
            else:
                entries = await ledger.troubles(limit)
            counts = await ledger.counts()
        except ValueError:
            return refused(400, "limit is a number")
        except StorageError as fault:
            return refused(503, str(fault))
        return json_answer(
            200,
            {
                "recordings": [_row(entry) for entry in entries],
                "counts": {progress.value: count for progress, count in counts.items()},
            },
        )

    async def newest(self, _request: web.Request) -> web.Response:
        """Tell the newest link, for `doctor` to try, and how many recordings did not appear."""
        if self._recordings is None:
            return json_answer(200, {"link": "", "counts": {}})
        try:
            counts = await self._recordings.ledger.counts()
            link = await self._recordings.newest_link()
        except StorageError as fault:
            return refused(503, str(fault))
        return json_answer(200, {"link": link, "counts": {state.value: count for state, count in counts.items()}})

    async def revoke(self, _request: web.Request) -> web.Response:
        """Make a new key: all links that were given end."""
        if self._recordings is None:
            return refused(400, "there are no links: neither `server` nor recordings.url is configured")
        try:
            await self._recordings.links.renew()
        except StorageError as fault:
            return refused(503, str(fault))
        log.warning("links revoked", consequence="no link to a recording that was given before is good any more")
        return taken()


def _row(entry: Entry) -> dict[str, object]:
    return {
        "callid": entry.callid,
        "at": entry.at,
        "state": entry.progress.value,
        "files": list(entry.files),
        "detail": entry.detail,
        "expires": entry.expires,
    }
