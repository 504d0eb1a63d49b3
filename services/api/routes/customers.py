"""Customers: one of them in full, and lists of them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.api.answers import fresh_answer
from services.api.asking import described, parsed
from services.api.customers import customer_document
from services.api.freshness import freshness
from services.api.guards import CUSTOMERS_READ
from services.api.journeys import moment_of, present_journey
from services.api.links import next_link
from services.api.listing import list_customers
from services.api.parameters import CustomerListParameters, Waiting
from services.api.readers.customers import find_customer, read_identifiers
from services.api.readers.links import read_bars, read_links
from services.api.readers.referrals import read_referrals, read_referrers
from services.api.references import Segment, customer_reference
from services.api.referrals import referral_documents, referrer_documents
from services.api.resources import resources_of
from services.api.transactions import reading
from services.api.waiting import awaited_verdict

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
    verdict = await awaited_verdict(resources.engine, asked)
    async with reading(resources.engine) as connection:
        head = await find_customer(connection, reference)
        now = resources.clock()
        fresh = freshness(now, head.watermark)
        as_of = moment_of(fresh, verdict, now)
        journey = await present_journey(connection, resources, head, as_of)
        identifiers = await read_identifiers(connection, head.identifier_ids)
        links = await read_links(connection, head.identifier_ids)
        bars = await read_bars(connection, head.identifier_ids)
        referrers = await read_referrers(connection, head.customer_id)
        referrals = await read_referrals(connection, head.customer_id)
    document = {
        **customer_document(head, identifiers, links, bars, journey),
        "referred_by": referrer_documents(referrers),
        "referrals": referral_documents(referrals),
    }
    return fresh_answer(request, document, fresh)
