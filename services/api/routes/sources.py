"""Sources: the named senders of touchpoints."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.api.answers import json_answer
from services.api.bodies import ChangedSource, NewSource
from services.api.guards import ADMIN
from services.api.parameters import NoParameters
from services.api.references import Segment, name_in
from services.api.resources import resources_of
from services.api.transactions import writing
from shared.instants import rfc3339
from shared.keys import Principal
from shared.source_documents import document_of
from shared.storage.access import StoredSource, create_source, list_sources, update_source
from shared.storage.access_acts import record_source_act
from shared.touchpoints import JsonObject

router = APIRouter(tags=["sources"], dependencies=[ADMIN])

Admin = Annotated[Principal, ADMIN]


@router.get("/v1/sources")
async def read_sources(request: Request, _: Annotated[NoParameters, Query()]) -> Response:
    """List the sources by name, with their settings, secrets of webhooks included."""
    async with writing(resources_of(request).engine) as connection:
        stored = await list_sources(connection)
    return json_answer({"items": [_document(source) for source in stored]})


@router.post("/v1/sources", status_code=201)
async def make_source(
    request: Request, body: NewSource, admin: Admin, _: Annotated[NoParameters, Query()]
) -> Response:
    """Make a source."""
    resources = resources_of(request)
    now = resources.clock()
    async with writing(resources.engine) as connection:
        made = await create_source(connection, body.name, body.channel, body.settings, now=now)
        settings = body.settings or {}
        await record_source_act(
            connection, admin.actor, "source.made", body.name, now=now, settings=settings
        )
    return json_answer(_document(made), status=201)


@router.patch("/v1/sources/{name}")
async def change_source(
    request: Request,
    name: Segment,
    body: ChangedSource,
    admin: Admin,
    _: Annotated[NoParameters, Query()],
) -> Response:
    """Change a source; settings that are not given stay as they are."""
    resources = resources_of(request)
    now = resources.clock()
    async with writing(resources.engine) as connection:
        changed = await update_source(
            connection, name_in(name), channel=body.channel, settings=body.settings, now=now
        )
        settings, known = body.settings or {}, changed.source.name
        await record_source_act(
            connection, admin.actor, "source.changed", known, now=now, settings=settings
        )
    return json_answer(_document(changed))


def _document(stored: StoredSource) -> JsonObject:
    return {
        "name": stored.source.name,
        "channel": stored.source.channel,
        "settings": document_of(stored.source.settings),
        "created_at": rfc3339(stored.created_at),
        "updated_at": rfc3339(stored.updated_at),
    }
