"""Reads what a request carries, in time: a form that can be read in one way only, or a small body of any kind."""

import asyncio
from typing import NamedTuple
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from ami_planfix.web.answers import refused
from ami_planfix.web.app import BODY

BODY_WITHIN = 10.0
MOST_FIELDS = 50
_FORM = "application/x-www-form-urlencoded"


class Unreadable(NamedTuple):
    """Why a body is no form: the status that says so, and the reason."""

    status: int
    reason: str

    def answer(self) -> web.Response:
        """Say so, and close: the rest of the body may still be on its way."""
        response = refused(self.status, self.reason)
        response.force_close()
        return response


async def read_form(request: web.Request) -> dict[str, str] | Unreadable:
    """Read a form's fields within `BODY_WITHIN` seconds."""
    if request.content_type != _FORM or "Content-Encoding" in request.headers:
        return Unreadable(415, f"the body must be {_FORM}, not compressed")
    if (request.charset or "utf-8").lower() not in {"utf-8", "utf8"}:
        return Unreadable(415, "the form must be UTF-8")
    body = await read_body(request)
    return body if isinstance(body, Unreadable) else fields_of(body)


async def read_body(request: web.Request) -> bytes | Unreadable:
    """Read a body within `BODY_WITHIN` seconds; raise ConnectionError if its sender is gone."""
    if (request.content_length or 0) > BODY:
        return Unreadable(413, f"at most {BODY} bytes")
    try:
        async with asyncio.timeout(BODY_WITHIN):
            return await request.read()
    except TimeoutError:
        return Unreadable(408, f"the body did not come within {BODY_WITHIN:g} seconds")
    except HttpProcessingError:
        return Unreadable(400, "the body is no valid HTTP")
    except RuntimeError as fault:
        if request.transport is None:  # aiohttp has no other word for it
            raise ConnectionResetError from fault
        raise


def fields_of(body: bytes) -> dict[str, str] | Unreadable:
    """Read a form's fields; a field given twice could be read one way here and another way elsewhere."""
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except UnicodeDecodeError:
        return Unreadable(400, "the form is not UTF-8")
    except ValueError:
        return Unreadable(400, f"more than {MOST_FIELDS} fields")
    fields = dict(pairs)
    if len(fields) != len(pairs):
        return Unreadable(400, "a field is given twice")
    return fields
