"""Answers about journeys: which moment they are of, and under which model."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from services.api.freshness import Freshness, freshness
from services.api.parameters import JourneyParameters
from services.api.readers.customers import CustomerHead, find_customer
from services.api.readers.journeys import JourneyQuestion, read_journey
from services.api.readers.receipts import Verdict
from services.api.readers.stage_models import model_active_at
from services.api.resources import Resources
from services.api.transactions import reading_settled
from shared.instants import Instant
from shared.touchpoints import Identifier, JsonObject


@dataclass(frozen=True, slots=True)
class JourneyAnswer:
    """A journey's document; ``known_at`` as it was used, where it was asked for."""

    document: JsonObject
    freshness: Freshness
    known_at: Instant | None


def moment_of(fresh: Freshness, verdict: Verdict | None, now: Instant) -> Instant | None:
    """Return the moment that an answer is of unless another one is asked for.

    It is as far as the answer is fresh, but not before a touchpoint that was waited for, unless
    that lies in the future. None while nobody can tell how fresh the answer is.
    """
    if fresh.as_of is None or verdict is None or verdict.effective_at is None:
        return fresh.as_of
    return max(fresh.as_of, verdict.effective_at) if verdict.effective_at <= now else fresh.as_of


async def answer_journey(
    resources: Resources,
    reference: Identifier | UUID,
    asked: JourneyParameters,
    verdict: Verdict | None,
) -> JourneyAnswer:
    """Read the journey that *asked* wants of the customer *reference*.

    Raises:
        NotFound: there is no such customer or model.
    """
    needed = asked.known_at is not None
    async with reading_settled(resources.engine, needed=needed) as (connection, settled):
        head = await find_customer(connection, reference, model=asked.model)
        known_at = None if asked.known_at is None else min(asked.known_at, settled)
        model = head.model
        if known_at is not None and asked.model != model.version:
            model = await model_active_at(connection, model, known_at)
        now = resources.clock()
        fresh = freshness(now, head.watermark)
        present = moment_of(fresh, verdict, now) if known_at is None else known_at
        question = JourneyQuestion(
            head.customer_id,
            head.identifier_ids,
            model.id,
            present if asked.as_of is None else asked.as_of,
            known_at,
        )
        program = await resources.programs.load(connection, model)
        document = await read_journey(connection, program, question)
    return JourneyAnswer(document, fresh, known_at)


async def present_journey(
    connection: asyncpg.Connection, resources: Resources, head: CustomerHead, as_of: Instant | None
) -> JsonObject:
    """Read the journey of the customer *head* at *as_of*, under the head's model."""
    program = await resources.programs.load(connection, head.model)
    question = JourneyQuestion(head.customer_id, head.identifier_ids, head.model.id, as_of)
    return await read_journey(connection, program, question)
