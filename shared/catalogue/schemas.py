"""JSON Schemas of touchpoint types, for senders to check what they are about to send; pure.

Ingest does not enforce them: a touchpoint that tells less, or more, is one all the same.
"""

from typing import Final

from shared.catalogue.types import TouchpointType
from shared.touchpoints import JsonObject, JsonValue

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_TIME: Final[JsonObject] = {"type": ["string", "null"], "format": "date-time"}
_IDENTIFIER: Final[JsonObject] = {"type": ["string", "integer", "null"], "maxLength": 200}


def schema_of(kind: TouchpointType) -> JsonObject:
    """Return the schema of a touchpoint of that type in the native form; null is absent."""
    properties: JsonObject = {"type": "object", "properties": _properties(kind)}
    required: list[JsonValue] = ["type", "customer"]
    if kind.required:
        properties["required"] = list(kind.required)
        required.append("properties")
    return {
        "$schema": DIALECT,
        "$id": f"urn:journeyline:touchpoint-type:{kind.key}",
        "title": kind.key,
        "description": kind.description,
        "type": "object",
        "required": required,
        "properties": {
            "event_id": {"type": ["string", "null"], "minLength": 1, "maxLength": 200},
            "type": {"enum": list(kind.names)},
            "channel": {"enum": [*(channel.value for channel in kind.channels), None]},
            "occurred_at": _TIME,
            "sent_at": _TIME,
            "customer": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": _IDENTIFIER,
            },
            "properties": properties if kind.required else _or_null(properties),
            "traits": {"type": ["object", "null"]},
            "context": {"type": ["object", "null"]},
            "text": {"type": ["string", "null"]},
        },
    }


def _properties(kind: TouchpointType) -> JsonObject:
    return {
        name: schema if name in kind.required else _or_null(schema)
        for name, schema in kind.properties.items()
    }


def _or_null(schema: JsonObject) -> JsonObject:
    """Let null through where *schema* names types or values, so that faults keep their place."""
    if "enum" in schema:
        return {**schema, "enum": [*_listed(schema["enum"]), None]}
    return {**schema, "type": [*_listed(schema["type"]), "null"]}


def _listed(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else [value]
