"""Webhooks: endpoints that are told of events, and what became of what they were told."""

from collections.abc import Sequence
from typing import Annotated, Final
from uuid import UUID, uuid4

import msgspec
from fastapi import APIRouter, Query, Request, Response

from services.api.answers import NO_STORE, json_answer
from services.api.bodies import ChangedWebhook, NewWebhook
from services.api.guards import ADMIN
from services.api.links import next_link
from services.api.parameters import DeliveryParameters, NoParameters
from services.api.references import Segment, id_in, name_in
from services.api.resources import resources_of
from services.api.transactions import reading
from services.api.webhooks.deliveries import (
    LAST_ID,
    delivery_document,
    note_test,
    read_deliveries,
    send_again,
    take_up_again,
)
from services.api.webhooks.delivering import endpoint_of
from services.api.webhooks.endpoints import (
    EndpointChange,
    NewEndpoint,
    change_endpoint,
    create_endpoint,
    delete_endpoint,
    endpoint_document,
    list_endpoints,
    read_endpoint,
    require_reachable,
    rotate_secret,
)
from services.api.webhooks.payloads import TEST, EventType, payload
from services.api.webhooks.secrets import secret_of
from shared.errors import Conflict, NotFound
from shared.instants import rfc3339
from shared.keys import Principal
from shared.storage.audit import Act, record_act
from shared.touchpoints import JsonObject
from shared.upkeep.transactions import transaction

router = APIRouter(tags=["webhooks"], dependencies=[ADMIN])

Admin = Annotated[Principal, ADMIN]

_WHAT: Final = "webhook"
_FIRST_GENERATION: Final = 0


class DeliveryMark(msgspec.Struct, frozen=True, array_like=True):
    """The last delivery of a page."""

    id: int


@router.get("/v1/webhooks")
async def read_webhooks(request: Request, _: Annotated[NoParameters, Query()]) -> Response:
    """List all endpoints, in the order they were made."""
    async with reading(resources_of(request).engine) as connection:
        rows = await list_endpoints(connection)
    return json_answer({"items": [endpoint_document(row) for row in rows]})


@router.post("/v1/webhooks", status_code=201)
async def make_webhook(
    request: Request, body: NewWebhook, admin: Admin, _: Annotated[NoParameters, Query()]
) -> Response:
    """Make an endpoint, told of what happens from now on; its secret is in this answer only."""
    resources = resources_of(request)
    allow_private = resources.outlets.webhooks.allow_private
    await require_reachable(body.url, allow_private=allow_private)
    events = _names(body.events)
    new = NewEndpoint(body.url, events, body.max_age)
    webhook_id, now = uuid4(), resources.clock()
    async with transaction(resources.engine) as connection:
        row = await create_endpoint(connection, webhook_id, new, now)
        await record_act(connection, _act(admin, "made", webhook_id, events=events), at=now)
    secret = secret_of(resources.pepper, webhook_id, _FIRST_GENERATION)
    content = {**endpoint_document(row), "secret": secret}
    return json_answer(content, status=201, headers=NO_STORE)


@router.get("/v1/webhooks/{webhook_id}")
async def read_webhook(
    request: Request, webhook_id: Segment, _: Annotated[NoParameters, Query()]
) -> Response:
    """Return one endpoint."""
    async with reading(resources_of(request).engine) as connection:
        row = await read_endpoint(connection, id_in(webhook_id, _WHAT))
    return json_answer(endpoint_document(row))


@router.patch("/v1/webhooks/{webhook_id}")
async def change_webhook(
    request: Request,
    webhook_id: Segment,
    body: ChangedWebhook,
    admin: Admin,
    _: Annotated[NoParameters, Query()],
) -> Response:
    """Change an endpoint; one that was disabled goes on where it stopped once it is active."""
    resources = resources_of(request)
    wanted, now = id_in(webhook_id, _WHAT), resources.clock()
    if body.url is not None:
        allow_private = resources.outlets.webhooks.allow_private
        await require_reachable(body.url, allow_private=allow_private)
    events = None if body.events is None else _names(body.events)
    change = EndpointChange(body.url, events, body.max_age, body.status)
    async with transaction(resources.engine) as connection:
        row = await change_endpoint(connection, wanted, change)
        if change.status == "active":
            await take_up_again(connection, wanted, now)
        act = _act(admin, "changed", wanted, changed=change.names, status=row["status"])
        await record_act(connection, act, at=now)
    return json_answer(endpoint_document(row))


@router.delete("/v1/webhooks/{webhook_id}", status_code=204)
async def take_webhook_away(
    request: Request, webhook_id: Segment, admin: Admin, _: Annotated[NoParameters, Query()]
) -> Response:
    """Delete an endpoint; what was still to be sent to it is not sent."""
    resources = resources_of(request)
    wanted = id_in(webhook_id, _WHAT)
    async with transaction(resources.engine) as connection:
        await delete_endpoint(connection, wanted)
        await record_act(connection, _act(admin, "deleted", wanted), at=resources.clock())
    return Response(status_code=204)


