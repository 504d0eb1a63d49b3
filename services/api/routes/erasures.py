"""Privacy: everything about a customer handed out, or taken away."""

import asyncio
import contextlib
from typing import Annotated, Final

import asyncpg
import msgspec
from fastapi import APIRouter, Query, Request, Response

from services.api.answers import json_answer
from services.api.bodies import ErasureOrder, Reasoned, identifier_in
from services.api.erasing import Wish, erase
from services.api.exports import export_document
from services.api.guards import CUSTOMERS_ERASE, CUSTOMERS_READ, ERASURES_READ
from services.api.log_copies import spools_waiting
from services.api.moments import optional_moment_text
from services.api.parameters import ErasureParameters, NoParameters
from services.api.readers.customers import find_customer, read_identifiers
from services.api.references import Segment, customer_reference, id_in
from services.api.resources import Resources, resources_of
from services.api.transactions import reading, writing
from shared.errors import RetryableError
from shared.keys import Principal
from shared.storage.audit import Act, record_act
from shared.storage.engine import driver_of
from shared.storage.erasures import lift_suppression, list_certificates, read_certificate
from shared.touchpoints import Identifier, JsonObject

router = APIRouter(tags=["privacy"])

Eraser = Annotated[Principal, CUSTOMERS_ERASE]

LOG_SECONDS: Final = 10.0
"""How long an answer waits for the log to be cleared, which goes on without it."""
MOST_CERTIFICATES: Final = 500


@router.get("/v1/customers/{ref}/export", dependencies=[CUSTOMERS_READ])
async def export_customer(
    request: Request, ref: Segment, _: Annotated[NoParameters, Query()]
) -> Response:
    """Return everything that is held about a customer."""
    content = await export_document(resources_of(request), customer_reference(ref))
    headers = {"Cache-Control": "no-store", "Content-Disposition": "attachment"}
    return json_answer(content, headers=headers)


@router.delete("/v1/customers/{ref}")
async def erase_customer(
    request: Request,
    ref: Segment,
    eraser: Eraser,
    asked: Annotated[ErasureParameters, Query()],
    body: ErasureOrder | None = None,
) -> Response:
    """Erase a customer; `dry_run` lists the identifiers, the call repeats them.

    Unless `suppress` is false, touchpoints that carry one of them later are not stored either.
    """
    resources = resources_of(request)
    order = ErasureOrder() if body is None else body
    reference = customer_reference(ref)
    async with reading(resources.engine) as connection:
        head = await find_customer(connection, reference)
        rows = await read_identifiers(connection, head.identifier_ids)
    names = [Identifier(row.kind, row.value) for row in rows]
    if asked.dry_run or order.dry_run:
        return json_answer(_named(str(head.customer_id), names))
    repeated = asked.identifier or order.texts
    wanted = [identifier_in(text, "identifiers") for text in repeated or ()]
    wish = Wish(
        head.customer_id,
        suppress=asked.suppress and order.suppress,
        actor=eraser.actor,
        reason=order.reason,
        repeated=frozenset(wanted) if repeated is not None else None,
    )
    done = await erase(resources, wish)
    await _clear_log(resources)
    content = {"certificate": done.certificate.document}
    return json_answer({**content, **_named(str(head.customer_id), done.identifiers)})


@router.get("/v1/erasures", dependencies=[ERASURES_READ])
async def read_certificates(request: Request, _: Annotated[NoParameters, Query()]) -> Response:
    """List the newest certificates."""
    async with reading(resources_of(request).engine) as connection:
        rows = await list_certificates(connection, MOST_CERTIFICATES)
    return json_answer({"items": [_document(row) for row in rows]})


@router.get("/v1/erasures/{certificate_id}", dependencies=[ERASURES_READ])
async def read_one_certificate(
    request: Request, certificate_id: Segment, _: Annotated[NoParameters, Query()]
) -> Response:
    """Return one certificate, as it was handed out, and what has happened since."""
    wanted = id_in(certificate_id, "certificate")
    async with reading(resources_of(request).engine) as connection:
        row = await read_certificate(connection, wanted)
        waiting: JsonObject = {"spools_waiting": await spools_waiting(connection, row["number"])}
    return json_answer({**_document(row), **waiting})


@router.post("/v1/erasures/{certificate_id}/lift")
async def lift(
    request: Request,
    certificate_id: Segment,
    eraser: Eraser,
    _: Annotated[NoParameters, Query()],
    body: Reasoned | None = None,
) -> Response:
    """Let the identifiers of an erasure be used again; what was erased stays erased."""
    resources, wanted = resources_of(request), id_in(certificate_id, "certificate")
    now = resources.clock()
    async with writing(resources.engine) as connection:
        driver = await driver_of(connection)
        await read_certificate(driver, wanted)
        await lift_suppression(driver, wanted, now=now)
        reason = None if body is None else body.reason or None
        act = Act(eraser.actor, "erasure.lifted", f"certificate:{wanted}", reason)
        await record_act(driver, act, at=now)
        row = await read_certificate(driver, wanted)
    return json_answer(_document(row))


async def _clear_log(resources: Resources) -> None:
    with contextlib.suppress(TimeoutError, RetryableError):
        await asyncio.wait_for(resources.background.log_clearing.clear(), LOG_SECONDS)


def _named(customer_id: str, names: list[Identifier] | tuple[Identifier, ...]) -> JsonObject:
    listed = [{"kind": name.kind, "value": name.value} for name in names]
    return {"customer_id": customer_id, "identifiers": listed}


def _document(row: asyncpg.Record) -> JsonObject:
    return {
        "certificate": msgspec.Raw(row["document"].encode()),
        "lifted_at": optional_moment_text(row["lifted_at"]),
        "log_cleared_at": optional_moment_text(row["log_cleared_at"]),
    }
