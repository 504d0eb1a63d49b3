"""Bodies are JSON, whatever their type says: curl calls them a form unless it is told otherwise."""

from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY: Final = 1 << 20

_NAME = b"content-type"
_JSON = (_NAME, b"application/json")


class JsonBodies:
    """Hands *app* requests whose bodies are of the one type that there is here, and not too long.

    Starlette's own limit answers in plain text, over whatever else is answered.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in {"GET", "HEAD"}:
            kept = [field for field in scope["headers"] if field[0] != _NAME]
            # In place: who handed the scope in names the request by the route found in it.
            scope["headers"] = [*kept, _JSON]
            receive = _limited(receive)
        await self.app(scope, receive, send)


def _limited(receive: Receive) -> Receive:
    read = 0

    async def limited() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > LARGEST_BODY:
            # FastAPI takes every other error of a body for one of its grammar.
            detail = f"the body has more than {LARGEST_BODY:,} bytes: send it in parts"
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
        return message

    return limited
