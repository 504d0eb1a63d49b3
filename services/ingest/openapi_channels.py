"""The documentation of the routes that take other wire formats than our own."""

import re
from typing import Final

from services.ingest.channels.answers import Taken
from services.ingest.routes import cloudevents, sdk_settings, segment
from shared.sources import Vendor
from shared.touchpoints import JsonObject

SCHEMAS: Final = (Taken,)
"""What the paths refer to."""

HOOKS: Final = "/v1/hooks/{vendor}/{source}"
JITSU: Final = "/api/s/{type}"
SETTINGS: Final = "/v1/projects/{write_key}/settings"

_JSON: Final = "application/json"
_TAKEN: Final[JsonObject] = {_JSON: {"schema": {"$ref": "#/components/schemas/Taken"}}}
_DELIVERY: Final[JsonObject] = {
    "required": True,
    "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
}


def channel_paths() -> JsonObject:
    """Return the members of ``paths`` for these routes."""
    return {
        cloudevents.PATH: {"post": _post_cloudevents()},
        **{path: {"post": _post_segment(path)} for path in (*segment.CALLS, segment.BEACON)},
        JITSU: {"parameters": [_in_path("type")], "post": _post_segment(JITSU)},
        segment.METRICS: {"post": _post_metrics()},
        SETTINGS: {"parameters": [_in_path("write_key")], "get": _get_settings("segment")},
        **{path: {"get": _get_settings(path)} for path in sdk_settings.RUDDERSTACK},
        HOOKS: {"parameters": _hook_parameters(), "post": _post_hook(), "get": _get_hook()},
    }


def _in_path(name: str) -> JsonObject:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _post_cloudevents() -> JsonObject:
    event: JsonObject = {
        "type": "object",
        "required": ["specversion", "id", "source", "type"],
        "properties": {
            "specversion": {"const": "1.0"},
            **{name: {"type": "string", "minLength": 1} for name in ("id", "source", "type")},
            "subject": {"type": "string", "description": "the customer's `user_id`"},
            "time": {"type": "string", "format": "date-time"},
            "data": {"description": "become the touchpoint's properties"},
        },
    }
    return {
        "tags": ["ingest"],
        "operationId": "post_cloudevents",
        "summary": "Take CloudEvents in",
        "description": "One event, structured or with its attributes as `ce-` headers, or a batch.",
        "requestBody": {
            "required": True,
            "content": {
                "application/cloudevents+json": {"schema": event},
                "application/cloudevents-batch+json": {"schema": {"type": "array", "items": event}},
            },
        },
        "responses": {
            "202": {"description": "every event is durable", "content": _TAKEN},
            "400": {"description": "it is not JSON, or no event; nothing is left"},
            "401": {"description": "no key, or none that is in force"},
            "403": {"description": "a key, or a page, that may not do this"},
            "413": {"description": "too many events or bytes; nothing is left"},
            "415": {"description": "another format than JSON"},
            "429": {"description": "the source sends too fast; see Retry-After"},
            "503": {"description": "not durable; nothing is promised; see Retry-After"},
        },
    }


def _post_segment(path: str) -> JsonObject:
    return {
        "tags": ["ingest"],
        "operationId": f"post{re.sub('[^A-Za-z0-9]+', '_', path)}",
        "summary": "Take messages of the Segment Tracking API in",
        "description": (
            "What SDKs of Segment, RudderStack, Customer.io and Jitsu send, gzipped if they like. "
            "The write key may stand in Authorization, X-Write-Key, the body or the query."
        ),
        "requestBody": {"required": True, "content": {_JSON: {"schema": {"type": "object"}}}},
        "responses": {
            "200": {"description": "it could be read, and is durable", "content": _TAKEN},
            "400": {"description": "it is not JSON, and leaves nothing"},
            "401": {"description": "no key, or none that is in force"},
            "403": {"description": "a key, or a page, that may not do this"},
            "413": {"description": "too many messages or bytes; nothing is left"},
            "429": {"description": "the source sends too fast; see Retry-After"},
            "503": {"description": "not durable; nothing is promised; see Retry-After"},
        },
    }


def _post_metrics() -> JsonObject:
    return {
        "tags": ["ingest"],
        "operationId": "post_sdk_metrics",
        "summary": "Drop what an SDK reports of itself",
        "security": [],
        "responses": {"200": {"description": "always"}},
    }


def _get_settings(sdk: str) -> JsonObject:
    return {
        "tags": ["ingest"],
        "operationId": f"get_settings{re.sub('[^A-Za-z]+', '_', f'_{sdk}')}",
        "summary": "Tell an SDK its settings",
        "responses": {
            "200": {"description": "without them it sends nothing"},
            "401": {"description": "no write key, or none that is in force"},
        },
    }


def _hook_parameters() -> list[JsonObject]:
    vendor: JsonObject = {"enum": [vendor.value for vendor in Vendor]}
    return [
        {"name": "vendor", "in": "path", "required": True, "schema": vendor},
        {"name": "source", "in": "path", "required": True, "schema": {"type": "string"}},
    ]


def _post_hook() -> JsonObject:
    return {
        "tags": ["ingest"],
        "operationId": "post_hook",
        "summary": "Take a vendor's webhook in",
        "description": "Signed by the vendor, with a secret of the source's setting `hooks`.",
        "requestBody": _DELIVERY,
        "security": [],
        "responses": {
            "200": {"description": "everything in it is durable, or ignored", "content": _TAKEN},
            "400": {"description": "the delivery cannot be read, and leaves nothing"},
            "401": {"description": "the signature is wrong, too old, or there is no secret"},
            "404": {"description": "there is no such vendor or source"},
            "413": {"description": "too many bytes; nothing is left"},
            "429": {"description": "the source sends too fast; see Retry-After"},
            "503": {"description": "not durable; nothing is promised; see Retry-After"},
        },
    }


def _get_hook() -> JsonObject:
    return {
        "tags": ["ingest"],
        "operationId": "look_at_hook",
        "summary": "Look whether anybody is there",
        "security": [],
        "responses": {"200": {"description": "always"}},
    }
