"""Timelines: everything that happened to one customer, across channels, page by page."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from services.api.answers import fresh_answer
from services.api.asking import described, parsed
from services.api.guards import CUSTOMERS_READ
from services.api.links import next_link
from services.api.parameters import TimelineParameters
from services.api.references import Segment, customer_reference
from services.api.resources import resources_of
from services.api.timeline_pages import read_page
from services.api.waiting import awaited_verdict

router = APIRouter(tags=["customers"], dependencies=[CUSTOMERS_READ])


@router.get("/v1/customers/{ref}/timeline", openapi_extra=described(TimelineParameters))
async def read_timeline(
    request: Request, ref: Segment, asked: Annotated[TimelineParameters, parsed(TimelineParameters)]
) -> Response:
    """Return one page of a customer's timeline, newest first."""
    resources = resources_of(request)
    reference = customer_reference(ref)
    await awaited_verdict(resources, asked)
    page, fresh = await read_page(resources, reference, asked)
    return fresh_answer(request, page, fresh, headers=next_link(request, page.next))
