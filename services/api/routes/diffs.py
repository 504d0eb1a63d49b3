"""Diffs of stage models: what a version would change, before it is in force."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.api.answers import fresh_answer, json_answer
from services.api.diffs import read_diff
from services.api.guards import MODELS_READ
from services.api.links import next_link
from services.api.parameters import DiffParameters
from services.api.references import Segment, name_in
from services.api.resources import resources_of

router = APIRouter(tags=["models"], dependencies=[MODELS_READ])


@router.get("/v1/models/{version}/diff")
async def compare_models(
    request: Request, version: Segment, asked: Annotated[DiffParameters, Query()]
) -> Response:
    """Fold all history under two versions and tell who would stand elsewhere; 202 on the way."""
    answer = await read_diff(resources_of(request), name_in(version), asked)
    if answer.freshness is None:
        return json_answer(answer.content, status=202)
    headers = next_link(request, answer.next)
    return fresh_answer(request, answer.content, answer.freshness, headers=headers)
