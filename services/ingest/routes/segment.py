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
from services.ingest.channels.contract import Delivery, Ignored
from services.ingest.channels.segment import (
    BATCH_ROUTES,
    KIND_OF_ROUTE,
    read_segment,
    write_key_in,
)
from services.ingest.intake import Intake
from services.ingest.posting import Posting
from services.ingest.routes.reading import with_body
from services.ingest.routes.tracking import tracking_endpoint
from services.ingest.senders import authenticated, check_origin, source_of, tracking_parameter
from shared.http.asgi import JSON, path_segments, read_body
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
        outcomes = await with_body(posting, intake.in_flight, lambda body: take_in(posting, body))
        return Answer(HTTPStatus.OK, [JSON], _encoder.encode(taken(outcomes)))

    async def take_in(posting: Posting, body: bytes) -> Sequence[Record | Ignored]:
        source = posting.source or await _identify(posting, intake, write_key_in(body))
        delivery = Delivery(
            body=body,
            headers=posting.headers,
            path=path_segments(posting.scope),
            query=posting.scope["query_string"],
            received_at=intake.clock(),
            source=source,
        )
        return await intake.take_in_delivery(read_segment, delivery)

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
    """Note at the request whose messages these are, and return it.

    Raises:
        Unauthorized: There is no such key in force, or none was presented.
        Forbidden: The key, or the page, may not post.
        NotFound: There is no such source.
    """
    query = posting.scope["query_string"]
    in_query = tracking_parameter(query, "writeKey")
    principal = await authenticated(posting, intake.directory, in_body, in_query)
    named = tracking_parameter(query, "source")
    posting.source = source = await source_of(principal, named, intake.directory)
    check_origin(posting.origin, source)
    return source
