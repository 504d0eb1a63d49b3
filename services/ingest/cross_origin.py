"""CORS: which pages may post, and read what they are answered."""

from typing import Final

from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from shared.http.asgi import Headers, header_text, respond
from shared.sources import Source

ALLOWED_HEADERS: Final = (
    b"authorization, content-type, anonymousid, sentat, x-retry-count, x-write-key, "
    b"rsa-retry-attempt, rsa-retry-reason, rsa-since-first-attempt, rsa-since-last-attempt, "
    b"rsa-recovered"
)
"""What SDKs send, some only when they try again; a ``*`` would not cover Authorization."""

_PREFLIGHT: Final = (
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (b"access-control-allow-headers", ALLOWED_HEADERS),
    (b"access-control-max-age", b"86400"),
)


def cross_origin_headers(origin: str | None, source: Source | None) -> Headers:
    """Return the headers that let a page read an answer.

    Args:
        origin: The page; None if the sender is none.
        source: Whose allowed origins count; None while it is not known, when any page may read
            that it is refused.
    """
    if origin is None:
        return ()
    if source is not None and not source.settings.allows_origin(origin):
        return ((b"vary", b"origin"),)
    return (
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", b"retry-after, x-request-id"),
        (b"vary", b"origin"),
    )


async def answer_preflight(scope: AsgiScope, _: Receive, send: Send) -> None:
    """Answer OPTIONS, which comes without a key and so from any page."""
    origin = header_text(scope, b"origin")
    await respond(send, 204, b"", [*_PREFLIGHT, *cross_origin_headers(origin, None)])
