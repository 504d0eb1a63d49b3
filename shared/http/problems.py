"""Errors as answers: the one place that knows HTTP statuses (RFC 9457 problem details)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from shared import errors
from shared.errors import (
    Fault,
    Invalid,
    JourneylineError,
    NotFound,
    RetryableError,
    TooLarge,
    Unreadable,
)
from shared.http.asgi import Headers, MethodNotAllowed, request_id
from shared.logs import without_secrets

CONTENT_TYPE: Final = b"application/problem+json"

CHALLENGE: Final = b'Bearer realm="journeyline", Basic realm="journeyline", charset="UTF-8"'
"""What a 401 asks for."""


class TooManyRequests(RetryableError):
    """A sender is over its rate; it may go on after ``retry_after_seconds``."""

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = max(1, math.ceil(retry_after_seconds))


class RequestTimeout(errors.PermanentError):
    """The request did not arrive in the time that its kind may take."""

    code = "request_timeout"


class HeadTooLarge(errors.PermanentError):
    """The request line and headers together are over their limit."""

    code = "head_too_large"


STATUS_OF: Final[Mapping[type[Exception], HTTPStatus]] = MappingProxyType(
    {
        TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
        errors.NotYet: HTTPStatus.GATEWAY_TIMEOUT,
        errors.RetryableError: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.Unreadable: HTTPStatus.BAD_REQUEST,
        errors.Unauthorized: HTTPStatus.UNAUTHORIZED,
        errors.Forbidden: HTTPStatus.FORBIDDEN,
        errors.NotFound: HTTPStatus.NOT_FOUND,
        MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
        RequestTimeout: HTTPStatus.REQUEST_TIMEOUT,
        errors.Conflict: HTTPStatus.CONFLICT,
        errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        errors.UnsupportedMedia: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        errors.Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
        HeadTooLarge: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    }
)
"""The status of each kind of error; a kind that is not listed has that of the kind above it."""

_UNEXPECTED: Final = "something went wrong here; the log has more under this request_id"
_FAULTS_IN_MESSAGE: Final = 3
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_encoder: Final = msgspec.json.Encoder()


class Answer(NamedTuple):
    """A whole answer, for ``respond``; header names are in lower case."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def status_of(error: Exception) -> HTTPStatus:
    """Return the status that *error* is answered with; 500 for what nobody expected."""
    for kind in type(error).__mro__:
        status = STATUS_OF.get(kind)
        if status is not None:
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR


def problem(error: Exception, request_id: str) -> Answer:
    """Return the answer to a request that ended in *error*.

    An error that STATUS_OF does not lead to a status is not explained to the client: its message
    may hold anything. Whoever sends the answer logs the error with the request's id.
    """
    status = status_of(error)
    if not isinstance(error, JourneylineError) or status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return _answer(status, "internal_error", _UNEXPECTED, request_id)
    headers = _headers_for(error, status)
    return _answer(
        status, error.code, error.message, request_id, faults=error.faults, further=headers
    )


def install_problems(app: FastAPI) -> None:
    """Make *app* answer every error as a problem, also those of FastAPI and Starlette themselves.

    Parameters that are wrong are 400, a body that cannot be read is 400, one that is wrong is 422.
    Answers are never redirects as long as the application is made with
    ``redirect_slashes=False``, which cannot be set from here.
    """
    app.add_exception_handler(Exception, _answer_error)
    app.add_exception_handler(JourneylineError, _answer_error)
    app.add_exception_handler(HTTPException, _answer_http_exception)
    app.add_exception_handler(RequestValidationError, _answer_validation_error)


def response_of(answer: Answer) -> Response:
    """Return *answer* as Starlette sends it."""
    response = Response(answer.body, answer.status)
    response.raw_headers.extend(answer.headers)
    return response


