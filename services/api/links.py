"""Links to the next page."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from starlette.requests import Request

from services.api.answers import NO_HEADERS


def next_link(request: Request, cursor: str | None) -> Mapping[str, str]:
    """Return the ``Link`` header of a page that *cursor* goes on from; none on the last page.

    The address is relative to the server, because a proxy may show it under another name.
    """
    if cursor is None:
        return NO_HEADERS
    # A wait is over once the first page has come.
    kept = [
        (name, value)
        for name, value in request.query_params.multi_items()
        if name not in {"cursor", "wait_for", "timeout"}
    ]
    path = quote(request.scope["path"], safe="/%")
    return {"Link": f'<{path}?{urlencode([*kept, ("cursor", cursor)])}>; rel="next"'}
