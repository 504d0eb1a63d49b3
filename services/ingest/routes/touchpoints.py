"""``POST /v1/touchpoints``: the native way in."""

from http import HTTPStatus
from typing import Final

import msgspec
from starlette.types import ASGIApp

from services.ingest.intake import Intake
from services.ingest.posting import Posting
from services.ingest.routes.reading import with_body
from services.ingest.routes.tracking import tracking_endpoint
from services.ingest.senders import identify, source_parameter
from shared.acceptance.bodies import split
from shared.acceptance.verdicts import Verdict
from shared.http.asgi import JSON
from shared.http.problems import Answer

PATH: Final = "/v1/touchpoints"

CLIENT_HEADER: Final = b"journeyline-client"
SENDS_FILES: Final = b"send"
"""The client that posts files: between its reading a row and our receipt, hours may pass."""

_encoder: Final = msgspec.json.Encoder()


def touchpoints_endpoint(intake: Intake) -> ASGIApp:
    """Return the endpoint of PATH."""

    async def answer(posting: Posting) -> Answer:
        named = source_parameter(posting.scope["query_string"])
        source = await identify(posting, intake.directory, named)
        is_fresh = posting.headers.get(CLIENT_HEADER) != SENDS_FILES

        async def take_in(body: bytes) -> Verdict:
            return await intake.take_in(split(body), source, corrects_skew=is_fresh)

        verdict = await with_body(posting, intake.in_flight, take_in)
        status = HTTPStatus.ACCEPTED if verdict.accepted else HTTPStatus.UNPROCESSABLE_ENTITY
        return Answer(status, [JSON], _encoder.encode(verdict))

    return tracking_endpoint(answer)
