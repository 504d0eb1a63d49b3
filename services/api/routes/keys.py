"""Keys: made, listed and revoked; the text of one is shown once."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.api.answers import NO_STORE, json_answer
from services.api.bodies import NewKey
from services.api.guards import ADMIN
from services.api.parameters import NoParameters
from services.api.references import Segment, name_in
from services.api.resources import resources_of
from services.api.transactions import writing
from shared.instants import Instant, rfc3339
from shared.key_requests import KeyRequest, parse_scopes
from shared.storage.access import StoredKey, create_key, list_keys, revoke_key
from shared.touchpoints import JsonObject

router = APIRouter(tags=["keys"], dependencies=[ADMIN])


@router.get("/v1/keys")
async def read_keys(request: Request, _: Annotated[NoParameters, Query()]) -> Response:
    """List all keys, also revoked ones, in the order they were made."""
    async with writing(resources_of(request).engine) as connection:
        stored = await list_keys(connection)
    return json_answer({"items": [_document(key) for key in stored]})


@router.post("/v1/keys", status_code=201)
async def make_key(request: Request, body: NewKey, _: Annotated[NoParameters, Query()]) -> Response:
    """Make a key; its text is in this answer and nowhere else."""
    resources = resources_of(request)
    wanted = KeyRequest(
        name=body.name,
        kind=body.kind,
        source=body.source,
        scopes=parse_scopes(body.scopes),
        expires_at=body.expires_at,
    )
    async with writing(resources.engine) as connection:
        made = await create_key(connection, wanted, pepper=resources.pepper, now=resources.clock())
    content = {
        "id": made.id,
        "key": made.text,
        "kind": wanted.checked_kind(),
        "name": wanted.name,
        "source": wanted.source,
        "scopes": sorted(wanted.scopes),
    }
    return json_answer(content, status=201, headers=NO_STORE)


@router.delete("/v1/keys/{key_id}", status_code=204)
async def take_back_key(
    request: Request, key_id: Segment, _: Annotated[NoParameters, Query()]
) -> Response:
    """Revoke a key for ever; it stops working everywhere within 30 seconds."""
    resources = resources_of(request)
    async with writing(resources.engine) as connection:
        await revoke_key(connection, name_in(key_id), now=resources.clock())
    return Response(status_code=204)


def _document(key: StoredKey) -> JsonObject:
    return {
        "id": key.id,
        "kind": key.kind,
        "name": key.name,
        "source": key.source,
        "scopes": sorted(key.scopes),
        "created_at": rfc3339(key.created_at),
        "expires_at": _time(key.expires_at),
        "revoked_at": _time(key.revoked_at),
        "last_used_at": _time(key.last_used_at),
    }


def _time(instant: Instant | None) -> str | None:
    return None if instant is None else rfc3339(instant)
