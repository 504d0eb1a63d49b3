"""``POST /v1/touchpoints``: the native way in."""

from http import HTTPStatus
from typing import Final

import msgspec
from starlette.types import ASGIApp
from starlette.types import Scope as AsgiScope

from services.ingest.acceptance.bodies import split
from services.ingest.intake import Intake
from services.ingest.routes.tracking import Posting, tracking_endpoint
from services.ingest.senders import authenticated, check_origin, source_of, source_parameter
from shared.http.asgi import JSON, MAX_BODY_BYTES, header, read_inflated
from shared.http.problems import Answer

PATH: Final = "/v1/touchpoints"

CLIENT_HEADER: Final = b"journeyline-client"
SENDS_FILES: Final = b"send"
"""The client that posts files: between its reading a row and our receipt, hours may pass."""

_UNKNOWN_LENGTH: Final = 256 * 1024
"""What a body counts for while it comes in chunks."""

_encoder: Final = msgspec.json.Encoder()


def touchpoints_endpoint(intake: Intake) -> ASGIApp:
    """Return the endpoint of PATH."""

    async def answer(posting: Posting) -> Answer:
        scope = posting.scope
        named = source_parameter(scope)
        principal = await authenticated(scope, intake.directory)
        posting.source = source = await source_of(principal, named, intake.directory)
        check_origin(scope, source)
        with intake.in_flight.hold(_declared_length(scope)):
            body = await read_inflated(scope, posting.receive)
            with intake.in_flight.hold(len(body)):
                verdict = await intake.take_in(
                    split(body), source, corrects_skew=header(scope, CLIENT_HEADER) != SENDS_FILES
                )
        status = HTTPStatus.ACCEPTED if verdict.accepted else HTTPStatus.UNPROCESSABLE_ENTITY
        return Answer(status, [JSON], _encoder.encode(verdict))

    return tracking_endpoint(answer)


def _declared_length(scope: AsgiScope) -> int:
    declared = header(scope, b"content-length")
    if declared is None or not declared.isdigit():
        return _UNKNOWN_LENGTH
    return min(int(declared), MAX_BODY_BYTES)
