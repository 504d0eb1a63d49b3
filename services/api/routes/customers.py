"""Customers: one of them in full, and lists of them."""

from typing import Annotated
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Query, Request, Response

from services.api.answers import fresh_answer
from services.api.asking import described, parsed
from services.api.bodies import Lookup
from services.api.customers import present_customer
from services.api.freshness import freshness
from services.api.guards import CUSTOMERS_READ
from services.api.journeys import moment_of
from services.api.links import next_link
from services.api.listing import list_customers
from services.api.parameters import CustomerListParameters, NoParameters, Waiting
from services.api.readers.customers import find_customer
from services.api.references import Segment, customer_reference
from services.api.resources import Resources, resources_of
from services.api.transactions import reading
from services.api.waiting import awaited_verdict
from shared.errors import NotFound
from shared.instants import Instant
from shared.storage.watermark import load_watermark
from shared.touchpoints import Identifier, JsonObject

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
    async with reading(resources.engine) as connection:
        head = await find_customer(connection, reference)
        now = resources.clock()
        fresh = freshness(now, head.watermark)
        as_of = moment_of(fresh, verdict, now)
        document = await present_customer(connection, resources, head, as_of)
    return fresh_answer(request, document, fresh)


@router.post("/v1/customers/lookup")
async def look_customers_up(
    request: Request, body: Lookup, _: Annotated[NoParameters, Query()]
) -> Response:
    """Return up to 100 customers at once, in the order of the references they are named by."""
    resources = resources_of(request)
    references = body.checked_refs()
    items: list[JsonObject] = []
    async with reading(resources.engine) as connection:
        fresh = freshness(resources.clock(), await load_watermark(connection))
        for ref, reference in zip(body.refs, references, strict=True):
            found = await _found(connection, resources, reference, fresh.as_of)
            items.append({"ref": ref, **found})
    return fresh_answer(request, {"items": items}, fresh)


async def _found(
    connection: asyncpg.Connection,
    resources: Resources,
    reference: Identifier | UUID,
    as_of: Instant | None,
) -> JsonObject:
    try:
        head = await find_customer(connection, reference)
    except NotFound as error:
        return {"customer_id": None, "code": error.code, "message": error.message}
    return await present_customer(connection, resources, head, as_of)
