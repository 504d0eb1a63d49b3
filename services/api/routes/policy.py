"""The identity policy: what may be one customer, and how far a change of it has got."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from services.api.acting import hand_of
from services.api.answers import json_answer
from services.api.asking import document_body
from services.api.guards import ADMIN, POLICY_READ
from services.api.moments import moment_text
from services.api.parameters import NoParameters, PolicyParameters
from services.api.resources import resources_of
from services.api.transactions import reading
from shared.errors import Fault
from shared.identity.policy import Policy
from shared.identity.policy_documents import default_policy, document_of, read_policy
from shared.identity.policy_warnings import warnings_of
from shared.keys import Principal
from shared.storage.policies import StoredPolicy, read_stored_policy, set_policy
from shared.touchpoints import JsonObject
from shared.upkeep.transactions import began_at, transaction

router = APIRouter(tags=["links"])

_DOCUMENT: Final = document_body("the policy itself")


@router.get("/v1/policy", dependencies=[POLICY_READ])
async def read_policy_in_force(request: Request, _: Annotated[NoParameters, Query()]) -> Response:
    """Return the policy in force, what is odd about it, and how far it has been applied."""
    async with reading(resources_of(request).engine) as connection:
        stored = await read_stored_policy(connection)
    return json_answer(_document(stored))


@router.put("/v1/policy", openapi_extra=_DOCUMENT)
async def put_policy_in_force(
    request: Request,
    admin: Annotated[Principal, ADMIN],
    asked: Annotated[PolicyParameters, Query()],
) -> Response:
    """Put a policy in force; 202 while a classifier applies it to the customers there are."""
    policy, hand = read_policy(await request.body()), hand_of(admin, asked.reason)
    engine = resources_of(request).engine
    if asked.dry_run:
        content = {"policy": document_of(policy), "warnings": _warnings(policy), "changed": False}
        return json_answer(content)
    async with transaction(engine) as connection:
        now = await began_at(connection)
        changed = await set_policy(
            connection, policy, actor=hand.actor, reason=hand.reason, now=now
        )
        stored = await read_stored_policy(connection)
    content = {**_document(stored), "changed": changed}
    return json_answer(content, status=202 if content["applying"] else 200)


def _document(stored: StoredPolicy | None) -> JsonObject:
    policy = default_policy() if stored is None else stored.policy
    content: JsonObject = {
        "policy": document_of(policy),
        "default": stored is None,
        "warnings": _warnings(policy),
        "actor": None,
        "reason": None,
        "set_at": None,
        "applying": None,
    }
    if stored is None:
        return content
    applying: JsonObject = {"identifiers": stored.identifiers_done, "of": stored.identifiers_of}
    return {
        **content,
        "actor": stored.actor,
        "reason": stored.reason,
        "set_at": moment_text(stored.recorded_at),
        "applying": applying if stored.applied_at is None else None,
    }


def _warnings(policy: Policy) -> list[JsonObject]:
    return [_fault(fault) for fault in warnings_of(policy)]


def _fault(fault: Fault) -> JsonObject:
    return {"path": fault.path, "code": fault.code, "message": fault.message}
