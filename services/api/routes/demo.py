"""The demo: gone at one request."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.api.answers import json_answer
from services.api.guards import ADMIN
from services.api.parameters import NoParameters
from services.api.resources import resources_of
from services.api.transactions import writing
from shared.demo import PREFIX
from shared.keys import Principal
from shared.storage.audit import Act, record_act
from shared.storage.engine import driver_of
from shared.storage.removal import remove_sources

router = APIRouter(tags=["operations"], dependencies=[ADMIN])


@router.delete("/v1/demo")
async def remove_demo(
    request: Request, admin: Annotated[Principal, ADMIN], _: Annotated[NoParameters, Query()]
) -> Response:
    """Remove all that the demo's sources sent, and say what was kept because others know it."""
    resources = resources_of(request)
    async with writing(resources.engine) as connection:
        done = await remove_sources(connection, PREFIX)
        act = Act(admin.actor, "demo.removed", f"sources:{PREFIX}", details=dict(done.removed))
        await record_act(await driver_of(connection), act, at=resources.clock())
    kept = [customer._asdict() for customer in done.kept]
    return json_answer({"removed": dict(done.removed), "kept": kept})
