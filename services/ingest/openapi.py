"""The documentation of routes that FastAPI does not see, because they stand in front of it."""

from typing import Final

import msgspec

from services.ingest import openapi_channels, openapi_imports
from services.ingest.openapi_channels import channel_paths
from services.ingest.openapi_imports import import_paths
from services.ingest.routes import touchpoints
from shared.acceptance.limits import ITEM_BYTES, LONGEST_NAME, MOST_ITEMS
from shared.acceptance.types import TYPE
from shared.acceptance.verdicts import Verdict
from shared.identity.identifiers import KIND_PATTERN, LONGEST_VALUE
from shared.sources import API_SOURCE
from shared.touchpoints import Channel, JsonObject

_COMPONENTS: Final = "#/components/schemas/{name}"
_TOUCHPOINT: Final[JsonObject] = {"$ref": "#/components/schemas/Touchpoint"}
_JSON: Final = "application/json"
_NDJSON: Final = "application/x-ndjson"


def openapi_paths() -> JsonObject:
    """Return the members of ``paths`` for the routes of ingest."""
    return {touchpoints.PATH: {"post": _post_touchpoints()}, **import_paths(), **channel_paths()}


def openapi_schemas() -> JsonObject:
    """Return the members of ``components.schemas`` that the paths refer to."""
    _, answers = msgspec.json.schema_components(
        [Verdict, *openapi_channels.SCHEMAS, *openapi_imports.SCHEMAS], ref_template=_COMPONENTS
    )
    return {"Touchpoint": _touchpoint(), **answers}


def _post_touchpoints() -> JsonObject:
    return {
        "tags": ["ingest"],
        "operationId": "post_touchpoints",
        "summary": "Take touchpoints in",
        "description": (
            "One touchpoint, an object with `touchpoints`, an array, or NDJSON; gzip if you like. "
            f"At most {MOST_ITEMS} items of {ITEM_BYTES} bytes each. Every item, also a rejected "
            "one, is durable before the answer."
        ),
        "parameters": [_source_parameter()],
        "requestBody": {"required": True, "content": _forms()},
        "responses": _responses(),
    }


def _source_parameter() -> JsonObject:
    return {
        "name": "source",
        "in": "query",
        "schema": {"type": "string"},
        "description": f"whose touchpoints a secret key posts; `{API_SOURCE.name}` by default",
    }


def _forms() -> JsonObject:
    array: JsonObject = {"type": "array", "items": _TOUCHPOINT, "maxItems": MOST_ITEMS}
    wrapper: JsonObject = {
        "type": "object",
        "properties": {"touchpoints": array},
        "required": ["touchpoints"],
        "additionalProperties": False,
    }
    return {
        _JSON: {"schema": {"oneOf": [_TOUCHPOINT, wrapper, array]}},
        _NDJSON: {"schema": {"type": "string", "description": "a touchpoint on each line"}},
    }


def _responses() -> JsonObject:
    verdict = {_JSON: {"schema": {"$ref": "#/components/schemas/Verdict"}}}
    return {
        "202": {"description": "at least one item was accepted", "content": verdict},
        "422": {"description": "no item was accepted", "content": verdict},
        "400": {"description": "the request cannot be read, and leaves nothing"},
        "401": {"description": "no key, or none that is in force"},
        "403": {"description": "a key that may not do this"},
        "404": {"description": "there is no such source"},
        "413": {"description": "too many items or bytes; nothing is left"},
        "429": {"description": "the source sends too fast; see Retry-After"},
        "503": {"description": "not durable; nothing is promised; see Retry-After"},
    }


def _touchpoint() -> JsonObject:
    anything: JsonObject = {"type": ["object", "null"]}
    time: JsonObject = {"type": ["string", "null"], "format": "date-time"}
    return {
        "type": "object",
        "required": ["type", "customer"],
        "additionalProperties": False,
        "properties": {
            "event_id": {"type": ["string", "null"], "minLength": 1, "maxLength": LONGEST_NAME},
            "type": {"type": "string", "pattern": f"^{TYPE.pattern}$"},
            "channel": {"enum": [*(channel.value for channel in Channel), None]},
            "occurred_at": time,
            "sent_at": {**time, "description": "the time of this attempt to send"},
            "customer": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"pattern": f"^{KIND_PATTERN.pattern}$"},
                "additionalProperties": {
                    "type": ["string", "integer", "null"],
                    "maxLength": LONGEST_VALUE,
                },
            },
            "traits": anything,
            "properties": anything,
            "context": anything,
            "text": {"type": ["string", "null"]},
        },
        "example": {
            "event_id": "order-1001",
            "type": "order_completed",
            "occurred_at": "2026-01-05T10:00:00Z",
            "customer": {"user_id": "u_42", "email": "ana@example.com"},
            "properties": {"order_id": "1001", "value": 99.5, "currency": "EUR"},
        },
    }
