"""The API's documentation as pages: Swagger UI from its Python package.

Nothing is fetched from another host and no script stands in the page, so that the strict content
security policy of ``Front`` holds for it as for every other page.
"""

from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Final

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.http.asgi import by_method, header, respond

_PACKAGE: Final = "fastapi_offline"
"""Only for the files of Swagger UI 5 in it; the widespread bundle package stops at version 4."""

_FILES: Final = {
    "swagger-ui.css": b"text/css; charset=utf-8",
    "swagger-ui-bundle.js": b"text/javascript; charset=utf-8",
    "favicon.png": b"image/png",
}
_HTML: Final = b"text/html; charset=utf-8"
_SCRIPT: Final = b"text/javascript; charset=utf-8"

_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="{path}/swagger-ui.css">
<link rel="icon" type="image/png" href="{path}/favicon.png">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>The pages need JavaScript; the description itself is at {openapi}.</noscript>
<script src="{path}/swagger-ui-bundle.js"></script>
<script src="{path}/start.js"></script>
</body>
</html>
"""
_START: Final = """\
SwaggerUIBundle({{
  url: {openapi},
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  tryItOutEnabled: true,
}});
"""


def docs_routes(
    title: str, *, path: str = "/docs", openapi: str = "/openapi.json"
) -> dict[str, ASGIApp]:
    """Return the endpoints of the documentation and its files, for ``Front``.

    The FastAPI application behind is made with ``docs_url=None, redoc_url=None``.

    Args:
        title: Of the page.
        path: Of the page; the files are below it.
        openapi: Where the description is.
    """
    page = _PAGE.format(title=escape(title), path=path, openapi=escape(openapi))
    start = _START.format(openapi=msgspec.json.encode(openapi).decode())
    folder = files(_PACKAGE) / "static"
    routes: dict[str, ASGIApp] = {
        path: _stored(page.encode(), _HTML),
        f"{path}/start.js": _stored(start.encode(), _SCRIPT),
    }
    for name, content_type in _FILES.items():
        routes[f"{path}/{name}"] = _stored((folder / name).read_bytes(), content_type)
    return routes


def _stored(content: bytes, content_type: bytes) -> ASGIApp:
    """Return an endpoint that answers with *content*, or 304 to whoever has it already."""
    etag = f'"{sha256(content).hexdigest()[:32]}"'.encode()
    headers = [
        (b"content-type", content_type),
        (b"etag", etag),
        (b"cache-control", b"no-cache"),
    ]

    async def answer(scope: Scope, _: Receive, send: Send) -> None:
        if header(scope, b"if-none-match") == etag:
            await respond(send, 304, b"", headers)
        else:
            await respond(send, 200, content, headers)

    return by_method({"GET": answer})
