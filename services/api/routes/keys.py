"""Keys: made, listed and revoked; the text of one is shown once."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.api.answers import NO_STORE, json_answer
from services.api.bodies import NewKey, Rotation
from services.api.guards import ADMIN
from services.api.parameters import NoParameters
from services.api.references import Segment, name_in
from services.api.resources import resources_of
from services.api.transactions import writing
from shared.instants import HOUR, Instant, rfc3339
from shared.key_requests import KeyRequest, parse_scopes
from shared.keys import Principal
from shared.storage.access import StoredKey, create_key, list_keys, revoke_key
from shared.storage.access_acts import record_key_act
from shared.storage.key_rotation import rotate_key
from shared.touchpoints import JsonObject

router = APIRouter(tags=["keys"], dependencies=[ADMIN])

Admin = Annotated[Principal, ADMIN]


@router.get("/v1/keys")
async def read_keys(request: Request, _: Annotated[NoParameters, Query()]) -> Response:
    """List all keys, also revoked ones, in the order they were made."""
    async with writing(resources_of(request).engine) as connection:
        stored = await list_keys(connection)
    return json_answer({"items": [_document(key) for key in stored]})


@router.post("/v1/keys", status_code=201)
async def make_key(
    request: Request, body: NewKey, admin: Admin, _: Annotated[NoParameters, Query()]
) -> Response:
    """Make a key; its text is in this answer and nowhere else."""
    resources = resources_of(request)
    wanted = KeyRequest(
        name=body.name,
        kind=body.kind,
        source=body.source,
        scopes=parse_scopes(body.scopes),
        expires_at=body.expires_at,
    )
    now = resources.clock()
    async with writing(resources.engine) as connection:
        made = await create_key(connection, wanted, pepper=resources.pepper, now=now)
        await record_key_act(connection, admin.actor, "key.made", made.id, now=now)
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
    request: Request, key_id: Segment, admin: Admin, _: Annotated[NoParameters, Query()]
) -> Response:
    """Revoke a key for ever; it stops working everywhere within 30 seconds."""
    resources = resources_of(request)
    now = resources.clock()
    async with writing(resources.engine) as connection:
        revoked = await revoke_key(connection, name_in(key_id), now=now)
        await record_key_act(connection, admin.actor, "key.revoked", revoked.id, now=now)
    return Response(status_code=204)


@router.post("/v1/keys/{key_id}/rotate", status_code=201)
async def rotate(
    request: Request,
    key_id: Segment,
    admin: Admin,
    _: Annotated[NoParameters, Query()],
    body: Rotation | None = None,
) -> Response:
    """Make a key with the same rights, shown once; the old one works on for a day, or as asked."""
    resources = resources_of(request)
    now = resources.clock()
    hours = (Rotation() if body is None else body).overlap_hours
    async with writing(resources.engine) as connection:
        made, former = await rotate_key(
            connection,
            name_in(key_id),
            pepper=resources.pepper,
            now=now,
            overlap=round(hours * HOUR),
        )
        details: JsonObject = {"follows": former.id}
        await record_key_act(
            connection, admin.actor, "key.rotated", made.id, now=now, details=details
        )
    content = {
        "id": made.id,
        "key": made.text,
        "replaces": {"id": former.id, "expires_at": _time(former.expires_at)},
    }
    return json_answer(content, status=201, headers=NO_STORE)


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
