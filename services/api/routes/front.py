"""The front page, its style, and how the pipeline does; none of them wants a key."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from services.api.answers import json_answer
from services.api.front_page import STYLE, front_page
from services.api.guards import authenticated
from services.api.health import pipeline_document
from services.api.parameters import NoParameters
from services.api.readers.demo import find_demo_customer
from services.api.resources import resources_of
from services.api.transactions import reading
from shared.errors import RetryableError
from shared.keys import Scope

router = APIRouter()


@router.get("/", include_in_schema=False)
async def read_front_page(request: Request) -> HTMLResponse:
    """Return the page that says what runs here."""
    try:
        async with reading(resources_of(request).engine) as connection:
            customer = await find_demo_customer(connection)
    except RetryableError:
        customer = None
    return HTMLResponse(front_page(str(request.base_url).rstrip("/"), customer))


@router.get("/front.css", include_in_schema=False)
async def read_style() -> Response:
    """Return the front page's style."""
    return Response(STYLE, media_type="text/css")


@router.get("/v1/health", tags=["operations"])
async def read_health(request: Request, _: Annotated[NoParameters, Query()]) -> Response:
    """Return the whole pipeline at a glance; to a key that may read, also how each source does."""
    with_sources = await _may_read(request)
    document = await pipeline_document(resources_of(request), with_sources=with_sources)
    return json_answer(document)


async def _may_read(request: Request) -> bool:
    if not {"authorization", "x-write-key"} & set(request.headers):
        return False
    principal = await authenticated(request)
    return not principal.scopes.isdisjoint({Scope.CUSTOMERS_READ, Scope.ADMIN})
