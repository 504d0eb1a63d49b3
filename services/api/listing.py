"""Lists of customers: from the published view, so that they can be filtered and counted."""

from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

import asyncpg

from services.api.customers import profile_members
from services.api.freshness import Freshness, freshness
from services.api.moments import optional_moment_text
from services.api.parameters import CustomerListParameters
from services.api.readers.populations import (
    CustomerMark,
    count_customers,
    count_overdue,
    read_customers,
)
from services.api.readers.selections import CustomerFilter
from services.api.readers.stage_models import find_published_model
from services.api.resources import Resources
from shared.identity.identifiers import KIND_PATTERN
from shared.journey.model import StageModel
from shared.storage.personas import match_of_persona
from shared.storage.watermark import load_watermark
from shared.touchpoints import JsonObject

FIRST_PAGE: Final = CustomerMark(UUID(int=0))


@dataclass(frozen=True, slots=True)
class CustomerList:
    """A page of customers."""

    content: JsonObject
    freshness: Freshness
    next: str | None


async def list_customers(resources: Resources, asked: CustomerListParameters) -> CustomerList:
    """Return the page that *asked* wants, in the order of customer ids.

    Raises:
        NotFound: there is no such model or persona.
        Unreadable: the cursor is not one of this list.
    """
    about = ["customers", asked.model_dump(mode="json", exclude={"cursor", "limit"})]
    after = FIRST_PAGE
    if asked.cursor is not None:
        after = resources.cursors.open(asked.cursor, about, CustomerMark)
    async with resources.databases.reading() as connection:
        row = await find_published_model(connection, asked.model)
        model = (await resources.programs.load(connection, row)).model
        persona = await match_of_persona(connection, asked.persona)
        wanted = replace(customer_filter(row.id, model, asked), persona=persona)
        rows = await read_customers(connection, wanted, after.id, asked.limit + 1)
        total, estimated = await count_customers(connection, wanted)
        fresh = freshness(resources.clock(), await load_watermark(connection))
        overdue = 0
        if fresh.as_of is not None:
            overdue = await count_overdue(connection, fresh.as_of, row.id)
    cursor = None
    if len(rows) > asked.limit:
        cursor = resources.cursors.seal(CustomerMark(rows[asked.limit - 1]["id"]), about)
    content: JsonObject = {
        "items": [_item(row, model) for row in rows[: asked.limit]],
        "next": cursor,
        "total": total,
        "total_is_estimate": estimated,
    }
    return CustomerList(content, fresh.with_overdue(overdue), cursor)


def customer_filter(
    model_id: int, model: StageModel, asked: CustomerListParameters
) -> CustomerFilter:
    """Return what *asked* selects; role and phase stand for the stages of *model* that have it."""
    kind, colon, value = (asked.q or "").partition(":")
    by_kind = bool(colon) and KIND_PATTERN.fullmatch(kind) is not None
    if by_kind and kind == "email":
        value = value.lower()  # as they are stored
    return CustomerFilter(
        model_id=model_id,
        stages=_stages(model, asked),
        activity=asked.activity,
        channel=asked.channel,
        first_channel=asked.first_channel,
        seen_since=asked.seen_since,
        prefix_kind=kind if by_kind else None,
        prefix=value if by_kind else asked.q,
    )


def _stages(model: StageModel, asked: CustomerListParameters) -> tuple[str, ...] | None:
    if asked.stage is None and asked.role is None and asked.phase is None:
        return None
    return tuple(
        stage.key
        for stage in model.stages
        if asked.stage in (None, stage.key)
        and asked.role in (None, stage.role)
        and asked.phase in (None, stage.phase)
    )


def _item(row: asyncpg.Record, model: StageModel) -> JsonObject:
    members = profile_members(row["profile"])
    return {
        "customer_id": str(row["id"]),
        "identifiers": row["identifiers"] or [],
        "first_touch": members["first_touch"],
        "last_touch": members["last_touch"],
        "touchpoints": members["touchpoints"],
        "journey": {
            "stage": _stage(row, model),
            "activity": row["activity"],
            "cycle": row["cycle"],
            "peak_stage": row["peak_stage"],
            "next_at": optional_moment_text(row["next_at"]),
            "model": model.key,
            "version": model.version,
        },
    }


def _stage(row: asyncpg.Record, model: StageModel) -> JsonObject | None:
    if row["stage"] is None:
        return None
    stage = model.stage(row["stage"])
    return {
        "key": stage.key,
        "label": stage.label,
        "role": stage.role,
        "phase": stage.phase,
        "rank": stage.rank,
        "since": optional_moment_text(row["stage_since"]),
    }
