"""The Segment HTTP Tracking API: existing SDKs change their host, and nothing else.

Answers are exactly 200 wherever a request can be read: some SDKs take any other 2xx for a failure,
and send everything again.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.types import ASGIApp

from services.ingest.channels.answers import taken
from services.ingest.channels.contract import Ignored
from services.ingest.channels.segment import (
    BATCH_ROUTES,
    KIND_OF_ROUTE,
    read_segment,
    write_key_in,
)
from services.ingest.intake import Intake
from services.ingest.posting import Posting
from services.ingest.routes.reading import take_in, with_body
from services.ingest.routes.tracking import tracking_endpoint
from services.ingest.senders import identify, tracking_parameter
from shared.http.asgi import JSON, read_body
from shared.http.problems import Answer
from shared.keys import presented_key
from shared.records import Record
from shared.sources import Source

CALLS: Final = tuple(f"/v1/{route}" for route in (*KIND_OF_ROUTE, *sorted(BATCH_ROUTES)))
BEACON: Final = "/beacon/v1/batch"
JITSU: Final = "/api/s/*"
METRICS: Final = "/v1/m"

_encoder: Final = msgspec.json.Encoder()


def segment_endpoints(intake: Intake) -> Mapping[str, ASGIApp]:
    """Return the endpoints that take messages, by path."""

    async def answer(posting: Posting) -> Answer:
        if _has_key(posting):
            await _identify(posting, intake)

        async def take_in_messages(body: bytes) -> Sequence[Record | Ignored]:
            source = posting.source or await _identify(posting, intake, write_key_in(body))
            return await take_in(posting, body, intake, read_segment, source, wire_format="segment")

        outcomes = await with_body(posting, intake.in_flight, take_in_messages)
        return Answer(HTTPStatus.OK, [JSON], _encoder.encode(taken(outcomes)))

    endpoint = tracking_endpoint(answer)
    taking = dict.fromkeys((*CALLS, BEACON, JITSU), endpoint)
    return {**taking, METRICS: tracking_endpoint(_drop)}


async def _drop(posting: Posting) -> Answer:
    """Answer what an SDK reports of itself."""
    await read_body(posting.receive)
    return Answer(HTTPStatus.OK, [JSON], b'{"success":true}')


def _has_key(posting: Posting) -> bool:
    """Tell whether a key is in the headers, so that nothing need be read of a body to refuse it.

    Some SDKs send a token of another service there, and the key in the body.
    """
    headers = posting.headers
    presented = presented_key(headers.get(b"authorization"), headers.get(b"x-write-key"))
    return presented is not None and presented.startswith(("wk_", "sk_"))


async def _identify(posting: Posting, intake: Intake, in_body: str | None = None) -> Source:
    query = posting.scope["query_string"]
    named = tracking_parameter(query, "source")
    in_query = tracking_parameter(query, "writeKey")
    return await identify(posting, intake.directory, named, in_body, in_query)
