"""Moves as they had been published by a time, of a customer as it was known then.

Merges and splits hand transitions over to other customers and so give them other ids, but what a
move says stays. So its rows are looked for with everybody the customer was ever linked to, and
told by what they say, never by whose they are now.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from shared.instants import Instant, datetime_of, instant_of
from shared.journey.moves import DeadlineCause, Move
from shared.storage.rows import move_of

_CONNECTED: Final = """
WITH RECURSIVE near (id) AS (
    SELECT unnest($1::bigint[])
    UNION
    SELECT other.id FROM near, LATERAL (
        SELECT b_id AS id FROM links WHERE a_id = near.id
        UNION ALL SELECT a_id FROM links WHERE b_id = near.id) AS other)
SELECT id FROM near
"""
_HOLDERS: Final = """
SELECT customer_id FROM identifiers WHERE id = ANY($1::bigint[])
UNION SELECT own_id FROM identifiers WHERE id = ANY($1::bigint[])
"""
_MOVES: Final = """
SELECT t.axis, t.kind, t.from_key, t.to_key, t.at, t.cycle, t.rule, t.cause, t.decided_at,
       CASE WHEN t.superseded_at <= $3 THEN t.superseded_at END AS taken_back_at,
       of_touchpoint.identifier_id = ANY($1) AS is_own
  FROM transitions t
  LEFT JOIN touchpoints of_touchpoint
    ON (of_touchpoint.source, of_touchpoint.event_id) = (
       coalesce(t.cause #>> '{touchpoint,source}', t.cause #>> '{deadline,touchpoint,source}'),
       coalesce(t.cause #>> '{touchpoint,event_id}', t.cause #>> '{deadline,touchpoint,event_id}'))
 WHERE t.customer_id = ANY($4::uuid[]) AND t.model_id = $2 AND t.decided_at <= $3
 ORDER BY t.at, t.decided_at
"""


@dataclass(frozen=True, slots=True)
class PastMove:
    """A move that had been published; ``taken_back_at`` is None where it still stood."""

    move: Move
    decided_at: Instant
    taken_back_at: Instant | None


async def read_past_moves(
    connection: asyncpg.Connection,
    identifier_ids: Sequence[int],
    model_id: int,
    known_at: Instant,
) -> list[PastMove]:
    """Return what had been published by *known_at* of the customer with *identifier_ids*.

    A move is the customer's if the touchpoint is by which it was decided. A deadline in a stage
    that was entered by a deadline has none: it is theirs if that earlier move is.
    """
    connected = [row["id"] for row in await connection.fetch(_CONNECTED, identifier_ids)]
    holders = [row["customer_id"] for row in await connection.fetch(_HOLDERS, connected)]
    rows = await connection.fetch(_MOVES, identifier_ids, model_id, datetime_of(known_at), holders)
    own: list[PastMove] = []
    for row in rows:
        move = move_of(row)
        if row["is_own"] or (row["is_own"] is None and _goes_on(move, own)):
            taken_back_at = row["taken_back_at"]
            own.append(
                PastMove(
                    move,
                    instant_of(row["decided_at"]),
                    None if taken_back_at is None else instant_of(taken_back_at),
                )
            )
    return own


def _goes_on(move: Move, own: Iterable[PastMove]) -> bool:
    """Return whether the deadline of *move* counts from one of *own*."""
    cause = move.cause
    return isinstance(cause, DeadlineCause) and any(
        before.move.axis == move.axis
        and before.move.at == cause.base_at
        and before.move.to == move.from_
        for before in own
    )
