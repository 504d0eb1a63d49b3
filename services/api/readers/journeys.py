"""Journeys: continued from what is cached, or folded from what is stored.

Both give the same journey, because it is a function of the touchpoints. The cache answers for
every time that is not before what it has applied; anything else is folded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from services.api.moments import moment_text
from services.api.readers.customers import (
    HEAD_BY_ID,
    HEAD_BY_IDENTIFIER,
    CustomerHead,
    head_of,
)
from services.api.readers.timeline_statements import moved
from shared.instants import EARLIEST, LATEST, Instant, datetime_of
from shared.journey.fold import Fold, FoldState
from shared.journey.moves import Move
from shared.journey.program import Program
from shared.journey.render import journey_document, transition_document
from shared.storage.rows import move_of, touchpoint_of
from shared.storage.stored_histories import steps
from shared.touchpoints import Identifier, JsonObject

CACHED: Final = """
SELECT journeys.state FROM journeys JOIN models ON models.id = journeys.model_id
 WHERE customer_id = $1 AND model_id = $2 AND models.state = 'active'
"""
"""The state of a journey, by customer and model, where it is kept up."""
_PUBLISHED: Final = """
SELECT id, at, axis, kind, from_key, to_key, cycle, rule, cause
  FROM transitions
 WHERE customer_id = $1 AND model_id = $2 AND superseded_at IS NULL
 ORDER BY at, cause -> 'touchpoint' IS NULL, (cause -> 'touchpoint' ->> 'source') COLLATE "C",
          (cause -> 'touchpoint' ->> 'event_id') COLLATE "C", axis, kind <> 'restart', id
"""
_WHOLE: Final = """
WITH head AS MATERIALIZED ({head})
SELECT head.*, ({cached}) AS state,
       (SELECT array_agg(item) FROM ({published}) item) AS published
  FROM head
"""
OF_HEAD: Final = {1: "head.customer_id", 2: "head.model_id"}
"""What the first parameters of statements about a journey are, beside a head."""
_HISTORY: Final = """
SELECT source, event_id, effective_at, channel, type, body
  FROM touchpoints
 WHERE identifier_id = ANY($1::bigint[]) AND effective_at <= $2 AND recorded_at <= $3
 ORDER BY effective_at, source, event_id
"""


def _whole(head: str) -> str:
    """Return the statement that reads a head with what is cached of its journey."""
    cached, published = moved(CACHED, OF_HEAD, 0), moved(_PUBLISHED, OF_HEAD, 0)
    return _WHOLE.format(head=head, cached=cached, published=published)


WHOLE_BY_IDENTIFIER: Final = _whole(HEAD_BY_IDENTIFIER)
WHOLE_BY_ID: Final = _whole(HEAD_BY_ID)


@dataclass(frozen=True, slots=True)
class CachedJourney:
    """The state that a journey has got to, and the published transitions up to there, as rows."""

    state: bytes
    published: Sequence[asyncpg.Record]


@dataclass(frozen=True, slots=True)
class JourneyQuestion:
    """Whose journey, when, and by what had been recorded by then.

    ``as_of`` None is for when nobody can tell how far the log was read: everything stored counts,
    and no deadline after it. ``known_at`` None is everything.
    """

    customer_id: UUID
    identifier_ids: tuple[int, ...]
    model_id: int
    as_of: Instant | None
    known_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class Folding:
    """A customer's fold, advanced to ``as_of``, and the moves ``before`` it was taken up again."""

    fold: Fold
    as_of: Instant
    before: tuple[Move, ...] = ()


async def read_head_and_cache(
    connection: asyncpg.Connection, reference: Identifier | UUID, model: str | None
) -> tuple[CustomerHead, CachedJourney | None]:
    """Return whose journey it is, and what is cached of it, in one round trip.

    Args:
        connection: In no transaction: one statement is of one state of the database.
        reference: An identifier, normalised as ingest does it, or a customer id.
        model: The key of an active model, or any version; None for the default model.

    Raises:
        NotFound: there is no such customer, or no such model.
    """
    if isinstance(reference, UUID):
        row = await connection.fetchrow(WHOLE_BY_ID, model, reference, None)
    else:
        row = await connection.fetchrow(WHOLE_BY_IDENTIFIER, model, *reference, None)
    head = head_of(row, model)
    if row["state"] is None:
        return head, None
    return head, CachedJourney(row["state"], row["published"] or ())


