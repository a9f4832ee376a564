"""What our listeners answer: the documented JSON bodies plus a reason, and headers that forbid guessing."""

import json
from collections.abc import Mapping

from aiohttp import web

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Server": "ami-planfix",
}

ERRORS = {
    400: "Invalid parameters",
    401: "Invalid token",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    413: "Request too large",
    415: "Unsupported media type",
    429: "Too many requests",
    500: "Internal error",
    502: "Bad gateway",
    503: "Unavailable",
}
"""`error` of each status. 400 and 401 are the vendor's (Planfix API, answers), the rest is ours."""


def taken(body: Mapping[str, object] | None = None) -> web.Response:
    """Say 200; the documented body is `{}`."""
    return json_answer(200, body or {})


def refused(status: int, reason: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Say what is wrong: `error` is fixed per status, `reason` is for a person."""
    return json_answer(status, {"error": ERRORS.get(status, "Error"), "reason": reason}, headers)


def json_answer(status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer with any JSON object."""
    return web.Response(
        status=status,
        body=json.dumps(body, ensure_ascii=False).encode(errors="replace"),
        headers={**HEADERS, "Content-Type": "application/json; charset=utf-8", **(headers or {})},
    )
