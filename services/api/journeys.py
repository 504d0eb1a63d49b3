"""Answers about journeys: which moment they are of, and under which model."""

from dataclasses import dataclass, replace
from uuid import UUID

import asyncpg

from services.api.freshness import Freshness, freshness
from services.api.parameters import JourneyParameters
from services.api.readers.customers import CustomerHead, find_customer
from services.api.readers.journeys import (
    JourneyQuestion,
    continued_journey,
    read_head_and_cache,
    read_journey,
)
from services.api.readers.past_customers import find_past_customer
from services.api.readers.receipts import Verdict
from services.api.readers.stage_models import model_active_at
from services.api.resources import Resources
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
    if asked.known_at is None:
        return await _present_answer(resources, reference, asked, verdict)
    waited = verdict is not None
    async with resources.databases.placed(current=waited, isolated=True) as read:
        connection, settled = read.connection, read.settled
        head = await find_customer(connection, reference, model=asked.model)
        fresh = freshness(resources.clock(), head.watermark)
        belief = Belief(reference, asked.model, min(asked.known_at, settled), asked.as_of)
        past = await believed_head(connection, resources, head, belief)
        document = await believed_journey(connection, resources, past, belief)
    return JourneyAnswer(document, fresh, belief.known_at)


async def _present_answer(
    resources: Resources,
    reference: Identifier | UUID,
    asked: JourneyParameters,
    verdict: Verdict | None,
) -> JourneyAnswer:
    """Continue from the cache in one round trip; fold from the history where that is not enough."""

    def moment(head: CustomerHead) -> tuple[Freshness, Instant | None]:
        now = resources.clock()
        fresh = freshness(now, head.watermark)
        return fresh, moment_of(fresh, verdict, now) if asked.as_of is None else asked.as_of

    async with resources.databases.asking(current=verdict is not None) as connection:
        head, cached = await read_head_and_cache(connection, reference, asked.model)
        program = await resources.programs.load(connection, head.model)
    fresh, as_of = moment(head)
    if cached is not None:
        document = continued_journey(program, cached, head.customer_id, as_of)
        if document is not None:
            return JourneyAnswer(document, fresh, None)
    async with resources.databases.reading(current=verdict is not None) as connection:
        head = await find_customer(connection, reference, model=asked.model)
        fresh, as_of = moment(head)
        document = await present_journey(connection, resources, head, as_of)
    return JourneyAnswer(document, fresh, None)


@dataclass(frozen=True, slots=True)
class Belief:
    """What to say about *reference* by what had been recorded at ``known_at``.

    ``model`` is as it was asked for: a version stays what it is, a key (None: the default one)
    means the version that was active then. ``as_of`` None is ``known_at``.
    """

    reference: Identifier | UUID
    model: str | None
    known_at: Instant
    as_of: Instant | None = None


async def believed_head(
    connection: asyncpg.Connection, resources: Resources, head: CustomerHead, belief: Belief
) -> CustomerHead:
    """Return *head* with the customer, the identifiers and the model of that time."""
    model = head.model
    if belief.model != model.version:
        model = await model_active_at(connection, model, belief.known_at)
    customer = await find_past_customer(
        connection, belief.reference, resources.directory.policy, belief.known_at
    )
    return replace(
        head,
        customer_id=customer.customer_id,
        identifier_ids=customer.identifier_ids,
        model=model,
        refused=customer.refused,
    )


async def believed_journey(
    connection: asyncpg.Connection, resources: Resources, past: CustomerHead, belief: Belief
) -> JsonObject:
    """Fold what *belief* asks for; *past* is from ``believed_head``."""
    question = JourneyQuestion(
        past.customer_id,
        past.identifier_ids,
        past.model.id,
        belief.known_at if belief.as_of is None else belief.as_of,
        belief.known_at,
    )
    program = await resources.programs.load(connection, past.model)
    return await read_journey(connection, program, question)


async def present_journey(
    connection: asyncpg.Connection, resources: Resources, head: CustomerHead, as_of: Instant | None
) -> JsonObject:
    """Read the journey of the customer *head* at *as_of*, under the head's model."""
    program = await resources.programs.load(connection, head.model)
    question = JourneyQuestion(head.customer_id, head.identifier_ids, head.model.id, as_of)
    return await read_journey(connection, program, question)
