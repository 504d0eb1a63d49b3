"""Paths with any character in their segments, in front of a router that sees decoded paths only.

A router that is handed ``/v1/customers/crm_id:a/b/timeline`` cannot know that ``crm_id:a%2Fb`` was
one segment. So the router here is handed segments that stay encoded, and whoever reads a segment
decodes it by ``segment_text``.

Every route of a customer also has a query form, for readers whose libraries decode paths too early:
``/v1/customers/lookup/timeline?ref=…``. It is turned into the form with segments here, so that each
route exists once.
"""

from typing import Final, NamedTuple
from urllib.parse import quote, unquote, unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

_CUSTOMERS: Final = "/v1/customers"
_LOOKUP: Final = f"{_CUSTOMERS}/lookup"


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
            # In place: who handed the scope in names the request by the route found in it.
            scope["path"], scope["query_string"] = routed(path, scope["query_string"])
        await self.app(scope, receive, send)


def routed(raw_path: bytes, query: bytes) -> Target:
    """Return what the router is to see of a request's path and query, both as they were sent."""
    path = "/".join(_encoded(segment) for segment in raw_path.split(b"/"))
    if path == _LOOKUP or path.startswith(f"{_LOOKUP}/"):
        return _by_reference(path.removeprefix(_LOOKUP), query) or Target(path, query)
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


def _by_reference(rest: str, query: bytes) -> Target | None:
    """Move the first parameter ``ref`` from *query* into the path; None if there is none."""
    pairs = query.split(b"&")
    for index, pair in enumerate(pairs):
        name, _, value = pair.partition(b"=")
        if name == b"ref":
            # An empty one stays out of the path, which would be another one without it.
            segment = _encoded(value.replace(b"+", b" ")) or "lookup"
            left = b"&".join(pairs[:index] + pairs[index + 1 :])
            return Target(f"{_CUSTOMERS}/{segment}{rest}", left)
    return None
