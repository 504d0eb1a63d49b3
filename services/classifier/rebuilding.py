"""Rebuilding: the journeys of older customers under a model that is being rolled out.

Once a model is followed, every batch keeps its journeys: those of new customers from their first
touchpoint on, and those of regrouped customers, which are folded whole anyway. What is left are
customers with a history from before. They are folded here, some at a time, under the same locks
that batches take, so that a customer either has a journey that is exact, or none.
"""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

import asyncpg

from shared.instants import Instant
from shared.upkeep.active_models import ActiveModel
from shared.upkeep.following import appended
from shared.upkeep.journeys import (
    JourneyKey,
    journey_row,
    save_journeys,
)
from shared.upkeep.refolding import Refolded, Refolding, take_stored
from shared.upkeep.snapshots import Snapshot, keep_snapshots
from shared.upkeep.transactions import began_at
from shared.upkeep.transitions import Change, publish

MOST_TOUCHPOINTS: Final = 500
"""Touchpoints of several customers in one transaction, which batches of theirs wait for."""

_NEXT: Final = "SELECT id, touchpoints FROM customers WHERE id > $1 ORDER BY id LIMIT $2"
_LOCK: Final = """
SELECT FROM identifiers WHERE customer_id = ANY($1)
 ORDER BY kind COLLATE "C", value COLLATE "C"
   FOR UPDATE
"""
_LACKING: Final = """
SELECT c.id FROM customers c
 WHERE c.id = ANY($1)
   AND NOT EXISTS (SELECT FROM journeys j WHERE j.customer_id = c.id AND j.model_id = $2)
"""


async def next_customers(
    connection: asyncpg.Connection, position: UUID, *, most: int, room: int = MOST_TOUCHPOINTS
) -> list[UUID]:
    """Return the customers after *position* that one transaction takes, in order of their ids.

    They are *most* at most and have *room* touchpoints at most; one with more is taken alone.
    """
    chosen: list[UUID] = []
    for row in await connection.fetch(_NEXT, position, most):
        room -= row["touchpoints"]
        if chosen and room < 0:
            break
        chosen.append(row["id"])
    return chosen


async def lock_customers(connection: asyncpg.Connection, customer_ids: Sequence[UUID]) -> None:
    """Keep batches from changing the histories of customers, or whose they are.

    A batch that is changing them is waited for. What it adds to these customers from elsewhere is
    not locked, but it has then given them a journey.
    """
    await connection.execute(_LOCK, customer_ids)


async def rebuild_journeys(
    connection: asyncpg.Connection,
    customer_ids: Sequence[UUID],
    model: ActiveModel,
    horizon: Instant | None,
) -> None:
    """Fold those of the locked customers that have no journey under *model*.

    Args:
        connection: In a transaction that has the customers' identifiers locked.
        customer_ids: Some of them may have a journey, or be merged into others by now.
        model: The model that is being rolled out.
        horizon: Up to when deadlines are settled; None while that is unknown.
    """
    rows = await connection.fetch(_LACKING, customer_ids, model.id)
    lacking = [row["id"] for row in rows]
    if not lacking:
        return
    refoldings = {JourneyKey(id_, model.id): Refolding(model.program, None) for id_ in lacking}
    await take_stored(connection, refoldings)
    folded = {key: refolding.end(horizon) for key, refolding in refoldings.items()}
    now = await began_at(connection)
    rows_to_save = {key: journey_row(done.followed) for key, done in folded.items()}
    await save_journeys(connection, rows_to_save, now=now)
    states = [
        Snapshot(key, state, lasting=True) for key, done in folded.items() for state in done.states
    ]
    await keep_snapshots(connection, states)
    await publish(connection, list(_said(folded.items(), model)), decided_at=now)


def _said(folded: Iterable[tuple[JourneyKey, Refolded]], model: ActiveModel) -> Iterable[Change]:
    for key, done in folded:
        customer_id = str(key.customer_id)
        said = appended(done.followed.moves, version=model.version, customer_id=customer_id)
        yield Change(key, model, said)
