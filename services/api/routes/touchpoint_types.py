"""Touchpoint types: the catalogue, and which bundled stage models look at each."""

from functools import cache
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from services.api.answers import json_answer
from services.api.guards import CUSTOMERS_READ
from services.api.parameters import NoParameters
from shared.catalogue.schemas import schema_of
from shared.catalogue.types import TouchpointType, touchpoint_types
from shared.catalogue.uses import bundled_models, models_ignoring, uses_of
from shared.touchpoints import JsonObject

router: Final = APIRouter(tags=["touchpoint types"], dependencies=[CUSTOMERS_READ])


@router.get("/v1/touchpoint-types")
async def read_touchpoint_types(_: Annotated[NoParameters, Query()]) -> Response:
    """List the touchpoint types of the catalogue, each with its JSON Schema and an example."""
    return json_answer({"items": _items()})


@cache
def _items() -> list[JsonObject]:
    return [_item(kind) for kind in touchpoint_types().values()]


def _item(kind: TouchpointType) -> JsonObject:
    models = bundled_models()
    return {
        "type": kind.key,
        "description": kind.description,
        "channel": kind.channels[0],
        "channels": kind.channels,
        "direction": kind.direction,
        "friction": kind.friction,
        "aliases": kind.aliases,
        "vendors": kind.vendors,
        "schema": schema_of(kind),
        "example": kind.example,
        "used_by": [use._asdict() for use in uses_of(kind, models)],
        "no_sign_of_life_to": list(models_ignoring(kind, models)),
    }
