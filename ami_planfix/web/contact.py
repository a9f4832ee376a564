"""`/contact` for this machine's dialplan: `CURL(http://127.0.0.1:8093/contact?phone=...)` -> one line of text."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from ami_planfix.contacts.answer import Answer, Question
from ami_planfix.web.answers import HEADERS, json_answer, refused

Ask = Callable[[Question], Awaitable[Answer]]


class ContactPage:
    """Answers who calls."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def routes(self) -> list[web.AbstractRouteDef]:
        """Tell what to serve."""
        return [web.get("/contact", self.contact)]

    async def contact(self, request: web.Request) -> web.Response:
        """Answer `NAME|MANAGER|1 or 0|REASON`; with `format=name` the name, with `format=json` a JSON object."""
        asked = request.query
        form = asked.get("format") or ("json" if "json" in request.headers.get("Accept", "") else "line")
        if form not in {"line", "name", "json"}:
            return refused(400, "format: line, name or json")
        if "phone" not in asked:
            return refused(400, "phone is missing")
        answer = await self._ask(Question(asked["phone"], asked.get("did", ""), asked.get("callid", "")))
        if form == "json":
            return json_answer(200, answer._asdict())
        line = answer.name if form == "name" else as_line(answer)
        return web.Response(body=line.encode(), headers={**HEADERS, "Content-Type": "text/plain; charset=utf-8"})


def as_line(answer: Answer) -> str:
    """Write an answer for `CUT(...,|,n)`; none of its texts has a `|` in it."""
    return f"{answer.name}|{answer.manager}|{int(answer.reachable)}|{answer.reason}"
