"""The listener for this machine: whether we are well, and figures for Prometheus."""

from collections.abc import Awaitable, Callable, Iterator, Mapping

from aiohttp import web

from ami_planfix.errors import StorageError
from ami_planfix.metrics import CONTENT_TYPE, Figures, exposition
from ami_planfix.status import Board, PartState, State
from ami_planfix.web.answers import HEADERS, json_answer, refused


class Admin:
    """Answers who watches over this machine."""

    def __init__(
        self,
        board: Board,
        alive: Callable[[], bool],
        figures: Callable[[], Awaitable[Figures]],
        trusts: Callable[[web.Request], bool],
    ) -> None:
        """Strangers, whom `trusts` does not know, are told whether we are well, but neither hosts nor files."""
        self._board = board
        self._alive = alive
        self._figures = figures
        self._trusts = trusts

    def routes(self) -> list[web.AbstractRouteDef]:
        """Tell what to serve."""
        return [
            web.get("/healthz", self.healthz),
            web.get("/readyz", self.readyz),
            web.get("/metrics", self.metrics),
        ]

    async def healthz(self, request: web.Request) -> web.Response:
        """Tell how all parts are; 503 only if the daemon itself is stuck: a restart mends nothing else."""
        alive = self._alive()
        parts = self._board.parts()
        worst = next((state for state in (State.FAILED, State.WAITING) if _any(parts, state)), State.WELL)
        body: dict[str, object] = {"status": worst.value if alive else "stuck"}
        if self._trusts(request):
            body["parts"] = [part._asdict() | {"state": part.state.value} for part in parts]
        return json_answer(200 if alive else 503, body)

    async def readyz(self, request: web.Request) -> web.Response:
        """Tell whether calls are heard and kept: 503 without Asterisk or storage, which no restart mends."""
        lacking = list(_lacking({part.part: part for part in self._board.parts()}))
        if not self._alive():
            lacking.append("the daemon is stuck")
        body: dict[str, object] = {"ready": not lacking}
        if self._trusts(request):
            body["lacking"] = lacking
        return json_answer(503 if lacking else 200, body)

    async def metrics(self, _request: web.Request) -> web.Response:
        """Write the figures in Prometheus' text format."""
        try:
            figures = await self._figures()
        except StorageError as fault:
            return refused(503, str(fault))
        return web.Response(
            body=exposition(figures),
            headers={**HEADERS, "Content-Type": CONTENT_TYPE},
        )


def _lacking(parts: Mapping[str, PartState]) -> Iterator[str]:
    asterisk, storage = parts.get("asterisk"), parts.get("storage")
    if asterisk is None or asterisk.state is not State.WELL:
        yield f"asterisk: {asterisk.detail if asterisk is not None else 'not yet'}"
    if storage is not None and storage.state is State.FAILED:
        yield f"storage: {storage.detail}"


def _any(parts: tuple[PartState, ...], state: State) -> bool:
    return any(part.state is state for part in parts)
