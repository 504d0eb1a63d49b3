"""Customers: one of them in full, and lists of them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.api.answers import fresh_answer
from services.api.asking import described, parsed
from services.api.bodies import Lookup
from services.api.customers import present_customers
from services.api.guards import CUSTOMERS_READ
from services.api.links import next_link
from services.api.listing import list_customers
from services.api.parameters import CustomerListParameters, NoParameters, Waiting
from services.api.references import Segment, customer_reference
from services.api.resources import resources_of
from services.api.waiting import awaited_verdict
from shared.errors import NotFound
from shared.touchpoints import JsonObject

router = APIRouter(tags=["customers"], dependencies=[CUSTOMERS_READ])


@router.get("/v1/customers")
async def read_customers(
    request: Request, asked: Annotated[CustomerListParameters, Query()]
) -> Response:
    """List customers by the published view of their journeys."""
    page = await list_customers(resources_of(request), asked)
    return fresh_answer(
        request, page.content, page.freshness, headers=next_link(request, page.next)
    )


@router.get("/v1/customers/{ref}", openapi_extra=described(Waiting))
async def read_customer(
    request: Request, ref: Segment, asked: Annotated[Waiting, parsed(Waiting)]
) -> Response:
    """Return who a customer is, what is known of them, and where their journey stands."""
    resources = resources_of(request)
    reference = customer_reference(ref)
    verdict = await awaited_verdict(resources, asked)
    [document], fresh = await present_customers(resources, [reference], verdict)
    if isinstance(document, NotFound):
        raise document
    return fresh_answer(request, document, fresh)


@router.post("/v1/customers/lookup")
async def look_customers_up(
    request: Request, body: Lookup, _: Annotated[NoParameters, Query()]
) -> Response:
    """Return up to 100 customers at once, in the order of the references they are named by."""
    resources = resources_of(request)
    documents, fresh = await present_customers(resources, body.checked_refs())
    items = [
        {"ref": ref, **_shown(document)} for ref, document in zip(body.refs, documents, strict=True)
    ]
    return fresh_answer(request, {"items": items}, fresh)


def _shown(document: JsonObject | NotFound) -> JsonObject:
    """Return a customer as a list of those who were looked up has it."""
    if isinstance(document, NotFound):
        return {"customer_id": None, "code": document.code, "message": document.message}
    return document
