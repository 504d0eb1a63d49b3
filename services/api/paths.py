"""Paths with any character in their segments, in front of a router that sees decoded paths only.

A router that is handed ``/v1/customers/crm_id:a/b/timeline`` cannot know that ``crm_id:a%2Fb`` was
one segment. So the router here is handed segments that stay encoded, and whoever reads a segment
decodes it by ``segment_text``.

Every route with a reference in its path also has a query form, for senders whose libraries decode
paths too early: ``/v1/customers/lookup/timeline?ref=…`` and ``/v1/receipts?source=…&event_id=…``.
It is turned into the form with segments here, so that each route exists once.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

_CUSTOMER_QUERY: Final = "/v1/customers/lookup"
_RECEIPT_QUERY: Final = "/v1/receipts"


class Target(NamedTuple):
    """What the router is handed: a path of encoded segments, and the query string."""

    path: str
    query: bytes


class SegmentPaths:
    """Hands *app* paths whose segments are still encoded, and query forms as paths."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            raw: bytes | None = scope.get("raw_path")
            path = raw if raw is not None else quote(scope["path"], safe="/").encode()
            target = routed(path, scope["query_string"])
            scope = {**scope, "path": target.path, "query_string": target.query}
        await self.app(scope, receive, send)


def routed(raw_path: bytes, query: bytes) -> Target:
    """Return what the router is to see of a request's path and query, both as they were sent."""
    path = "/".join(_encoded(segment) for segment in raw_path.split(b"/"))
    if path == _CUSTOMER_QUERY or path.startswith(f"{_CUSTOMER_QUERY}/"):
        rest = path.removeprefix(_CUSTOMER_QUERY)
        return _as_segments("/v1/customers", ("ref",), rest, query) or Target(path, query)
    if path == _RECEIPT_QUERY:
        return _as_segments(path, ("source", "event_id"), "", query) or Target(path, query)
    return Target(path, query)


def segment_text(segment: str) -> str | None:
    """Return the text of an encoded *segment*; None if its bytes are no UTF-8."""
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        return None


def segment_of(text: str) -> str:
    """Return *text* as one segment of a path."""
    return quote(text, safe="")


def _encoded(segment: bytes) -> str:
    return quote(unquote_to_bytes(segment), safe="")


def _as_segments(start: str, names: Sequence[str], rest: str, query: bytes) -> Target | None:
    """Move the parameters *names* from *query* into the path; None unless each is there once."""
    pairs = [pair for pair in query.split(b"&") if pair]
    found: dict[str, str] = {}
    kept: list[bytes] = []
    for pair in pairs:
        name, _, value = pair.partition(b"=")
        key = name.decode("latin-1")
        if key in names and key not in found:
            found[key] = _encoded(value.replace(b"+", b" "))
        else:
            kept.append(pair)
    if len(found) < len(names):
        return None
    return Target("/".join((start, *(found[name] for name in names))) + rest, b"&".join(kept))
