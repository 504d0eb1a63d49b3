"""Identifiers that many people share, so that somebody can block them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.api.answers import json_answer
from services.api.guards import CUSTOMERS_READ
from services.api.parameters import SharedParameters
from services.api.resources import resources_of
from services.api.transactions import reading
from shared.storage.shared_identifiers import list_shared

router = APIRouter(tags=["links"], dependencies=[CUSTOMERS_READ])


@router.get("/v1/identifiers/shared")
async def read_shared(request: Request, asked: Annotated[SharedParameters, Query()]) -> Response:
    """List identifiers by how many of their links are refused: kiosks and family tablets."""
    async with reading(resources_of(request).engine) as connection:
        found = await list_shared(connection, above=asked.above, most=asked.limit)
    items = [
        {
            "identifier": str(shared.identifier),
            "customer_id": str(shared.customer_id),
            "refused": shared.refused,
        }
        for shared in found
    ]
    return json_answer({"items": items, "above": asked.above})
