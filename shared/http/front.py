"""The front of every service: what happens to each request before and after its endpoint.

One dictionary look-up on the path finds a plain ASGI endpoint; every other path goes to the
FastAPI application behind. Each request gets an id, each answer that id and the security headers,
each error becomes a problem.

Nothing here ever redirects. An application handed in as *rest* is made with
``redirect_slashes=False``, or it will.
"""

import asyncio
from collections.abc import Mapping
from time import monotonic, perf_counter
from typing import Final, NamedTuple

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import NotFound, Overloaded
from shared.http.asgi import request_id_for, respond
from shared.http.problems import Answer, TooManyRequests, problem
from shared.http.sign_ins import SignIns
from shared.logs import REQUEST_ID
from shared.metrics import count_request

SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
CONTENT_SECURITY_POLICY: Final = (
    b"content-security-policy",
    (
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        b"font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        b"frame-ancestors 'none'"
    ),
)
"""For HTML that sets no policy of its own: files of this server alone, nothing inline."""

WILDCARD: Final = "/*"

_UNAUTHORIZED: Final = 401
_CLIENT_GONE: Final = 499
_INTERNAL_ERROR: Final = 500

_log: Final = structlog.get_logger(__name__)


async def nothing_else(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer for a service that has no application behind its plain endpoints: nothing is there.

    Raises:
        NotFound: always, for a request.
    """
    if scope["type"] != "lifespan":
        raise NotFound("there is nothing at this path")
    for stage in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{stage}.complete"})


class _Route(NamedTuple):
    """An endpoint and the name that its requests are counted under."""

    name: str
    endpoint: ASGIApp


class Front:
    """The ASGI application that a server runs.

    Args:
        hot: Plain ASGI endpoints by path. A path that ends in ``/*`` stands for all paths below it
            (``path_segments`` reads them), unless one is named itself. An endpoint raises what is
            in ``shared/errors.py``, or anything else by mistake; it is answered here.
        rest: Answers all other paths, with HEAD turned into GET, and gets the lifespan messages.
    """

    def __init__(self, hot: Mapping[str, ASGIApp], rest: ASGIApp = nothing_else) -> None:
        routes = {path: _Route(path, endpoint) for path, endpoint in hot.items()}
        self._exact = {path: route for path, route in routes.items() if not _is_wild(path)}
        self._wild = {
            path.removesuffix("*"): route for path, route in routes.items() if _is_wild(path)
        }
        self._wild_starts = tuple(self._wild)
        self._rest = rest
        self._sign_ins = SignIns(monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        identity = request_id_for(scope)
        scope.setdefault("state", {})["request_id"] = identity
        REQUEST_ID.set(identity)
        route = self._exact.get(scope["path"]) or self._wildly(scope["path"])
        outgoing = _Outgoing(send, identity, scope, self._sign_ins)
        started = perf_counter()
        if route is not None:
            await _answered(route.endpoint, scope, receive, outgoing)
            name = route.name
        else:
            name = await self._from_rest(scope, receive, outgoing)
        count_request(name, scope["method"], outgoing.status, perf_counter() - started)

    def _wildly(self, path: str) -> _Route | None:
        if not path.startswith(self._wild_starts):
            return None
        fitting = [start for start in self._wild_starts if path.startswith(start)]
        return self._wild[max(fitting, key=len)]

    async def _from_rest(self, scope: Scope, receive: Receive, outgoing: "_Outgoing") -> str:
        """Hand a request to the application behind; return the pattern of the route it took."""
        handed = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        await _answered(self._rest, handed, receive, outgoing)
        return str(getattr(handed.get("route"), "path", "other"))


class _Outgoing:
    """Sends one answer, with the headers that every answer has.

    Whoever fails to sign in too often is answered 429 in place of 401.
    """

    __slots__ = (
        "_head_only",
        "_identity",
        "_replaced",
        "_scope",
        "_send",
        "_sign_ins",
        "request_id",
        "status",
    )

    def __init__(self, send: Send, request_id: str, scope: Scope, sign_ins: SignIns) -> None:
        self._send = send
        self._scope = scope
        self._sign_ins = sign_ins
        self._replaced = False
        self.request_id = request_id
        self._identity = (b"x-request-id", request_id.encode("ascii"))
        self._head_only = scope["method"] == "HEAD"
        self.status = 0
        """That was sent; 0 before that."""

    async def send(self, message: Message) -> None:
        """Send *message* on; of an answer to HEAD, only what stands before its body."""
        if self._replaced:
            return
        if message["type"] == "http.response.start":
            if message["status"] == _UNAUTHORIZED and await self._slowed_down():
                return
            self.status = message["status"]
            headers = [*message.get("headers", ()), *SECURITY_HEADERS, self._identity]
            if _is_page(headers):
                headers.append(CONTENT_SECURITY_POLICY)
            await self._send({**message, "headers": headers})
            if self._head_only:
                await self._send({"type": "http.response.body", "body": b""})
        elif not self._head_only:
            await self._send(message)

    async def _slowed_down(self) -> bool:
        """Answer a client that failed too often to wait, in place of its 401."""
        seconds = self._sign_ins.failed(self._scope)
        if seconds is None:
            return False
        error = TooManyRequests(
            "too many requests with keys that are not in force came from here: wait, and look at "
            "which key your program has",
            retry_after_seconds=seconds,
        )
        answer = problem(error, self.request_id)
        await respond(self.send, answer.status, answer.body, answer.headers)
        self._replaced = True
        return True

    async def answer(self, answer: Answer) -> None:
        """Send *answer*, unless another one has begun already."""
        if not self.status:
            await respond(self.send, answer.status, answer.body, answer.headers)


async def _answered(app: ASGIApp, scope: Scope, receive: Receive, outgoing: _Outgoing) -> None:
    """Let *app* answer, and answer what it raises.

    A request that is cancelled is one that this process had no time left for when it stopped;
    whether what it asked for has happened is unknown, which is what 503 says. It ends there: a
    stop is no error for the server's log.
    """
    try:
        await app(scope, receive, outgoing.send)
    except ClientDisconnect:
        outgoing.status = _CLIENT_GONE
    except asyncio.CancelledError:
        stopping = Overloaded("this process is stopping: send the request again")
        await outgoing.answer(problem(stopping, outgoing.request_id))
    except Exception as error:  # noqa: BLE001 - the last resort of every request
        answer = problem(error, outgoing.request_id)
        if answer.status == _INTERNAL_ERROR:
            _log.error("a request failed", method=scope["method"], exc_info=error)
        await outgoing.answer(answer)
    else:
        outgoing.status = outgoing.status or _CLIENT_GONE


def _is_page(headers: list[tuple[bytes, bytes]]) -> bool:
    """Tell whether an answer is HTML that does not bring a policy of its own."""
    names = dict(headers)
    content_type = names.get(b"content-type", b"")
    return content_type.startswith(b"text/html") and CONTENT_SECURITY_POLICY[0] not in names


def _is_wild(path: str) -> bool:
    return path.endswith(WILDCARD)
