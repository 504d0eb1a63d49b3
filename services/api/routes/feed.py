"""The feed of transitions: page by page for who pulls, as a stream for who listens."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from services.api.answers import json_answer
from services.api.asking import described, parsed
from services.api.feed import BEGINNING, FeedPage, read_slice, seal, unsealed
from services.api.guards import CUSTOMERS_READ, authenticated
from services.api.links import next_link
from services.api.parameters import FeedParameters, StreamParameters
from services.api.readers.feed import read_feed_bounds
from services.api.resources import Resources, resources_of
from shared.keys import Scope

router = APIRouter(tags=["transitions"], dependencies=[CUSTOMERS_READ])

_STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get("/v1/transitions", openapi_extra=described(FeedParameters))
async def read_transitions(
    request: Request, asked: Annotated[FeedParameters, parsed(FeedParameters)]
) -> Response:
    """Return transitions and retractions of all customers, in the order they were told."""
    resources = resources_of(request)
    after = await _beginning(resources, asked, asked.cursor)
    async with resources.databases.reading() as connection:
        found = await read_slice(connection, after, asked.limit)
    cursor = seal(resources.cursors, found.reached)
    return json_answer(FeedPage(found.items, cursor), headers=next_link(request, cursor))


@router.get("/v1/stream", openapi_extra=described(StreamParameters))
async def stream_transitions(
    request: Request, asked: Annotated[StreamParameters, parsed(StreamParameters)]
) -> Response:
    """Return transitions and retractions as server-sent events, as they are told.

    The id of an event is the cursor behind it; `Last-Event-ID` goes on there.
    """
    resources = resources_of(request)
    resources.outlets.streams.require_room()
    after = await _beginning(resources, asked, request.headers.get("last-event-id") or asked.cursor)
    first = await resources.outlets.streams.slice_behind(after)

    async def check() -> None:
        (await authenticated(request)).require(Scope.CUSTOMERS_READ)

    return StreamingResponse(
        resources.outlets.streams.events(first, resources.cursors, check),
        media_type="text/event-stream",
        headers=_STREAM_HEADERS,
    )


async def _beginning(resources: Resources, asked: StreamParameters, cursor: str | None) -> int:
    """Return the number of the message that *asked* wants to begin behind."""
    if cursor is not None:
        return unsealed(resources.cursors, cursor)
    if asked.start == "oldest":
        return BEGINNING
    async with resources.databases.reading() as connection:
        return (await read_feed_bounds(connection)).published
