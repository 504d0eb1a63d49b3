"""Parameters of the busiest routes, read and described without FastAPI's own way for them.

FastAPI looks at each field of a parameter model by itself, which takes longer than everything else
it does for a request. Here pydantic reads the whole query at once. What FastAPI cannot see then, it
is told by ``described``.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar, get_origin

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.params import Depends as Dependency
from pydantic import ValidationError

from services.api.parameters import Parameters
from shared.touchpoints import JsonObject, JsonValue

Asked = TypeVar("Asked", bound=Parameters)


def parsed(model: type[Asked]) -> Dependency:
    """Return the dependency that reads a request's query as *model*."""
    dependency: Dependency = Depends(reader_of(model))
    return dependency


def reader_of(model: type[Asked]) -> Callable[[Request], Awaitable[Asked]]:
    """Return what reads a request's query as *model*; of a repeated parameter the last one counts.

    It raises RequestValidationError, as FastAPI does, for everything that is wrong.
    """
    repeatable = {
        field.alias or name
        for name, field in model.model_fields.items()
        if get_origin(field.annotation) is list
    }
    optional = not any(field.is_required() for field in model.model_fields.values())
    nothing = model() if optional else None

    async def read(request: Request) -> Asked:
        if nothing is not None and not request.scope["query_string"]:
            return nothing
        given: dict[str, str | list[str]] = dict(request.query_params)
        for name in repeatable & given.keys():
            given[name] = request.query_params.getlist(name)
        try:
            return model.model_validate(given)
        except ValidationError as error:
            faults = [{**fault, "loc": ("query", *fault["loc"])} for fault in error.errors()]
            raise RequestValidationError(faults) from None

    return read


def described(model: type[Parameters]) -> JsonObject:
    """Return ``openapi_extra`` for a route that reads its query as *model*."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "schema": _inlined(field, definitions),
                "description": field.get("description", ""),
            }
            for name, field in schema["properties"].items()
        ]
    }


def document_body(description: str) -> JsonObject:
    """Return ``openapi_extra`` for a route whose body is a document, in YAML or JSON."""
    return {
        "requestBody": {
            "required": True,
            "description": f"{description}; up to 256 KiB",
            "content": {
                "application/yaml": {"schema": {"type": "string"}},
                "application/json": {"schema": {"type": "object"}},
            },
        }
    }


def _inlined(schema: JsonValue, definitions: JsonObject) -> JsonValue:
    """Return *schema* with what it refers to in the places of the references."""
    if isinstance(schema, list):
        return [_inlined(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return definitions[reference.rpartition("/")[2]]
    return {name: _inlined(part, definitions) for name, part in schema.items()}
