"""Stage models: which there are, and what they say."""

from typing import Annotated

import asyncpg
import msgspec
from fastapi import APIRouter, Query, Request, Response

from services.api.answers import json_answer
from services.api.guards import MODELS_READ
from services.api.moments import moment_text, optional_moment_text
from services.api.parameters import NoParameters
from services.api.readers.stage_models import list_models, read_model_row
from services.api.references import Segment, name_in
from services.api.resources import resources_of
from services.api.transactions import reading
from shared.touchpoints import JsonObject

router = APIRouter(tags=["models"], dependencies=[MODELS_READ])


@router.get("/v1/models")
async def read_models(request: Request, _: Annotated[NoParameters, Query()]) -> Response:
    """List every version of every stage model, the newest of a key first."""
    async with reading(resources_of(request).engine) as connection:
        rows = await list_models(connection)
    return json_answer({"items": [_summary(row) for row in rows]})


@router.get("/v1/models/{version}")
async def read_model(
    request: Request, version: Segment, _: Annotated[NoParameters, Query()]
) -> Response:
    """Return one version of a stage model with its document, defaults filled in."""
    async with reading(resources_of(request).engine) as connection:
        row = await read_model_row(connection, name_in(version))
    return json_answer({**_summary(row), "document": msgspec.Raw(row["document"].encode())})


def _summary(row: asyncpg.Record) -> JsonObject:
    return {
        "version": row["version"],
        "key": row["key"],
        "title": row["title"],
        "state": row["state"],
        "default": row["is_default"],
        "created_at": moment_text(row["created_at"]),
        "activated_at": optional_moment_text(row["activated_at"]),
    }
