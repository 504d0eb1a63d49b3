"""The quarantine: what was refused, why, and the bytes as they came."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.api.answers import json_answer
from services.api.guards import QUARANTINE_READ
from services.api.links import next_link
from services.api.parameters import NoParameters, QuarantineParameters
from services.api.quarantine import item_document, item_in_full
from services.api.readers.quarantine import (
    QuarantineFilter,
    QuarantineMark,
    count_by_reason,
    read_quarantine,
    read_quarantined,
)
from services.api.references import Segment, id_in
from services.api.resources import resources_of
from services.api.transactions import reading
from shared.instants import EARLIEST, LATEST, instant_of

router = APIRouter(tags=["quarantine"], dependencies=[QUARANTINE_READ])

FIRST_PAGE = QuarantineMark(LATEST, UUID(int=0))


@router.get("/v1/quarantine")
async def read_page(request: Request, asked: Annotated[QuarantineParameters, Query()]) -> Response:
    """List refused items, newest first, and count them by reason."""
    resources = resources_of(request)
    since = EARLIEST if asked.since is None else asked.since
    wanted = QuarantineFilter(asked.reason, asked.source, asked.status, since)
    about = ["quarantine", asked.reason, asked.source, asked.status, asked.since]
    after = FIRST_PAGE
    if asked.cursor is not None:
        after = resources.cursors.open(asked.cursor, about, QuarantineMark)
    async with reading(resources.engine) as connection:
        rows = await read_quarantine(connection, wanted, after, asked.limit + 1)
        groups = await count_by_reason(connection, wanted)
    cursor = None
    if len(rows) > asked.limit:
        last = rows[asked.limit - 1]
        behind = QuarantineMark(instant_of(last["received_at"]), last["id"])
        cursor = resources.cursors.seal(behind, about)
    content = {
        "items": [item_document(row) for row in rows[: asked.limit]],
        "groups": [dict(group) for group in groups],
        "next": cursor,
    }
    return json_answer(content, headers=next_link(request, cursor))


@router.get("/v1/quarantine/{quarantine_id}")
async def read_item(
    request: Request, quarantine_id: Segment, _: Annotated[NoParameters, Query()]
) -> Response:
    """Return one refused item with its raw bytes and everything that is wrong with it."""
    wanted = id_in(quarantine_id, "quarantined item")
    async with reading(resources_of(request).engine) as connection:
        row = await read_quarantined(connection, wanted)
    return json_answer(item_in_full(row))
