"""What the API says of itself: FastAPI's description, completed by what FastAPI cannot know."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import msgspec
from fastapi import FastAPI

from services.api.diff_answers import DiffPage
from services.api.feed import FeedPage
from services.api.timeline import TimelinePage
from services.api.version import VERSION
from shared.touchpoints import JsonObject

"""Bytes; no management request is longer, apart from those that say so themselves."""

_COMPONENTS: Final = "#/components/schemas/{name}"
_ANSWERS: Final[Mapping[str, type]] = MappingProxyType(
    {
        "/v1/customers/{ref}/timeline": TimelinePage,
        "/v1/transitions": FeedPage,
        "/v1/models/{version}/diff": DiffPage,
    }
)
_REF: Final = "/v1/customers/{ref}"
_LOOKUP: Final = "/v1/customers/lookup"
_OPEN: Final = frozenset({"/v1/health"})
_PROBLEM: Final[JsonObject] = {
    "description": "what went wrong (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_KEYS: Final[JsonObject] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "basic": {"type": "http", "scheme": "basic", "description": "the key as user name"},
    "header": {"type": "apiKey", "in": "header", "name": "X-Write-Key"},
}


class ProblemFault(msgspec.Struct, frozen=True):
    """One thing wrong with a request."""

    path: str
    code: str
    message: str


class Problem(msgspec.Struct, frozen=True):
    """What went wrong; ``code`` is stable, ``errors`` name single fields where there are any."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    message: str
    request_id: str
    errors: tuple[ProblemFault, ...] = ()


@dataclass(frozen=True, slots=True)
class Described:
    """Paths and schemas, as OpenAPI writes them, of routes that FastAPI does not see."""

    paths: JsonObject = field(default_factory=dict)
    schemas: JsonObject = field(default_factory=dict)


class DescribedApi(FastAPI):
    """A FastAPI application whose description also holds the routes described *elsewhere*."""

    def __init__(self, *, elsewhere: Described) -> None:
        super().__init__(
            title="Journeyline",
            version=VERSION,
            summary="Every touchpoint of a customer, on one timeline, in one explainable journey.",
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
        )
        self._elsewhere = elsewhere

    def openapi(self) -> dict[str, Any]:
        """Return the description; made once."""
        if self.openapi_schema is None:
            self.openapi_schema = _completed(super().openapi(), self._elsewhere)
        return self.openapi_schema


def _completed(document: dict[str, Any], elsewhere: Described) -> dict[str, Any]:
    paths: dict[str, Any] = document["paths"]
    schemas: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
    for path, operations in paths.items():
        for operation in operations.values():
            _answer_problems(operation["responses"])
            operation["security"] = [] if path in _OPEN else [{name: []} for name in _KEYS]
    for path, answer in _ANSWERS.items():
        reference = _COMPONENTS.format(name=answer.__name__)
        content = {"application/json": {"schema": {"$ref": reference}}}
        paths[path]["get"]["responses"]["200"]["content"] = content
    for path in [path for path in paths if path.startswith(_REF)]:
        here = paths.setdefault(_LOOKUP + path.removeprefix(_REF), {})
        here.update(_query_form(paths[path]))
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    _, ours = msgspec.json.schema_components(
        [Problem, *_ANSWERS.values()], ref_template=_COMPONENTS
    )
    schemas.update(ours, **elsewhere.schemas)
    document["components"]["securitySchemes"] = dict(_KEYS)
    paths.update(elsewhere.paths)
    return document


def _answer_problems(responses: dict[str, Any]) -> None:
    responses.pop("422", None)
    responses["default"] = _PROBLEM


def _query_form(operations: dict[str, Any]) -> dict[str, Any]:
    """Return *operations* on a customer for whoever names them by a parameter."""
    copied = deepcopy(operations)
    for operation in copied.values():
        operation["operationId"] += "_by_query"
        for parameter in operation["parameters"]:
            if parameter["name"] == "ref":
                parameter["in"] = "query"
    return copied
