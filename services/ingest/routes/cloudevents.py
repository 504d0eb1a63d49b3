"""``POST /v1/cloudevents``: for tills and contact centers that speak CloudEvents."""

from http import HTTPStatus
from typing import Final

import msgspec
from starlette.types import ASGIApp

from services.ingest.channels.answers import taken
from services.ingest.channels.cloudevents import read_cloudevents
from services.ingest.intake import Intake
from services.ingest.posting import Posting
from services.ingest.routes.reading import take_in, with_body
from services.ingest.routes.tracking import tracking_endpoint
from services.ingest.senders import identify, tracking_parameter
from shared.http.asgi import JSON
from shared.http.problems import Answer

PATH: Final = "/v1/cloudevents"

_encoder: Final = msgspec.json.Encoder()


def cloudevents_endpoint(intake: Intake) -> ASGIApp:
    """Return the endpoint of PATH."""

    async def answer(posting: Posting) -> Answer:
        named = tracking_parameter(posting.scope["query_string"], "source")
        source = await identify(posting, intake.directory, named)
        outcomes = await with_body(
            posting,
            intake.in_flight,
            lambda body: take_in(
                posting, body, intake, read_cloudevents, source, wire_format="cloudevents"
            ),
        )
        return Answer(HTTPStatus.ACCEPTED, [JSON], _encoder.encode(taken(outcomes)))

    return tracking_endpoint(answer)
