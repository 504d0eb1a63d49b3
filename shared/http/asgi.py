"""What plain ASGI endpoints need: bodies within limits, answers, headers, path segments.

Everything here raises an error of ``shared/errors.py`` instead of answering it: ``Front`` turns
what an endpoint raises into a problem.
"""

import re
import secrets
import zlib
from collections.abc import AsyncGenerator, Iterable, Mapping
from http import HTTPStatus
from itertools import count
from typing import Final, TypeAlias
from urllib.parse import unquote

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import PermanentError, TooLarge, Unreadable

MAX_BODY_BYTES: Final = 4 << 20
MAX_INFLATED_BYTES: Final = 16 << 20

Headers: TypeAlias = Iterable[tuple[bytes, bytes]]
"""Header fields, names in lower case."""

JSON: Final = (b"content-type", b"application/json")

_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_FRAME: Final = 16 + zlib.MAX_WBITS
_MOST_MEMBERS: Final = 16
"""Gzip files may be concatenated; each further one costs a copy of the rest."""
_PROCESS: Final = secrets.token_hex(8)
_numbers: Final = count(1)

_BODILESS: Final = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9_.-]{1,128}")


class MethodNotAllowed(PermanentError):
    """The path exists, but not for this method; ``allowed`` lists those it exists for."""

    code = "method_not_allowed"

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = tuple(allowed)
        super().__init__(f"this path answers {', '.join(self.allowed)} only")


def by_method(endpoints: Mapping[str, ASGIApp]) -> ASGIApp:
    """Return an endpoint that hands a request to the one for its method.

    HEAD goes to GET where nothing else is named for it; the body of its answer is not sent.

    Args:
        endpoints: For each method, in capitals, the endpoint that answers it. Answering OPTIONS
            without asking for a key (for CORS) takes an entry of its own.

    Raises:
        MethodNotAllowed: by the returned endpoint, for every other method.
    """
    table = dict(endpoints)
    if "GET" in table:
        table.setdefault("HEAD", table["GET"])

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = table.get(scope["method"])
        if endpoint is None:
            raise MethodNotAllowed(table)
        await endpoint(scope, receive, send)

    return dispatch


async def read_body(receive: Receive, *, limit: int = MAX_BODY_BYTES) -> bytes:
    """Return the whole body of a request.

    Args:
        receive: Of the request.
        limit: Bytes at most, as sent.

    Raises:
        TooLarge: There are more; the rest is not read.
        ClientDisconnect: The client went away, or took too long; nobody reads an answer.
    """
    first = await receive()
    if first["type"] == "http.request" and not first.get("more_body", False):
        body: bytes = first.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        return body
    parts = bytearray()
    async for part in _parts(first, receive):
        parts += part
        if len(parts) > limit:
            raise _too_large(limit)
    return bytes(parts)


async def stream_body(receive: Receive) -> AsyncGenerator[bytes]:
    """Yield the body of a request as it comes, without any limit to its length.

    Raises:
        ClientDisconnect: The client went away; what was yielded is not the whole body.
    """
    async for part in _parts(await receive(), receive):
        yield part


def inflated(body: bytes, encoding: bytes | None, *, limit: int = MAX_INFLATED_BYTES) -> bytes:
    """Return *body* as it was before gzip; a body that was not gzipped as it is.

    Some SDKs gzip without saying so: two magic bytes, which no JSON begins with, tell it as well.
    A body that says gzip and is none (a proxy may have inflated it) is taken as it is.

    Args:
        body: As sent.
        encoding: The ``Content-Encoding`` header.
        limit: Bytes at most, inflated; no more than that is ever held.

    Raises:
        TooLarge: There are more.
        Unreadable: The gzip is broken or cut off, or *encoding* is another one; code
            ``bad_encoding``.
    """
    if body.startswith(_GZIP_MAGIC):
        return _gunzip(body, limit)
    if encoding is not None and encoding.strip().lower() not in (b"", b"identity", b"gzip"):
        raise Unreadable(
            "Content-Encoding is not gzip: send the body gzipped, or as it is", code="bad_encoding"
        )
    return body


