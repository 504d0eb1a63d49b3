"""Explanations: why a customer is in a stage and not in a later one, with the evidence in full."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from services.api.freshness import Freshness, freshness
from services.api.journeys import moment_of
from services.api.parameters import ExplanationParameters
from services.api.readers.customers import find_customer
from services.api.readers.journeys import JourneyQuestion, read_folding
from services.api.readers.receipts import Verdict
from services.api.readers.touchpoints import read_touchpoints
from services.api.resources import Resources
from shared.instants import rfc3339
from shared.journey.explain import explain, explanation_document
from shared.journey.moves import Cause, Identity, Move, TouchpointCause, cause_document
from shared.journey.render import stage_document
from shared.touchpoints import Identifier, JsonObject


@dataclass(frozen=True, slots=True)
class ExplanationAnswer:
    """An explanation's document; ``as_of`` is the moment it is of."""

    document: JsonObject
    freshness: Freshness
    as_of: str


async def answer_explanation(
    resources: Resources,
    reference: Identifier | UUID,
    asked: ExplanationParameters,
    verdict: Verdict | None,
) -> ExplanationAnswer:
    """Explain where the customer *reference* stands.

    Raises:
        NotFound: there is no such customer or model.
    """
    async with resources.databases.reading(current=verdict is not None) as connection:
        head = await find_customer(connection, reference, model=asked.model)
        now = resources.clock()
        fresh = freshness(now, head.watermark)
        moment = moment_of(fresh, verdict, now) if asked.as_of is None else asked.as_of
        question = JourneyQuestion(head.customer_id, head.identifier_ids, head.model.id, moment)
        program = await resources.programs.load(connection, head.model)
        folding = await read_folding(connection, program, question)
        explanation = explain(folding.fold, folding.as_of, folding.before)
        why = None
        if explanation.why is not None:
            why = await _why(connection, explanation.why)
    stage = folding.fold.journey(folding.as_of, folding.before).stage
    document: JsonObject = {
        "customer_id": str(head.customer_id),
        "model": program.model.key,
        "version": program.model.version,
        "stage": stage_document(stage, program.model),
        **explanation_document(explanation),
        "why": why,
    }
    return ExplanationAnswer(document, fresh, rfc3339(folding.as_of))


async def _why(connection: asyncpg.Connection, move: Move) -> JsonObject:
    """Return *move* with the touchpoint that decided it, and those that its rule counted."""
    deciding, counted = _deciding(move.cause), _counted(move.cause)
    named = counted if deciding is None else [deciding, *counted]
    found = await read_touchpoints(connection, named)
    return {
        "rule": move.rule,
        "cause": cause_document(move.cause),
        "touchpoint": None if deciding is None else found.get(deciding),
        "evidence": [found[identity] for identity in counted if identity in found],
    }


def _deciding(cause: Cause) -> Identity | None:
    """Return the touchpoint that decided a move, or gave the base of its deadline."""
    if isinstance(cause, TouchpointCause):
        return Identity(cause.source, cause.event_id)
    return cause.touchpoint


def _counted(cause: Cause) -> list[Identity]:
    """Return the touchpoints that the rule of a move counted, newest first."""
    if isinstance(cause, TouchpointCause):
        return [Identity(place.source, place.event_id) for place in cause.evidence]
    return []
