"""Bodies are JSON, whatever their type says: curl calls them a form unless it is told otherwise."""

from starlette.types import ASGIApp, Receive, Scope, Send

_NAME = b"content-type"
_JSON = (_NAME, b"application/json")


class JsonBodies:
    """Hands *app* requests whose bodies are of the one type that there is here."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in {"GET", "HEAD"}:
            kept = [field for field in scope["headers"] if field[0] != _NAME]
            # In place: who handed the scope in names the request by the route found in it.
            scope["headers"] = [*kept, _JSON]
        await self.app(scope, receive, send)
