"""HTTP requests that no client should send."""

import gzip
from collections.abc import Callable, Sequence
from random import Random
from urllib.parse import quote_from_bytes

from tests.fuzz.mutation import damaged, poison

METHODS = (
    b"GET",
    b"POST",
    b"POST",
    b"HEAD",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"TRACE",
    b"CONNECT",
    b"PRI",
    b"get",
    b"\0",
    b"",
)
VERSIONS = (b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9.9", b"HTTP/1.1 x", b"")
HOSTS = (b"127.0.0.1", b"evil.example", b"localhost:8093", b"[::1]", b"", b"a b", b"127.0.0.1\r\nHost: evil.example")
LINES = (
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding:\x0bchunked",
    b"Transfer-Encoding: xchunked",
    b"Content-Length: 0",
    b"Content-Length: 5",
    b"Content-Length: +5",
    b"Content-Length: 5, 6",
    b"Content-Length: 99999999999999999999999",
    b"Content-Length: -1",
    b"Content-Encoding: gzip",
    b"Content-Encoding: deflate",
    b"Content-Type: application/x-www-form-urlencoded; charset=utf-7",
    b"Content-Type: application/x-www-form-urlencoded; charset=idna",
    b"Content-Type: multipart/form-data; boundary=x",
    b"Content-Type: application/json",
    b"Content-Type: \xff/\xfe; =",
    b"Expect: 100-continue",
    b"Expect: 200-maybe",
    b"Connection: close",
    b"Connection: keep-alive, Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Key: x",
    b"Upgrade: h2c",
    b"X-Forwarded-For: 127.0.0.1",
    b"X-Forwarded-For: " + b"1.1.1.1, " * 300,
    b"Origin: https://evil.example",
    b"Cookie: " + b"a=b; " * 500,
    b"Accept: application/json",
    b"Accept-Language: " + b"ru;q=0.1, " * 200,
    b"No colon at all",
    b" folded: line",
    b": nameless",
    b"Name : blank",
)
CONDITIONS = (
    b"Range: bytes=0-",
    b"Range: bytes=-1",
    b"Range: bytes=99999999999999999999-",
    b"Range: bytes=5-1",
    b"Range: bytes=" + b"0-1," * 500,
    b"If-Range: Wed, 21 Oct 0000 07:28:00 GMT",
    b'If-None-Match: W/"x", *, "',
    b"If-Match: *",
    b"If-Modified-Since: Thu, 99 Foo 99999 99:99:99 GMT",
    b"If-Unmodified-Since: Sun, 06 Nov 0001 00:00:00 GMT",
)
"""What players and browsers say of a file, and what they should not."""
ATTACKS = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
    b"GET /\r\n\r\n",
    b"\r\n" * 50 + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET " + b"/" * 9000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 4000,
    b"A" * 70_000,
    b"* * *\r\n\r\n",
)
"""What is no request."""
CALLS = (b"makeCall", b"setup", b"event", b"", b"makecall", b"ping")


Wish = tuple[bytes, bytes]
"""A path and a body."""
PATHS: tuple[Callable[[Random, bytes], bytes], ...] = (
    lambda random, path: path + b"/" + quote_from_bytes(poison(random)).encode(),
    lambda random, path: path + b"?" + poison(random),
    lambda random, path: b"http://evil.example" + path,
    lambda random, path: b"//evil.example" + path,
    lambda random, path: path.replace(b"/", b"/%2e%2e/"),
    lambda random, path: path.upper(),
    lambda random, path: b"*",
    damaged,
)
"""What can be done to a path."""
SINS = (
    "method",
    "version",
    "host",
    "path",
    "body",
    "bomb",
    "size",
    "chunks",
    "length",
    "line",
    "line",
    "poison",
    "type",
)


def request(random: Random, wishes: Sequence[Wish], lines: Sequence[bytes] = ()) -> bytes:
    """Write one to some requests on one connection; `lines` are headers that belong there."""
    if random.random() < 0.05:
        return random.choice(ATTACKS)
    many = random.choice((1, 1, 1, 1, 2, 3, 30))
    data = b"".join(_one(random, *random.choice(wishes), lines) for _ in range(many))
    return damaged(random, data, LINES, 2) if random.random() < 0.1 else data


def _one(random: Random, path: bytes, body: bytes, lines: Sequence[bytes]) -> bytes:
    """Write a request that is sane but for some sins."""
    sins = random.sample(SINS, random.choice((0, 0, 0, 1, 1, 1, 2, 4)))
    if "path" in sins:
        path = random.choice(PATHS)(random, path)
    if "body" in sins:
        body = damaged(random, body)
    if "bomb" in sins:
        body = gzip.compress(b"0" * 5_000_000, mtime=0)
    if "size" in sins:
        body = (body * 2000)[:300_000]
    head = [b"Host: " + (random.choice(HOSTS) if "host" in sins else b"127.0.0.1")]
    if body and "type" not in sins:
        head.append(b"Content-Type: application/x-www-form-urlencoded")
    head += random.sample(lines, min(len(lines), random.choice((0, 1, 2))))
    if "chunks" in sins:
        head.append(b"Transfer-Encoding: chunked")
        body = _chunked(random, body)
    elif body:
        head.append(
            b"Content-Length: %d" % max(0, len(body) + (random.choice((1, -1, 100)) if "length" in sins else 0))
        )
    for _ in range(sins.count("line")):
        head.insert(random.randint(0, len(head)), random.choice(LINES))
    if "poison" in sins:
        head.insert(random.randint(0, len(head)), poison(random))
    method = random.choice(METHODS) if "method" in sins else b"POST" if body else b"GET"
    version = random.choice(VERSIONS) if "version" in sins else b"HTTP/1.1"
    return b"%s %s %s\r\n%s\r\n\r\n%s" % (method, path, version, b"\r\n".join(head), body)


def _chunked(random: Random, body: bytes) -> bytes:
    sizes = (b"%x", b"0x%x", b"%x;ext=1", b"+%x", b"%x\r\nX: y", b"-%x") if random.random() < 0.3 else (b"%x",)
    size = random.choice(sizes) % len(body)
    return (
        size
        + b"\r\n"
        + body
        + b"\r\n"
        + random.choice((b"0\r\n\r\n", b"0\r\nTrailer: x\r\n\r\n", b"", b"ffffffffff\r\n"))
    )
