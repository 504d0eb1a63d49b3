"""Stages: how many customers stand in each."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from services.api.answers import fresh_answer
from services.api.freshness import freshness
from services.api.guards import CUSTOMERS_READ
from services.api.parameters import StagesParameters
from services.api.readers.populations import count_by_stage, count_overdue
from services.api.readers.stage_models import find_published_model
from services.api.resources import resources_of
from shared.journey.model import Stage
from shared.storage.watermark import load_watermark
from shared.touchpoints import JsonObject

router = APIRouter(tags=["stages"], dependencies=[CUSTOMERS_READ])


@router.get("/v1/stages")
async def read_stages(request: Request, asked: Annotated[StagesParameters, Query()]) -> Response:
    """Return the stages of a model in their order, each with its customers, as published."""
    resources = resources_of(request)
    async with resources.databases.reading() as connection:
        model = await find_published_model(connection, asked.model)
        program = await resources.programs.load(connection, model)
        counts = await count_by_stage(connection, model.id)
        fresh = freshness(resources.clock(), await load_watermark(connection))
        overdue = 0
        if fresh.as_of is not None:
            overdue = await count_overdue(connection, fresh.as_of, model.id)
    content = {
        "model": model.key,
        "version": model.version,
        "stages": [
            {**_stage(stage, counts.get(stage.key, 0)), "drill": _drill(stage, asked.model)}
            for stage in program.model.stages
        ],
        "without_stage": counts.get(None, 0),
    }
    return fresh_answer(request, content, fresh.with_overdue(overdue))


def _stage(stage: Stage, customers: int) -> JsonObject:
    return {
        "key": stage.key,
        "label": stage.label,
        "role": stage.role,
        "phase": stage.phase,
        "rank": stage.rank,
        "goal": stage.goal,
        "terminal": stage.terminal,
        "customers": customers,
    }


def _drill(stage: Stage, model: str | None) -> str:
    """Return the address of the customers in a stage."""
    asked = {"stage": stage.key} if model is None else {"stage": stage.key, "model": model}
    return f"/v1/customers?{urlencode(asked)}"