def _answer(
    status: HTTPStatus,
    code: str,
    message: str,
    request_id: str,
    *,
    faults: Sequence[Fault] = (),
    further: Headers = (),
) -> Answer:
    document: dict[str, object] = {
        "type": f"urn:journeyline:problem:{code}",
        "title": status.phrase,
        "status": status.value,
        "detail": _sayable(message),
        "code": code,
        "message": _sayable(message),
        "request_id": request_id,
    }
    if faults:
        document["errors"] = [_sayable_fault(fault) for fault in faults]
    headers = [(b"content-type", CONTENT_TYPE), (b"cache-control", b"no-store"), *further]
    return Answer(status.value, headers, _encoder.encode(document))


def _sayable(text: str) -> str:
    """Return *text* as an answer may quote it, whatever was sent.

    Without lone surrogates, which names of members may hold, and without keys in the wrong place:
    answers end in other people's logs.
    """
    return without_secrets(text.encode("utf-8", "replace").decode("utf-8"))


def _sayable_fault(fault: Fault) -> Fault:
    return replace(fault, path=_sayable(fault.path), message=_sayable(fault.message))


def _headers_for(error: JourneylineError, status: HTTPStatus) -> list[tuple[bytes, bytes]]:
    if status is HTTPStatus.UNAUTHORIZED:
        return [(b"www-authenticate", CHALLENGE)]
    match error:
        case MethodNotAllowed(allowed=allowed):
            return [(b"allow", ", ".join(allowed).encode())]
        case RetryableError(retry_after_seconds=seconds):
            return [(b"retry-after", str(seconds).encode())]
        case _:
            return []


async def _answer_error(request: Request, error: Exception) -> Response:
    return response_of(problem(error, request_id(request.scope)))


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    """Answer what Starlette and FastAPI raise: no such path, a body that is no text."""
    identity = request_id(request.scope)
    if not isinstance(error, HTTPException):
        return response_of(problem(error, identity))
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            answer = problem(NotFound("there is nothing at this path"), identity)
        case HTTPStatus.METHOD_NOT_ALLOWED:
            answer = problem(MethodNotAllowed(_methods_at(request)), identity)
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            answer = problem(TooLarge(error.detail, code="body_too_large"), identity)
        case HTTPStatus.BAD_REQUEST:
            answer = problem(Unreadable("the body is not JSON", code="bad_json"), identity)
        case status:
            answer = _answer(HTTPStatus(status), "http_error", error.detail, identity)
    return response_of(answer)


def _methods_at(request: Request) -> list[str]:
    """Return the methods that the path of *request* answers, over all routes there are for it."""
    routes: list[BaseRoute] = request.app.routes
    return [
        method
        for method in _METHODS
        for probe in [{**request.scope, "method": method}]
        if any(route.matches(probe)[0] is Match.FULL for route in routes)
    ]


async def _answer_validation_error(request: Request, error: Exception) -> Response:
    identity = request_id(request.scope)
    if isinstance(error, RequestValidationError):
        error = _refusal(error.errors())
    return response_of(problem(error, identity))


def _refusal(details: Sequence[Mapping[str, object]]) -> JourneylineError:
    """Return what pydantic found wrong as one error of ours."""
    if any(detail["type"] == "json_invalid" for detail in details):
        return Unreadable("the body is not JSON", code="bad_json")
    faults = [_fault(detail) for detail in details]
    message = "; ".join(f"{fault.path}: {fault.message}" for fault in faults[:_FAULTS_IN_MESSAGE])
    if all(_place(detail)[0] == "body" for detail in details):
        return Invalid(message, faults=faults)
    return Unreadable(message, code="bad_parameter", faults=faults)


def _fault(detail: Mapping[str, object]) -> Fault:
    where, *names = _place(detail)
    path = "".join(f"[{name}]" if isinstance(name, int) else f".{name}" for name in names)
    return Fault(path.removeprefix(".") or str(where), str(detail["type"]), str(detail["msg"]))


def _place(detail: Mapping[str, object]) -> tuple[object, ...]:
    """Return where *detail* is: query, path, header or body, then the names inside of it."""
    place = detail["loc"]
    return place if isinstance(place, tuple) else (place,)
