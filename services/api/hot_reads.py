"""Hot reads: the busiest routes, by a shorter way to the functions that answer them.

FastAPI's way to an endpoint takes longer than a journey takes to be read. Hot routes are FastAPI's
all the same: it describes them, and the short way calls, in the same order, what it would call.
Whatever is not one of them, as it stands in the path, is left to FastAPI.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.api.asking import reader_of
from services.api.guards import admitted
from services.api.parameters import Parameters
from services.api.paths import routed
from services.api.request_rates import noted_headers
from services.api.validation import refusal
from shared.errors import JourneylineError
from shared.http.asgi import request_id
from shared.http.problems import problem, response_of
from shared.keys import Scope as KeyScope

_CUSTOMERS: Final = "/v1/customers/"
_CUSTOMER: Final = "/v1/customers/{ref}"

Asked = TypeVar("Asked", bound=Parameters)
Endpoint: TypeAlias = Callable[[Request, str, Asked], Awaitable[Response]]
"""Of a route about one customer: the request, the encoded segment that names them, its query."""


@dataclass(frozen=True, slots=True)
class HotRead:
    """A GET about one customer, for holders of keys that may read customers."""

    path: str
    answer: Callable[[Request, str], Awaitable[Response]]

    @property
    def path_format(self) -> str:
        """The pattern of the path, under the name that it has at FastAPI's routes."""
        return self.path


def hot_read(path: str, endpoint: Endpoint[Asked], model: type[Asked]) -> HotRead:
    """Return the short way to *endpoint*.

    Args:
        path: As the route has it; begins with ``/v1/customers/{ref}``.
        endpoint: Of the route.
        model: What the query is read as.
    """
    read_query = reader_of(model)

    async def answer(request: Request, segment: str) -> Response:
        await admitted(request, KeyScope.CUSTOMERS_READ)
        return await endpoint(request, segment, await read_query(request))

    return HotRead(path, answer)


class HotReads:
    """Answers requests for some routes of *app* in its place.

    Args:
        app: Has routes of the same paths.
        reads: No two of the same path.
    """

    def __init__(self, app: FastAPI, reads: Iterable[HotRead]) -> None:
        self._app = app
        self._by_rest = {read.path.removeprefix(_CUSTOMER): read for read in reads}

    async def answered(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer the request, or return False and leave it as it is."""
        if scope["type"] != "http" or scope["method"] != "GET":
            return False
        raw: bytes | None = scope.get("raw_path")
        if raw is None or not scope["path"].startswith(_CUSTOMERS):
            return False
        target = routed(raw, scope["query_string"])
        segment, slash, rest = target.path.removeprefix(_CUSTOMERS).partition("/")
        read = self._by_rest.get(slash + rest)
        if read is None or not segment:
            return False
        scope["path"], scope["query_string"] = target
        scope["route"] = read  # by which the front counts, and the trail of reads names it
        scope["path_params"] = {"ref": segment}
        scope["app"] = self._app
        response = await _response(read, Request(scope, receive), segment)
        response.headers.update(noted_headers(scope))
        await response(scope, receive, send)
        return True


async def _response(read: HotRead, request: Request, segment: str) -> Response:
    try:
        return await read.answer(request, segment)
    except RequestValidationError as error:
        refused: JourneylineError = refusal(request, error)
    except JourneylineError as error:
        refused = error
    return response_of(problem(refused, request_id(request.scope)))
