"""Links by hand, and taking links back: who is one customer, decided by a person."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, TypeAlias
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Query, Request, Response

from services.api.acting import carried_out, hand_of
from services.api.answers import json_answer
from services.api.bodies import NewLink, Reasoned, UnlinkedIdentifier, identifier_in
from services.api.guards import ADMIN
from services.api.link_documents import bar_document, link_document
from services.api.parameters import NoParameters
from services.api.readers.customers import find_customer
from services.api.readers.links import BarRow, LinkRow, read_bars_between, read_links_between
from services.api.references import Segment, customer_reference, id_in
from services.api.resources import Resources, resources_of
from services.api.transactions import reading
from shared.errors import Conflict, Fault, Invalid
from shared.identity.links import Pair, pair_of
from shared.keys import Principal
from shared.storage.erasures import erased_among
from shared.touchpoints import JsonObject
from shared.upkeep.active_models import ActiveModels
from shared.upkeep.acts import (
    Done,
    Hand,
    link_by_hand,
    relink_pair,
    unlink_identifier,
    unlink_pair,
)

router = APIRouter(tags=["links"])

Admin = Annotated[Principal, ADMIN]
Change: TypeAlias = Callable[[asyncpg.Connection, ActiveModels, UUID, Hand], Awaitable[Done]]


@router.post("/v1/links", status_code=201)
async def make_link(
    request: Request, body: NewLink, admin: Admin, _: Annotated[NoParameters, Query()]
) -> Response:
    """Link two identifiers, and lift the bar on them if there is one; 200 where nothing changes."""
    resources, pair = resources_of(request), _pair_in(body)
    await _refuse_erased(resources, pair)
    hand = hand_of(admin, body.reason)
    done = await carried_out(
        resources, lambda connection: link_by_hand(connection, resources.active, pair, hand)
    )
    return await _link_answer(resources, done, status=201 if done.changed else 200)


@router.post("/v1/links/{link_id}/unlink")
async def take_link_back(
    request: Request,
    link_id: Segment,
    admin: Admin,
    _: Annotated[NoParameters, Query()],
    body: Reasoned | None = None,
) -> Response:
    """Bar the pair of a link: every link between the two, past and future, is void."""
    return await _changed(resources_of(request), link_id, unlink_pair, hand_of(admin, _why(body)))


@router.post("/v1/links/{link_id}/relink")
async def restore_link(
    request: Request,
    link_id: Segment,
    admin: Admin,
    _: Annotated[NoParameters, Query()],
    body: Reasoned | None = None,
) -> Response:
    """Lift the bar on the pair of a link: its links count again, as if it had never been set."""
    return await _changed(resources_of(request), link_id, relink_pair, hand_of(admin, _why(body)))


@router.post("/v1/customers/{ref}/unlink")
async def take_identifier_out(
    request: Request,
    ref: Segment,
    body: UnlinkedIdentifier,
    admin: Admin,
    _: Annotated[NoParameters, Query()],
) -> Response:
    """Take an identifier out of a customer: bar its pairs with all others the customer has."""
    resources, reference = resources_of(request), customer_reference(ref)
    identifier, hand = identifier_in(body.identifier, "identifier"), hand_of(admin, body.reason)

    async def work(connection: asyncpg.Connection) -> Done:
        head = await find_customer(connection, reference)
        customer_id = head.customer_id
        return await unlink_identifier(connection, resources.active, customer_id, identifier, hand)

    done = await carried_out(resources, work)
    async with reading(resources.engine) as connection:
        rows = await read_bars_between(connection, done.pairs)
    content: JsonObject = {
        "identifier": str(identifier),
        "changed": done.changed,
        "bars": [bar_document(row) for row in rows],
        "customers": _customers(rows),
    }
    return json_answer(content)


async def _changed(resources: Resources, link_id: str, change: Change, hand: Hand) -> Response:
    wanted = id_in(link_id, "link")
    done = await carried_out(
        resources, lambda connection: change(connection, resources.active, wanted, hand)
    )
    return await _link_answer(resources, done)


async def _link_answer(resources: Resources, done: Done, *, status: int = 200) -> Response:
    async with reading(resources.engine) as connection:
        [row] = await read_links_between(connection, done.pairs)
    content = {**link_document(row), "changed": done.changed, "customers": _customers([row])}
    return json_answer(content, status=status)


def _customers(rows: Iterable[LinkRow | BarRow]) -> JsonObject:
    """Return whose each identifier is now."""
    ends = (
        end
        for row in rows
        for end in (
            (row.a_kind, row.a_value, row.a_customer),
            (row.b_kind, row.b_value, row.b_customer),
        )
    )
    return {f"{kind}:{value}": str(customer) for kind, value, customer in ends}


def _why(body: Reasoned | None) -> str:
    return "" if body is None else body.reason


def _pair_in(body: NewLink) -> Pair:
    a, b = identifier_in(body.a, "a"), identifier_in(body.b, "b")
    if a == b:
        message = "must be another identifier than a"
        raise Invalid(f"b {message}", code="same_identifier", faults=[Fault("b", "same", message)])
    return pair_of(a, b)


async def _refuse_erased(resources: Resources, pair: Pair) -> None:
    """Keep a person's hand from bringing an erased identifier back."""
    digests = [resources.digests.of_identifier(end) for end in pair]
    async with reading(resources.engine) as connection:
        found = await erased_among(connection, digests)
        if any(one.until is None for one in found.values()):
            raise Conflict("one of the two was erased: lift its suppression first", code="erased")
