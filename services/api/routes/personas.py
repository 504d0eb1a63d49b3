"""Personas: kinds of customers with a name, to filter lists and reports by."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from services.api.answers import json_answer
from services.api.asking import document_body
from services.api.guards import MODELS_READ, MODELS_WRITE
from services.api.moments import moment_text
from services.api.parameters import NoParameters
from services.api.references import Segment, name_in
from services.api.resources import resources_of
from shared.journey.personas import read_persona
from shared.keys import Principal
from shared.storage.personas import (
    StoredPersona,
    drop_persona,
    find_persona,
    list_personas,
    put_persona,
)
from shared.touchpoints import JsonObject
from shared.upkeep.transactions import began_at, transaction

router = APIRouter(tags=["models"])

Writer = Annotated[Principal, MODELS_WRITE]

_DOCUMENT: Final = document_body("`match`, a matcher of stage models, and perhaps `title`")


@router.get("/v1/personas", dependencies=[MODELS_READ])
async def read_personas(request: Request, _: Annotated[NoParameters, Query()]) -> Response:
    """List the personas by key."""
    async with resources_of(request).databases.reading() as connection:
        stored = await list_personas(connection)
    return json_answer({"items": [_document(each) for each in stored]})


@router.get("/v1/personas/{key}", dependencies=[MODELS_READ])
async def read_one_persona(
    request: Request, key: Segment, _: Annotated[NoParameters, Query()]
) -> Response:
    """Return one persona with its document."""
    async with resources_of(request).databases.reading() as connection:
        return json_answer(_document(await find_persona(connection, name_in(key))))


@router.put("/v1/personas/{key}", openapi_extra=_DOCUMENT)
async def put_one_persona(
    request: Request, key: Segment, writer: Writer, _: Annotated[NoParameters, Query()]
) -> Response:
    """Make a persona, or put another in its place; 201 if there was none of that key."""
    persona = read_persona(name_in(key), await request.body())
    async with transaction(resources_of(request).engine) as connection:
        now = await began_at(connection)
        is_new = await put_persona(connection, persona, actor=writer.actor, now=now)
        stored = await find_persona(connection, persona.key)
    return json_answer(_document(stored), status=201 if is_new else 200)


@router.delete("/v1/personas/{key}", status_code=204)
async def remove_persona(
    request: Request, key: Segment, writer: Writer, _: Annotated[NoParameters, Query()]
) -> Response:
    """Take a persona away; no customer changes."""
    async with transaction(resources_of(request).engine) as connection:
        now = await began_at(connection)
        await drop_persona(connection, name_in(key), actor=writer.actor, now=now)
    return Response(status_code=204)


def _document(stored: StoredPersona) -> JsonObject:
    persona = stored.persona
    return {
        "key": persona.key,
        "title": persona.title,
        "document": persona.document,
        "set_at": moment_text(stored.recorded_at),
    }
