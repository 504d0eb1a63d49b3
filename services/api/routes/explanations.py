"""Explanations: why a customer is where they are, and what a later stage would take."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from services.api.answers import fresh_answer
from services.api.asking import described, parsed
from services.api.explanations import answer_explanation
from services.api.guards import CUSTOMERS_READ
from services.api.parameters import ExplanationParameters
from services.api.references import Segment, customer_reference
from services.api.resources import resources_of
from services.api.waiting import awaited_verdict

router = APIRouter(tags=["customers"], dependencies=[CUSTOMERS_READ])


@router.get("/v1/customers/{ref}/explanation", openapi_extra=described(ExplanationParameters))
async def read_explanation(
    request: Request,
    ref: Segment,
    asked: Annotated[ExplanationParameters, parsed(ExplanationParameters)],
) -> Response:
    """Say why a customer is in a stage, why not in a later one, and what comes next."""
    resources = resources_of(request)
    reference = customer_reference(ref)
    verdict = await awaited_verdict(resources, asked)
    answer = await answer_explanation(resources, reference, asked, verdict)
    return fresh_answer(request, answer.document, answer.freshness, moving={"as_of": answer.as_of})
