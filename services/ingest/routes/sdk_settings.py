"""What browser and mobile SDKs ask for before they send anything: their settings."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.types import ASGIApp

from services.ingest.intake import Intake
from services.ingest.posting import Posting
from services.ingest.routes.tracking import tracking_endpoint
from services.ingest.senders import authenticated, source_of, tracking_parameter
from shared.errors import NotFound
from shared.http.asgi import JSON, path_segments
from shared.http.problems import Answer
from shared.sources import Source
from shared.touchpoints import JsonObject

SEGMENT: Final = "/v1/projects/*"
RUDDERSTACK: Final = ("/sourceConfig/", "/sourceConfig")

_UPDATED_AT: Final = "2025-01-01T00:00:00.000Z"
"""RudderStack's SDK wants a time here, and does nothing with it."""

_encoder: Final = msgspec.json.Encoder()


def sdk_settings_endpoints(intake: Intake) -> Mapping[str, ASGIApp]:
    """Return the endpoints that answer with settings, by path."""

    async def answer_segment(posting: Posting) -> Answer:
        key = _key_in_path(posting)
        posting.source = await _source(posting, intake, key)
        return _answer(_segment_settings(key))

    async def answer_rudderstack(posting: Posting) -> Answer:
        key = tracking_parameter(posting.scope["query_string"], "writeKey") or ""
        posting.source = await _source(posting, intake, key)
        return _answer(_rudderstack_config(posting.source, key))

    segment = tracking_endpoint(answer_segment, method="GET")
    rudderstack = tracking_endpoint(answer_rudderstack, method="GET")
    return {SEGMENT: segment, **dict.fromkeys(RUDDERSTACK, rudderstack)}


def _key_in_path(posting: Posting) -> str:
    match path_segments(posting.scope):
        case (_, _, key, "settings"):
            return key
        case _:
            raise NotFound("settings are at /v1/projects/WRITE_KEY/settings")


async def _source(posting: Posting, intake: Intake, key: str) -> Source:
    principal = await authenticated(posting, intake.directory, key)
    return await source_of(principal, None, intake.directory)


def _segment_settings(key: str) -> JsonObject:
    return {
        "integrations": {"Segment.io": {"apiKey": key}},
        "plan": {},
        "metrics": {"sampleRate": 0},
    }


def _rudderstack_config(source: Source, key: str) -> JsonObject:
    quiet = {"errors": {"enabled": False}, "metrics": {"enabled": False}}
    return {
        "source": {
            "id": source.name,
            "name": source.name,
            "writeKey": key,
            "enabled": True,
            "config": {"statsCollection": quiet},
            "connections": [],
            "destinations": [],
            "workspaceId": "journeyline",
        },
        "updatedAt": _UPDATED_AT,
    }


def _answer(document: JsonObject) -> Answer:
    return Answer(HTTPStatus.OK, [JSON], _encoder.encode(document))
