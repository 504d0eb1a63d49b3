"""Verification: recompute everything from the stored touchpoints and compare."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from services.api.guards import CUSTOMERS_READ
from services.api.parameters import NoParameters
from services.api.resources import resources_of
from services.api.verifying import verification_lines

router = APIRouter(tags=["operations"], dependencies=[CUSTOMERS_READ])


@router.post("/v1/verify")
async def verify_everything(
    request: Request, _: Annotated[NoParameters, Query()]
) -> StreamingResponse:
    """Compare all customers and journeys; NDJSON: progress, differences, the result last."""
    url = resources_of(request).engine.url.render_as_string(hide_password=False)
    return StreamingResponse(verification_lines(url), media_type="application/x-ndjson")
