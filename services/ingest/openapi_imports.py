"""The documentation of the routes that take files."""

from typing import Final

from services.ingest.routes import imports
from shared.imports import ImportState
from shared.touchpoints import Channel, JsonObject

SCHEMAS: Final = (ImportState,)
"""What the paths refer to."""

ONE: Final = "/v1/imports/{id}"

_JSON: Final = "application/json"
_STATE: Final[JsonObject] = {"$ref": "#/components/schemas/ImportState"}
_TEXT: Final[JsonObject] = {"type": "string"}
_SAYS: Final = {
    "source": "whose rows they are; of a secret key's",
    "map": 'a JSON object: which column becomes which member, as in `{"Card": "customer.card"}`',
    "type": "of rows that name none",
    "channel": "of rows that name none",
    "time_format": "how times are written, as `strptime` has it: `%d.%m.%Y %H:%M`",
    "time_zone": "where times are from that do not say so: `Europe/Berlin`, or `+01:00`",
    "historical": "whether this is a backfill, whose moves are no news",
}


def import_paths() -> JsonObject:
    """Return the members of ``paths`` for these routes."""
    identity: JsonObject = {"name": "id", "in": "path", "required": True, "schema": _TEXT}
    return {
        imports.PATH: {"post": _post(), "get": _list()},
        ONE: {"parameters": [identity], "get": _get()},
    }


def _post() -> JsonObject:
    return {
        "tags": ["ingest"],
        "operationId": "post_import",
        "summary": "Take a file in",
        "description": (
            "CSV with a header, or NDJSON, of any length, gzipped if you like. The answer comes "
            "once every line is durable. A file that was interrupted is sent again: rows without "
            "an event id have one that follows from their content, so nothing is doubled."
        ),
        "parameters": [
            {"name": name, "in": "query", "schema": _schema(name), "description": _SAYS[name]}
            for name in imports.PARAMETERS
        ],
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": _TEXT} for kind in ("text/csv", "application/x-ndjson")},
        },
        "responses": {
            "202": {
                "description": "every line is durable, rejected ones in the quarantine",
                "content": {_JSON: {"schema": _STATE}},
            },
            "400": {"description": "a parameter is wrong, or the gzip is broken"},
            "401": {"description": "no key, or none that is in force"},
            "403": {"description": "a key that may not do this"},
            "404": {"description": "there is no such source"},
            "413": {"description": "too many rows without an event id"},
            "422": {"description": "it is no file of rows, or its columns are not known"},
            "503": {"description": "not all of it is durable: send it again; see Retry-After"},
        },
    }


def _schema(name: str) -> JsonObject:
    match name:
        case "channel":
            return {"enum": [channel.value for channel in Channel]}
        case "historical":
            return {"type": "boolean"}
        case _:
            return _TEXT


def _get() -> JsonObject:
    return {
        "tags": ["ingest"],
        "operationId": "get_import",
        "summary": "See how far an import has got",
        "responses": {
            "200": {
                "description": "its counts, and the first lines that were rejected",
                "content": {_JSON: {"schema": _STATE}},
            },
            "404": {"description": "there is no import by that id"},
        },
    }


def _list() -> JsonObject:
    items: JsonObject = {"type": "array", "items": _STATE}
    return {
        "tags": ["ingest"],
        "operationId": "list_imports",
        "summary": "List the last imports",
        "responses": {
            "200": {
                "description": "the newest first; those that run are among them",
                "content": {_JSON: {"schema": {"type": "object", "properties": {"items": items}}}},
            },
        },
    }