async def read_inflated(
    scope: Scope,
    receive: Receive,
    *,
    limit: int = MAX_BODY_BYTES,
    inflated_limit: int = MAX_INFLATED_BYTES,
) -> bytes:
    """Return the whole body of a request, inflated: ``read_body``, then ``inflated``."""
    body = await read_body(receive, limit=limit)
    return inflated(body, header(scope, b"content-encoding"), limit=inflated_limit)


async def respond(send: Send, status: int, body: bytes, headers: Headers = (JSON,)) -> None:
    """Send a whole answer; Content-Length is added here, where the status lets a body follow."""
    length = (b"content-length", str(len(body)).encode())
    fields = [*headers] if status in _BODILESS else [*headers, length]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


def header(scope: Scope, name: bytes) -> bytes | None:
    """Return the first header *name*, given in lower case; None if there is none."""
    fields: list[tuple[bytes, bytes]] = scope["headers"]
    for field, value in fields:
        if field == name:
            return value
    return None


def header_text(scope: Scope, name: bytes) -> str | None:
    """Return what ``header`` returns, as text in Latin-1, which any bytes are."""
    value = header(scope, name)
    return None if value is None else value.decode("latin-1")


def path_segments(scope: Scope) -> tuple[str, ...]:
    """Return the segments of the path, split before they are decoded, so that ``%2F`` stays in one.

    Raises:
        Unreadable: A segment is not UTF-8; code ``bad_path``.
    """
    raw: bytes = scope["raw_path"]
    try:
        return tuple(
            unquote(segment, errors="strict") for segment in raw.decode("ascii")[1:].split("/")
        )
    except UnicodeDecodeError:
        raise Unreadable(
            "a part of the path is not UTF-8 once percent-decoded", code="bad_path"
        ) from None


def request_id_for(scope: Scope) -> str:
    """Return the id that the sender gave the request, if it is a sound one, else a new one."""
    given = header(scope, b"x-request-id")
    if given is not None and _REQUEST_ID.fullmatch(given) is not None:
        return given.decode("ascii")
    return new_request_id()


def new_request_id() -> str:
    """Return 32 hexadecimal digits: 16 at random for this process, and a number."""
    return f"{_PROCESS}{next(_numbers):016x}"


def request_id(scope: Scope) -> str:
    """Return the id that ``Front`` gave the request; where there is no ``Front``, give it one."""
    state: dict[str, str] = scope.setdefault("state", {})
    if "request_id" not in state:
        state["request_id"] = request_id_for(scope)
    return state["request_id"]


async def _parts(first: Mapping[str, object], receive: Receive) -> AsyncGenerator[bytes]:
    message = first
    while message["type"] == "http.request":
        part = message.get("body")
        if isinstance(part, bytes) and part:
            yield part
        if not message.get("more_body", False):
            return
        message = await receive()
    raise ClientDisconnect


def _gunzip(body: bytes, limit: int) -> bytes:
    """Inflate all members of *body*, each within what the ones before it left of *limit*."""
    whole = bytearray()
    rest = body
    for _ in range(_MOST_MEMBERS):
        stream = zlib.decompressobj(_GZIP_FRAME)
        try:
            whole += stream.decompress(rest, limit - len(whole) + 1)
        except zlib.error:
            raise _broken_gzip() from None
        if len(whole) > limit:
            raise _too_large(limit, " inflated")
        rest = stream.unused_data
        if not stream.eof:
            raise _broken_gzip()
        if not rest:
            return bytes(whole)
    raise _broken_gzip()


def _too_large(limit: int, inflated: str = "") -> TooLarge:
    message = f"the body has more than {limit:,} bytes{inflated}: send it in parts"
    return TooLarge(message, code="body_too_large")


def _broken_gzip() -> Unreadable:
    return Unreadable("the gzip in the body is broken or cut off", code="bad_encoding")