@router.post("/v1/webhooks/{webhook_id}/rotate")
async def rotate_webhook(
    request: Request, webhook_id: Segment, admin: Admin, _: Annotated[NoParameters, Query()]
) -> Response:
    """Give an endpoint a new secret; the one before signs beside it for 24 hours."""
    resources = resources_of(request)
    wanted, now = id_in(webhook_id, _WHAT), resources.clock()
    async with transaction(resources.engine) as connection:
        generation = await rotate_secret(connection, wanted, now)
        await record_act(connection, _act(admin, "rotated", wanted), at=now)
    secret = secret_of(resources.pepper, wanted, generation)
    return json_answer({"secret": secret}, headers=NO_STORE)


@router.post("/v1/webhooks/{webhook_id}/test")
async def try_webhook(
    request: Request, webhook_id: Segment, admin: Admin, _: Annotated[NoParameters, Query()]
) -> Response:
    """Send one message to an endpoint now, and return how that ended; it is not tried again."""
    resources = resources_of(request)
    wanted = id_in(webhook_id, _WHAT)
    async with reading(resources.engine) as connection:
        endpoint = endpoint_of(await read_endpoint(connection, wanted))
    message_id = f"test_{uuid4().hex}"
    told_at = rfc3339(resources.clock())
    data: JsonObject = {"webhook_id": str(wanted), "message": "this endpoint can be reached"}
    outcome = await resources.outlets.webhooks.send_once(
        endpoint, message_id, payload(TEST, told_at, data)
    )
    async with transaction(resources.engine) as connection:
        await read_endpoint(connection, wanted)
        now = resources.clock()
        row = await note_test(connection, wanted, message_id, outcome, now)
        await record_act(connection, _act(admin, "tested", wanted, delivery=row["id"]), at=now)
    return json_answer(delivery_document(row))


@router.get("/v1/webhooks/{webhook_id}/deliveries")
async def read_page(
    request: Request, webhook_id: Segment, asked: Annotated[DeliveryParameters, Query()]
) -> Response:
    """List what an endpoint was told, or has to be, the newest first."""
    resources = resources_of(request)
    wanted = id_in(webhook_id, _WHAT)
    about = ["deliveries", str(wanted), asked.status]
    before = LAST_ID
    if asked.cursor is not None:
        before = resources.cursors.open(asked.cursor, about, DeliveryMark).id
    async with reading(resources.engine) as connection:
        await read_endpoint(connection, wanted)
        rows = await read_deliveries(
            connection, wanted, before=before, status=asked.status, limit=asked.limit + 1
        )
    cursor = None
    if len(rows) > asked.limit:
        cursor = resources.cursors.seal(DeliveryMark(rows[asked.limit - 1]["id"]), about)
    items = [delivery_document(row) for row in rows[: asked.limit]]
    return json_answer({"items": items, "next": cursor}, headers=next_link(request, cursor))


@router.post("/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver", status_code=202)
async def redeliver(
    request: Request,
    webhook_id: Segment,
    delivery_id: Segment,
    admin: Admin,
    _: Annotated[NoParameters, Query()],
) -> Response:
    """Send a message again, under the same id, as if it had never been tried."""
    resources = resources_of(request)
    wanted, number, now = id_in(webhook_id, _WHAT), _number(delivery_id), resources.clock()
    async with transaction(resources.engine) as connection:
        endpoint = await read_endpoint(connection, wanted)
        if endpoint["status"] == "disabled":
            raise Conflict(
                "this webhook is disabled: make it active first", code="webhook_disabled"
            )
        row = await send_again(connection, wanted, number, now)
        await record_act(connection, _act(admin, "redelivered", wanted, delivery=number), at=now)
    return json_answer(delivery_document(row), status=202)


def _names(events: Sequence[EventType]) -> list[str]:
    """Return what *events* are called, each once."""
    return list(dict.fromkeys(event.value for event in events))


def _act(admin: Principal, verb: str, webhook_id: UUID, **details: object) -> Act:
    """Return what the audit keeps of an act on an endpoint; its address may hold a secret."""
    return Act(admin.actor, f"webhook.{verb}", f"webhook:{webhook_id}", details=details)


def _number(segment: str) -> int:
    """Read the id of a delivery.

    Raises:
        NotFound: it is none.
    """
    text = name_in(segment)
    if not (text.isascii() and text.isdigit()) or int(text) > LAST_ID:
        raise NotFound("no delivery of this webhook has that id")
    return int(text)
