"""Stage models: which there are, what they say, and how one comes into force."""

from typing import Annotated, Any, Final

import asyncpg
import msgspec
from fastapi import APIRouter, Query, Request, Response

from services.api.answers import json_answer
from services.api.asking import document_body
from services.api.bodies import NamedRollback, WantedRollback
from services.api.guards import MODELS_READ, MODELS_WRITE
from services.api.moments import moment_text, optional_moment_text
from services.api.parameters import ActivationParameters, NoParameters, RollbackParameters
from services.api.readers.stage_models import list_models, read_model_row
from services.api.references import Segment, name_in
from services.api.releases import (
    RollbackWish,
    give_up_shadow,
    hand_in,
    put_in_force,
    roll_back,
    shadow,
)
from services.api.resources import resources_of
from services.api.transactions import reading
from shared.errors import Fault, Invalid
from shared.keys import Principal
from shared.touchpoints import JsonObject

router = APIRouter(tags=["models"])

Writer = Annotated[Principal, MODELS_WRITE]

_DOCUMENT: Final = document_body("the stage model itself")

_LATER: Final[dict[int | str, dict[str, Any]]] = {
    202: {"description": "not done within `timeout`: `progress` says how far it is, and it goes on"}
}


@router.get("/v1/models", dependencies=[MODELS_READ])
async def read_models(request: Request, _: Annotated[NoParameters, Query()]) -> Response:
    """List every version of every stage model, the newest of a key first."""
    async with reading(resources_of(request).engine) as connection:
        rows = await list_models(connection)
    return json_answer({"items": [_summary(row) for row in rows]})


@router.post("/v1/models", status_code=201, openapi_extra=_DOCUMENT)
async def hand_in_model(
    request: Request, writer: Writer, _: Annotated[NoParameters, Query()]
) -> Response:
    """Store a stage model as a draft; of a known version, replace label, title, goal, examples."""
    model, stored = await hand_in(resources_of(request), await request.body(), actor=writer.actor)
    content = {"version": model.version, "key": model.key, "state": stored.state}
    return json_answer(content, status=201 if stored.is_new else 200)


@router.post("/v1/models/{version}/activate", responses=_LATER)
async def activate_model(
    request: Request,
    version: Segment,
    writer: Writer,
    asked: Annotated[ActivationParameters, Query()],
) -> Response:
    """Fold all history under a version, then put it in force; 202 while that goes on."""
    row = await put_in_force(
        resources_of(request), name_in(version), patience=asked.timeout, actor=writer.actor
    )
    return _release(row)


@router.post("/v1/models/{version}/shadow", responses=_LATER)
async def shadow_model(
    request: Request,
    version: Segment,
    writer: Writer,
    asked: Annotated[ActivationParameters, Query()],
) -> Response:
    """Keep the journeys of a version on live traffic, and tell nobody; 202 while it is folded."""
    row = await shadow(
        resources_of(request), name_in(version), patience=asked.timeout, actor=writer.actor
    )
    return _release(row)


@router.delete("/v1/models/{version}/shadow")
async def end_model_shadow(
    request: Request, version: Segment, writer: Writer, _: Annotated[NoParameters, Query()]
) -> Response:
    """Keep them no longer; the version is a draft again, or retired."""
    row = await give_up_shadow(resources_of(request), name_in(version), actor=writer.actor)
    return json_answer(_summary(row))


@router.post("/v1/models/rollback", responses=_LATER)
async def roll_model_back(
    request: Request,
    writer: Writer,
    asked: Annotated[RollbackParameters, Query()],
    said: WantedRollback | None = None,
) -> Response:
    """Bring the version back that was in force before; 202 while its journeys are folded."""
    said = said or WantedRollback()
    if None not in (asked.key, said.key) and asked.key != said.key:
        fault = Fault("key", "contradiction", f"is {said.key} here and {asked.key} in the query")
        raise Invalid(f"key {fault.message}", faults=[fault])
    wish = RollbackWish(asked.key or said.key, said.leaving, said.reason)
    return await _rolled_back(request, wish, asked.timeout, writer)


@router.post("/v1/models/{name}/rollback", responses=_LATER)
async def roll_named_model_back(
    request: Request,
    name: Segment,
    writer: Writer,
    asked: Annotated[ActivationParameters, Query()],
    said: NamedRollback | None = None,
) -> Response:
    """Do the same for the model with this key, or of this version."""
    said = said or NamedRollback()
    wish = RollbackWish(name_in(name), said.leaving, said.reason)
    return await _rolled_back(request, wish, asked.timeout, writer)


async def _rolled_back(
    request: Request, wish: RollbackWish, patience: float, writer: Principal
) -> Response:
    row, former = await roll_back(
        resources_of(request), wish, patience=patience, actor=writer.actor
    )
    return _release(row, {"from": former})


@router.get("/v1/models/{version}", dependencies=[MODELS_READ])
async def read_model(
    request: Request, version: Segment, _: Annotated[NoParameters, Query()]
) -> Response:
    """Return one version of a stage model with its document, defaults filled in."""
    async with reading(resources_of(request).engine) as connection:
        row = await read_model_row(connection, name_in(version))
    return json_answer({**_summary(row), "document": msgspec.Raw(row["document"].encode())})


def _release(row: asyncpg.Record, more: JsonObject | None = None) -> Response:
    """Answer with a version, and whether it is still on its way."""
    on_its_way = row["customers_done"] is not None
    return json_answer({**_summary(row), **(more or {})}, status=202 if on_its_way else 200)


def _summary(row: asyncpg.Record) -> JsonObject:
    return {
        "version": row["version"],
        "key": row["key"],
        "title": row["title"],
        "state": row["state"],
        "default": row["is_default"],
        "created_at": moment_text(row["created_at"]),
        "activated_at": optional_moment_text(row["activated_at"]),
        "progress": _progress(row),
    }


def _progress(row: asyncpg.Record) -> JsonObject | None:
    """Return how many customers are folded under a model that is being activated."""
    if row["customers_done"] is None:
        return None
    return {"customers": row["customers_done"], "of": row["customers_of"]}