def continued_journey(
    program: Program, cached: CachedJourney, customer_id: UUID, as_of: Instant | None
) -> JsonObject | None:
    """Return the journey at *as_of* as documents show it; None if it has to be folded."""
    continued = _continue(program, cached.state, as_of)
    if continued is None:
        return None
    return _document(continued, cached.published, program, str(customer_id))


async def read_journey(
    connection: asyncpg.Connection, program: Program, question: JourneyQuestion
) -> JsonObject:
    """Return the journey that *question* asks for, as stage-model documents show it."""
    customer_id = str(question.customer_id)
    continued = await _continued(connection, program, question)
    if continued is None:
        folded = await _folded(connection, program, question)
        return journey_document(folded.fold.journey(folded.as_of), program, customer_id)
    published = await connection.fetch(_PUBLISHED, question.customer_id, question.model_id)
    return _document(continued, published, program, customer_id)


def _document(
    continued: Folding, published: Sequence[asyncpg.Record], program: Program, customer_id: str
) -> JsonObject:
    journey = continued.fold.journey(continued.as_of)
    made_since = [
        transition_document(move, program.model.version, customer_id)
        for move in journey.transitions
    ]
    document = journey_document(replace(journey, transitions=()), program, customer_id)
    return {**document, "transitions": [*map(_published, published), *made_since]}


async def read_folding(
    connection: asyncpg.Connection, program: Program, question: JourneyQuestion
) -> Folding:
    """Return the fold that the journey of *question* comes from."""
    continued = await _continued(connection, program, question)
    if continued is None:
        return await _folded(connection, program, question)
    published = await connection.fetch(_PUBLISHED, question.customer_id, question.model_id)
    return replace(continued, before=tuple(map(move_of, published)))


async def _continued(
    connection: asyncpg.Connection, program: Program, question: JourneyQuestion
) -> Folding | None:
    """Continue from the cache; None where there is none for that time."""
    if question.known_at is not None:
        return None
    encoded = await connection.fetchval(CACHED, question.customer_id, question.model_id)
    return None if encoded is None else _continue(program, encoded, question.as_of)


def _continue(program: Program, encoded: bytes, wanted: Instant | None) -> Folding | None:
    try:
        state = FoldState.decode(encoded)
        fold = Fold(program, state)
    except ValueError:  # written by another version of the product
        return None
    reached = _reached(state)
    as_of = reached if wanted is None else wanted
    if as_of < reached:
        return None
    fold.advance(as_of)
    return Folding(fold, as_of)


def _reached(state: FoldState) -> Instant:
    """Return the last instant that *state* has applied anything of."""
    last = state.last
    return max(state.settled_at, EARLIEST if last is None else last.at)


async def _folded(
    connection: asyncpg.Connection, program: Program, question: JourneyQuestion
) -> Folding:
    folding = Fold(program)
    latest = LATEST if question.as_of is None else question.as_of
    known_at = LATEST if question.known_at is None else question.known_at
    until = datetime_of(latest), datetime_of(known_at)
    async for rows in steps(connection, _HISTORY, question.identifier_ids, *until):
        for row in rows:
            folding.apply(touchpoint_of(row))
    last = folding.place
    reached = EARLIEST if last is None else last.at
    as_of = reached if question.as_of is None else question.as_of
    folding.advance(as_of)
    return Folding(folding, as_of)


def _published(row: asyncpg.Record) -> JsonObject:
    """Return a published transition; *row* has the columns of ``_PUBLISHED``, in their order."""
    id_, at, axis, kind, from_key, to_key, cycle, rule, cause = row
    return {
        "id": id_,
        "axis": axis,
        "kind": kind,
        "from": from_key,
        "to": to_key,
        "at": moment_text(at),
        "cycle": cycle,
        "rule": rule,
        "cause": msgspec.Raw(cause.encode()),
    }
