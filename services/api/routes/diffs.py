"""Stage models over all history: what a version would change, and what is seen of it."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from services.api.answers import fresh_answer, json_answer
from services.api.child_processes import child_lines
from services.api.diffs import read_diff
from services.api.freshness import freshness
from services.api.guards import MODELS_READ
from services.api.links import next_link
from services.api.parameters import DiffParameters, NoParameters
from services.api.readers.stage_models import find_version
from services.api.references import Segment, name_in
from services.api.resources import resources_of
from services.api.transactions import reading
from shared.instants import rfc3339
from shared.storage.watermark import load_watermark

router = APIRouter(tags=["models"], dependencies=[MODELS_READ])

_LATER: Final[dict[int | str, dict[str, Any]]] = {
    202: {"description": "not done within `timeout`: `progress`, and `next` to ask again with"}
}


@router.get("/v1/models/{version}/diff", responses=_LATER)
async def compare_models(
    request: Request, version: Segment, asked: Annotated[DiffParameters, Query()]
) -> Response:
    """Fold all history under two versions and tell who would stand elsewhere; 202 on the way."""
    answer = await read_diff(resources_of(request), name_in(version), asked)
    if answer.freshness is None:
        return json_answer(answer.content, status=202)
    headers = next_link(request, answer.content.next)
    return fresh_answer(request, answer.content, answer.freshness, headers=headers)


@router.get("/v1/models/{version}/observations")
async def observe_model(
    request: Request, version: Segment, _: Annotated[NoParameters, Query()]
) -> StreamingResponse:
    """Count what happens under a version in all stored histories; NDJSON: progress, result last."""
    resources = resources_of(request)
    async with reading(resources.engine) as connection:
        model = await find_version(connection, name_in(version))
        fresh = freshness(resources.clock(), await load_watermark(connection))
    as_of = resources.clock() if fresh.as_of is None else fresh.as_of
    url = resources.engine.url.render_as_string(hide_password=False)
    lines = child_lines("services.api.observing", url, model.version, rfc3339(as_of))
    return StreamingResponse(lines, media_type="application/x-ndjson")
