"""The ledger: that nothing was lost."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.api.answers import json_answer
from services.api.guards import CUSTOMERS_READ
from services.api.ledger import ledger_rows, total
from services.api.parameters import NoParameters
from services.api.readers.claims import read_claims, read_source_counts
from services.api.resources import resources_of
from services.api.transactions import reading

router = APIRouter(tags=["operations"], dependencies=[CUSTOMERS_READ])


@router.get("/v1/ledger")
async def read_ledger(request: Request, _: Annotated[NoParameters, Query()]) -> Response:
    """Return what every record of the log became, by partition, by source and in total."""
    resources = resources_of(request)
    async with reading(resources.engine) as connection:
        claims = await read_claims(connection)
        sources = await read_source_counts(connection)
    rows = ledger_rows(claims, await resources.log_ends(), resources.topic)
    return json_answer(
        {
            "total": total(rows).document(),
            "partitions": [row.document() for row in rows],
            "sources": [dict(source) for source in sources],
        }
    )
