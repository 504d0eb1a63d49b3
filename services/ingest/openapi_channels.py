"""The documentation of the routes that take other wire formats than our own."""

from typing import Final

from services.ingest.channels.answers import Taken
from shared.sources import Vendor
from shared.touchpoints import JsonObject

SCHEMAS: Final = (Taken,)
"""What the paths refer to."""

HOOKS: Final = "/v1/hooks/{vendor}/{source}"

_JSON: Final = "application/json"
_TAKEN: Final[JsonObject] = {_JSON: {"schema": {"$ref": "#/components/schemas/Taken"}}}
_DELIVERY: Final[JsonObject] = {
    "required": True,
    "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
}


def channel_paths() -> JsonObject:
    """Return the members of ``paths`` for these routes."""
    return {HOOKS: {"parameters": _hook_parameters(), "post": _post_hook(), "get": _get_hook()}}


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
