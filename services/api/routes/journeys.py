"""Journeys: where a customer stands, since when, by what cause, and what comes next."""

from typing import Annotated, Final

from fastapi import APIRouter, Request, Response

from services.api.answers import fresh_answer
from services.api.asking import described, parsed
from services.api.guards import CUSTOMERS_READ
from services.api.journeys import answer_journey
from services.api.parameters import JourneyParameters
from services.api.references import Segment, customer_reference
from services.api.resources import resources_of
from services.api.waiting import awaited_verdict
from shared.instants import rfc3339
from shared.touchpoints import JsonObject

_MOVING: Final = ("as_of", "scores")
"""Scores decay with every moment; whatever else changes one changes the counts as well."""

router = APIRouter(tags=["customers"], dependencies=[CUSTOMERS_READ])


@router.get("/v1/customers/{ref}/journey", openapi_extra=described(JourneyParameters))
async def read_journey(
    request: Request, ref: Segment, asked: Annotated[JourneyParameters, parsed(JourneyParameters)]
) -> Response:
    """Return a customer's journey, now or at any time, as known now or at any time."""
    resources = resources_of(request)
    reference = customer_reference(ref)
    verdict = await awaited_verdict(resources, asked)
    answer = await answer_journey(resources, reference, asked, verdict)
    content = {name: value for name, value in answer.document.items() if name not in _MOVING}
    moving: JsonObject = {name: answer.document[name] for name in _MOVING}
    if answer.known_at is not None:
        content["known_at"] = rfc3339(answer.known_at)
    return fresh_answer(request, content, answer.freshness, moving=moving)
