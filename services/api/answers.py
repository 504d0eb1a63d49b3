"""Answers: JSON bodies, their entity tags, and how fresh they are."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from services.api.etags import holds, weak_etag
from services.api.freshness import Freshness
from shared.touchpoints import JsonObject

JSON: Final = "application/json"
NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
NO_STORE: Final[Mapping[str, str]] = MappingProxyType({"Cache-Control": "no-store"})

_encoder: Final = msgspec.json.Encoder()


def json_answer(
    content: object, *, status: int = 200, headers: Mapping[str, str] = NO_HEADERS
) -> Response:
    """Answer with *content*, anything msgspec encodes."""
    return Response(_encoder.encode(content), status, headers, JSON)


def fresh_answer(
    request: Request,
    content: object,
    freshness: Freshness,
    *,
    moving: JsonObject | None = None,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Response:
    """Answer with *content* and how fresh it is, or 304 where the reader holds it already.

    Args:
        request: Its ``If-None-Match`` is compared with the entity tag.
        content: Anything non-empty that msgspec encodes as an object.
        freshness: Becomes the member ``freshness``.
        moving: Members that change with time alone; like freshness, they are not in the tag.
        headers: Further ones.
    """
    encoded = _encoder.encode(content)
    etag = weak_etag(encoded)
    sent = {**headers, "ETag": etag, "Cache-Control": "private, no-cache"}
    if holds(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=sent)
    rest = _encoder.encode({**(moving or {}), "freshness": freshness.document()})
    return Response(encoded[:-1] + b"," + rest[1:], 200, sent, JSON)
