"""Redrives: refused items repaired and sent on, or given up."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from services.api.answers import json_answer
from services.api.bodies import Discarded, RedrivenItem, RedrivenItems
from services.api.guards import QUARANTINE_WRITE
from services.api.parameters import NoParameters
from services.api.quarantine import item_document
from services.api.readers.quarantine import QuarantineFilter, read_quarantined
from services.api.redrive_effects import effects_of
from services.api.redriving import Redriven, discard, redrive_all, redrive_one
from services.api.references import Segment, id_in
from services.api.repairs import Repair
from services.api.resources import resources_of
from services.api.transactions import reading
from shared.errors import Invalid
from shared.instants import EARLIEST
from shared.keys import Principal
from shared.records import TouchpointRecord
from shared.touchpoints import JsonObject

router = APIRouter(tags=["quarantine"])

Writer = Annotated[Principal, QUARANTINE_WRITE]

MOST_SHOWN: Final = 1_000
"""Items in an answer; those that are still wrong come first."""


@router.post("/v1/quarantine/redrive")
async def redrive_selected(
    request: Request, body: RedrivenItems, writer: Writer, _: Annotated[NoParameters, Query()]
) -> Response:
    """Repair and redrive all open items that a filter selects, up to 10,000, the oldest first.

    Those that are still wrong stay open; if all of them are, the answer is 422.
    """
    resources = resources_of(request)
    since = EARLIEST if body.filter.since is None else body.filter.since
    wanted = QuarantineFilter(body.filter.reason, body.filter.source, None, since)
    repair = Repair(move=body.move, patch=body.patch)
    matched, outcomes = await redrive_all(
        resources, wanted, repair, actor=writer.actor, dry_run=body.dry_run
    )
    wrong = [one for one in outcomes if one.error is not None]
    if outcomes and len(wrong) == len(outcomes):
        raise _all_wrong(wrong)
    content = _document(matched, sorted(outcomes, key=lambda one: one.error is None))
    if body.dry_run:
        content["effects"] = await effects_of(resources, _records(outcomes))
    return json_answer(content)


@router.post("/v1/quarantine/{quarantine_id}/redrive")
async def redrive_item(
    request: Request,
    quarantine_id: Segment,
    writer: Writer,
    _: Annotated[NoParameters, Query()],
    body: RedrivenItem | None = None,
) -> Response:
    """Repair one item and redrive it; without a body, as it was sent. Twice is once."""
    resources = resources_of(request)
    given = RedrivenItem() if body is None else body
    outcome = await redrive_one(
        resources,
        id_in(quarantine_id, "quarantined item"),
        Repair(given.item, given.move, given.patch),
        actor=writer.actor,
        dry_run=given.dry_run,
    )
    content = _document(1, [outcome])
    if given.dry_run:
        content["effects"] = await effects_of(resources, _records([outcome]))
    return json_answer(content)


@router.post("/v1/quarantine/{quarantine_id}/discard")
async def discard_item(
    request: Request,
    quarantine_id: Segment,
    body: Discarded,
    writer: Writer,
    _: Annotated[NoParameters, Query()],
) -> Response:
    """Give an item up; it stays to be seen until the quarantine's retention ends."""
    resources = resources_of(request)
    wanted = id_in(quarantine_id, "quarantined item")
    await discard(resources, wanted, body.reason, actor=writer.actor)
    async with reading(resources.engine) as connection:
        row = await read_quarantined(connection, wanted)
    return json_answer({**item_document(row), "settled_reason": row["settled_reason"]})


def _records(outcomes: list[Redriven]) -> list[TouchpointRecord]:
    return [one.record for one in outcomes if one.record is not None]


def _document(matched: int, outcomes: list[Redriven]) -> JsonObject:
    redriven = sum(one.record is not None and one.status == "redriven" for one in outcomes)
    return {
        "matched": matched,
        "redriven": redriven,
        "still_wrong": sum(one.error is not None for one in outcomes),
        "items": [_item(one) for one in outcomes[:MOST_SHOWN]],
    }


def _item(one: Redriven) -> JsonObject:
    item: JsonObject = {
        "id": str(one.quarantine_id),
        "source": one.source,
        "event_id": one.event_id,
        "status": one.status,
    }
    if one.error is not None:
        item |= {"message": one.error.message, "errors": one.error.faults}
    return item


def _all_wrong(wrong: list[Redriven]) -> Invalid:
    first = wrong[0].error
    if first is None:
        raise ValueError("only items with an error are wrong")
    message = f"none of {len(wrong)} items can be redriven so; of the first, {first.message}"
    return Invalid(message, code=first.code, faults=first.faults)
