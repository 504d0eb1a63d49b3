"""What is wrong with a request's parameters or body, said so that the sender can mend it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError

from services.api.guards import ask_guards
from shared.errors import Fault, Invalid, JourneylineError, PermanentError, Unreadable
from shared.http.asgi import request_id
from shared.http.problems import problem, response_of

BAD_JSON: Final = "bad_json"

_OWN_WORDS: Final = "Value error, "
_UNKNOWN: Final = "extra_forbidden"
_ITS_WORDS: Final = ("Input should be", "must be")
_MESSAGES: Final = {
    "missing": "is required",
    "model_attributes_type": "must be a JSON object",
    "model_type": "must be a JSON object",
}
"""By the type of a fault; where pydantic's own words speak of Python."""


def install_validation(app: FastAPI) -> None:
    """Let *app* name each wrong parameter or field, and the parameters there are."""
    app.add_exception_handler(RequestValidationError, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise TypeError("this handler is for RequestValidationError only") from error
    refused: JourneylineError = refusal(request, error)
    if refused.code == BAD_JSON:
        # FastAPI reads a body before it asks who sent it.
        try:
            await ask_guards(request)
        except JourneylineError as stopped:
            refused = stopped
    return response_of(problem(refused, request_id(request.scope)))


def refusal(request: Request, error: RequestValidationError) -> PermanentError:
    """Return *error* as one of ours: 400 for parameters and broken JSON, 422 for a wrong body."""
    found = error.errors()
    if any(fault["type"] == "json_invalid" for fault in found):
        return Unreadable("the body is not JSON", code=BAD_JSON)
    if all(fault["loc"][0] == "body" for fault in found):
        faults = [_fault(fault) for fault in found]
        return Invalid(_sentence(faults), code="invalid_body", faults=faults)
    known = known_parameters(request)
    faults = [_fault(fault, known) for fault in found if fault["loc"][0] != "body"]
    return Unreadable(_sentence(faults), code="bad_parameter", faults=faults)


def known_parameters(request: Request) -> Sequence[str]:
    """Return the query parameters of the route that *request* went to, as OpenAPI names them."""
    path = getattr(request.scope.get("route"), "path_format", "")
    operation = request.app.openapi()["paths"].get(path, {}).get(request.method.lower(), {})
    return [item["name"] for item in operation.get("parameters", ()) if item["in"] == "query"]


def _fault(found: Mapping[str, object], known: Sequence[str] = ()) -> Fault:
    loc = found["loc"]
    place = loc if isinstance(loc, tuple) else (loc,)
    path, code = _path(place[1:]), str(found["type"])
    if code != _UNKNOWN:
        words = str(found["msg"]).removeprefix(_OWN_WORDS).replace(*_ITS_WORDS)
        message = _MESSAGES.get(code, words)
        return Fault(path, code, message if path else f"the body {message}")
    if place[0] == "body":
        return Fault(path, "unknown_field", f"{path} is not known here")
    return Fault(path, "unknown_parameter", _unknown(path, known))


def _unknown(path: str, known: Sequence[str]) -> str:
    if not known:
        return f"{path} is not a parameter of this route, which takes none"
    return f"{path} is not a parameter of this route, which are: {', '.join(sorted(known))}"


def _path(place: Iterable[object]) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _sentence(faults: Sequence[Fault]) -> str:
    return "; ".join(
        fault.message if fault.message.startswith(fault.path) else f"{fault.path}: {fault.message}"
        for fault in faults
    )
