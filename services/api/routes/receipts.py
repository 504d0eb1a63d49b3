"""Receipts: what became of one touchpoint."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.api.answers import json_answer
from services.api.guards import CUSTOMERS_READ
from services.api.parameters import NoParameters, ReceiptParameters
from services.api.readers.receipts import read_receipt
from services.api.receipts import PENDING, Identity, receipt_document
from services.api.references import Segment, name_in
from services.api.resources import Resources, resources_of
from services.api.transactions import reading
from shared.errors import NotFound
from shared.storage.watermark import load_watermark

router = APIRouter(tags=["receipts"], dependencies=[CUSTOMERS_READ])

RETRY_SECONDS = 1


@router.get("/v1/receipts")
async def read_by_query(request: Request, asked: Annotated[ReceiptParameters, Query()]) -> Response:
    """Return what became of a touchpoint, by parameters instead of a path."""
    return await _receipt(resources_of(request), (asked.source, asked.event_id))


@router.get("/v1/receipts/{source}/{event_id}")
async def read_by_path(
    request: Request,
    source: Segment,
    event_id: Segment,
    _: Annotated[NoParameters, Query()],
) -> Response:
    """Return whether a touchpoint was stored, refused or is still to be read, and what it did."""
    return await _receipt(resources_of(request), (name_in(source), name_in(event_id)))


async def _receipt(resources: Resources, identity: Identity) -> Response:
    async with reading(resources.engine) as connection:
        rows = await read_receipt(connection, *identity, resources.digests.of_touchpoint(*identity))
        watermark = await load_watermark(connection)
    document = receipt_document(rows)
    if document is not None:
        return json_answer(document)
    now = resources.clock()
    if resources.first_asked.may_come(identity, now=now, watermark=watermark):
        return json_answer(PENDING, headers={"Retry-After": str(RETRY_SECONDS)})
    raise NotFound("no touchpoint with that source and event id was ever received")
