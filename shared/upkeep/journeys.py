"""Journeys in PostgreSQL: the cached state, the published transitions, the history to refold."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from shared.instants import EARLIEST, Instant, Micros, datetime_of
from shared.journey.fold import FoldState
from shared.journey.situation import NO_STAGE
from shared.storage.rows import move_of
from shared.storage.stored_histories import Stretch, stretches
from shared.touchpoints import Place, Touchpoint
from shared.upkeep.following import Followed, Published

BEFORE_ALL: Final = Place(EARLIEST, "", "")
"""A place before every touchpoint."""

_LOAD: Final = """
SELECT customer_id, model_id, state FROM journeys
 WHERE customer_id = ANY($1) AND model_id = ANY($2)
 ORDER BY customer_id, model_id
   FOR UPDATE
"""
_DUE: Final = """
SELECT customer_id, model_id, state FROM journeys
 WHERE next_at <= $1 AND model_id = ANY($2)
   AND (next_at > updated_at OR updated_at <= now() - $4::interval)
 ORDER BY next_at, customer_id, model_id
 LIMIT $3
   FOR UPDATE SKIP LOCKED
"""
_HISTORY: Final = """
SELECT i.customer_id, t.source, t.event_id, t.effective_at, t.channel, t.type, t.body
  FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[])
    AS wanted (customer_id, effective_at, source, event_id)
  JOIN identifiers i ON i.customer_id = wanted.customer_id
  JOIN touchpoints t ON t.identifier_id = i.id
   AND t.effective_at >= wanted.effective_at
   AND (t.effective_at, t.source, t.event_id)
     > (wanted.effective_at, wanted.source COLLATE "C", wanted.event_id COLLATE "C")
 ORDER BY i.customer_id, t.effective_at, t.source, t.event_id
"""
_PUBLISHED: Final = """
SELECT t.customer_id, t.model_id, t.id, t.n, t.at, t.axis, t.kind, t.from_key, t.to_key, t.cycle,
       t.rule, t.cause
  FROM unnest($1::uuid[], $2::smallint[], $3::timestamptz[]) AS wanted (customer_id, model_id, at)
  JOIN transitions t ON t.customer_id = wanted.customer_id AND t.model_id = wanted.model_id
   AND t.at >= wanted.at
 WHERE t.superseded_at IS NULL
"""
_SAVE: Final = """
INSERT INTO journeys (customer_id, model_id, state, stage, activity, cycle, peak_stage,
                      stage_since, next_at, updated_at)
SELECT customer_id, model_id, state, stage, activity, cycle, peak_stage, stage_since, next_at, $10
  FROM unnest($1::uuid[], $2::smallint[], $3::bytea[], $4::text[], $5::text[], $6::integer[],
              $7::text[], $8::timestamptz[], $9::timestamptz[])
    AS given (customer_id, model_id, state, stage, activity, cycle, peak_stage, stage_since,
              next_at)
ON CONFLICT (customer_id, model_id) DO UPDATE
   SET state = excluded.state, stage = excluded.stage, activity = excluded.activity,
       cycle = excluded.cycle, peak_stage = excluded.peak_stage,
       stage_since = excluded.stage_since, next_at = excluded.next_at,
       updated_at = excluded.updated_at
"""


class JourneyKey(NamedTuple):
    """One customer under one model."""

    customer_id: UUID
    model_id: int


class JourneyRow(NamedTuple):
    """What is saved of a journey besides its key; the published view of it for lists."""

    state: bytes
    stage: str | None
    activity: str | None
    cycle: int
    peak_stage: str | None
    stage_since: datetime | None
    next_at: datetime | None


def journey_row(followed: Followed) -> JourneyRow:
    """Return the row for a journey that was just folded.

    What it shows is the state after the last touchpoint or published deadline.
    """
    state, keys = followed.state, followed.program.keys
    return JourneyRow(
        state=state.encode(),
        stage=keys[state.slot] or None,
        activity=state.activity,
        cycle=state.cycle,
        peak_stage=keys[state.reached.bit_length()] or None,
        stage_since=None if state.slot == NO_STAGE else datetime_of(state.entered_at),
        next_at=None if followed.next_at is None else datetime_of(followed.next_at),
    )


async def lock_journeys(
    connection: asyncpg.Connection, customer_ids: Iterable[UUID], model_ids: Iterable[int]
) -> dict[JourneyKey, FoldState]:
    """Load the stored journeys and keep them locked, always in the same order."""
    rows = await connection.fetch(_LOAD, list(customer_ids), list(model_ids))
    return {_key(row): FoldState.decode(row["state"]) for row in rows}


async def lock_due_journeys(
    connection: asyncpg.Connection,
    by: Instant,
    model_ids: Iterable[int],
    *,
    most: int,
    quiet: Micros,
) -> dict[JourneyKey, FoldState]:
    """Load and lock journeys with a deadline at or before *by*, the oldest first.

    Those that another transaction is changing are left for the next time.

    Args:
        connection: In a transaction.
        by: How far the watermark has come.
        model_ids: Under which models.
        most: How many at most.
        quiet: How long a journey whose deadline had passed already when it last changed must have
            been left alone since: in the middle of a backfill the next line would only take the
            deadline back.
    """
    rows = await connection.fetch(
        _DUE, datetime_of(by), list(model_ids), most, timedelta(microseconds=quiet)
    )
    return {_key(row): FoldState.decode(row["state"]) for row in rows}


def histories_since(
    connection: asyncpg.Connection, since: Mapping[UUID, Place]
) -> AsyncIterator[Stretch]:
    """Read each customer's stored touchpoints after a place, one customer after the other."""
    wanted = [(id_, datetime_of(at), source, event) for id_, (at, source, event) in since.items()]
    columns = [list(column) for column in zip(*wanted, strict=True)]
    return stretches(connection, _HISTORY, *columns)


async def load_histories(
    connection: asyncpg.Connection, since: Mapping[UUID, Place]
) -> dict[UUID, list[Touchpoint]]:
    """Load each customer's stored touchpoints after a place, in canonical order."""
    histories: dict[UUID, list[Touchpoint]] = {}
    async for customer_id, touchpoints in histories_since(connection, since):
        histories.setdefault(customer_id, []).extend(touchpoints)
    return histories


async def load_published(
    connection: asyncpg.Connection, since: Mapping[JourneyKey, Place]
) -> dict[JourneyKey, list[Published]]:
    """Load the transitions that stand for each journey at or after a time, in no order."""
    wanted = [(*key, datetime_of(place.at)) for key, place in since.items()]
    columns = [list(column) for column in zip(*wanted, strict=True)]
    published: dict[JourneyKey, list[Published]] = {}
    for row in await connection.fetch(_PUBLISHED, *columns):
        entry = Published(row["id"], row["n"], move_of(row))
        published.setdefault(_key(row), []).append(entry)
    return published


async def save_journeys(
    connection: asyncpg.Connection, rows: Mapping[JourneyKey, JourneyRow], *, now: Instant
) -> None:
    """Write *rows* over what is stored under their keys."""
    ordered: Sequence[tuple[object, ...]] = [(*key, *rows[key]) for key in sorted(rows)]
    if ordered:
        columns = (list(column) for column in zip(*ordered, strict=True))
        await connection.execute(_SAVE, *columns, datetime_of(now))


def _key(row: asyncpg.Record) -> JourneyKey:
    return JourneyKey(row["customer_id"], row["model_id"])
