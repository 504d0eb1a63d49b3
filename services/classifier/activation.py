"""Activation: the one transaction in which a stage model takes the place of the one before it.

It only changes which version is in force. What the rows of both versions say about it (that those
of the former one are taken back, and those of the new one decided, at this time) is written
afterwards, some customers at a time, because millions of rows cannot be rewritten while everybody
waits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from shared.instants import Instant, datetime_of, instant_of, rfc3339
from shared.upkeep.active_models import hold_models
from shared.upkeep.outbox import tell

_LACKING: Final = """
SELECT EXISTS (SELECT FROM customers c
                WHERE NOT EXISTS (SELECT FROM journeys j
                                   WHERE j.customer_id = c.id AND j.model_id = $1))
"""
_NOW: Final = "SELECT clock_timestamp()"
_FORMER: Final = "SELECT id, version, is_default FROM models WHERE key = $1 AND state = 'active'"
_RETIRE: Final = "UPDATE models SET state = 'retired', is_default = false WHERE id = $1"
_ACTIVATE: Final = """
UPDATE models
   SET state = 'active', activated_at = $2,
       is_default = $3 OR NOT EXISTS (SELECT FROM models WHERE is_default)
 WHERE id = $1
RETURNING version
"""
_END_FORMER: Final = """
UPDATE activations SET superseded_at = $2 WHERE key = $1 AND superseded_at IS NULL
"""
_RECORD: Final = """
INSERT INTO activations (model_id, key, activated_at, recorded_at, is_rollback)
VALUES ($1, $2, $3, $3, $4)
"""
_DECIDE: Final = """
UPDATE transitions SET decided_at = $2, told_id = NULL, told_n = NULL
 WHERE model_id = $1 AND decided_at < $2 AND (superseded_at IS NULL OR superseded_at >= $2)
"""
_TAKE_BACK: Final = """
UPDATE transitions SET superseded_at = $2 WHERE model_id = $1 AND superseded_at IS NULL
"""
_DROP_JOURNEYS: Final = "DELETE FROM journeys WHERE model_id = $1"
_DROP_SNAPSHOTS: Final = "DELETE FROM snapshots WHERE model_id = $1"

_FORGET: Final = "DELETE FROM transitions WHERE model_id = $1 AND superseded_at IS NULL"
"""What a former time in force has left is superseded, and stays."""

_SWEEP_SECONDS: Final = 600
"""What a statement over all rows may take; nobody waits for it."""
_BE_PATIENT: Final = f"SET LOCAL statement_timeout = '{_SWEEP_SECONDS}s'"


@dataclass(frozen=True, slots=True)
class Flip:
    """From when a model is in force, and the version before it, if there was one; row ids."""

    model_id: int
    former_id: int | None
    at: Instant


async def some_lack(connection: asyncpg.Connection, model_id: int) -> bool:
    """Tell whether there are customers without a journey under a model."""
    await connection.execute(_BE_PATIENT)
    lacking: bool = await connection.fetchval(_LACKING, model_id, timeout=_SWEEP_SECONDS)
    return lacking


async def activate(
    connection: asyncpg.Connection, model_id: int, key: str, *, is_rollback: bool = False
) -> Flip:
    """Put a followed model in force, in the place of the active version of its *key*.

    Args:
        connection: In a transaction that holds nothing else.
        model_id: A model under which every customer has a journey.
        key: Its key.
        is_rollback: Whether it comes back because the version after it is given up.
    """
    await hold_models(connection)
    # Not the beginning of this transaction: what others decided while this one waited was before.
    moment = await connection.fetchval(_NOW)
    former = await connection.fetchrow(_FORMER, key)
    if former is not None:
        await connection.execute(_RETIRE, former["id"])
    was_default = former is not None and former["is_default"]
    version = await connection.fetchval(_ACTIVATE, model_id, moment, was_default)
    await connection.execute(_END_FORMER, key, moment)
    await connection.execute(_RECORD, model_id, key, moment, is_rollback)
    at = instant_of(moment)
    previous = None if former is None else former["version"]
    data = {"model": key, "version": version, "previous": previous, "at": rfc3339(at)}
    await tell(connection, [(None, "model.activated", data)], at=at)
    return Flip(model_id, None if former is None else former["id"], at)


async def settle_rows(
    connection: asyncpg.Connection, flip: Flip, customer_ids: Sequence[UUID]
) -> None:
    """Let the rows of some customers say what *flip* decided, and drop the former's caches."""
    of_theirs = " AND customer_id = ANY(${})"
    moment = datetime_of(flip.at)
    await connection.execute(_DECIDE + of_theirs.format(3), flip.model_id, moment, customer_ids)
    if flip.former_id is not None:
        former = flip.former_id
        await connection.execute(_TAKE_BACK + of_theirs.format(3), former, moment, customer_ids)
        for drop in (_DROP_JOURNEYS, _DROP_SNAPSHOTS):
            await connection.execute(drop + of_theirs.format(2), former, customer_ids)


async def sweep_rows(connection: asyncpg.Connection, flip: Flip) -> None:
    """Do what ``settle_rows`` does for all rows that are left.

    There are few: merges hand rows over to customers that have been settled already.
    """
    await connection.execute(_BE_PATIENT)
    moment = datetime_of(flip.at)
    await connection.execute(_DECIDE, flip.model_id, moment, timeout=_SWEEP_SECONDS)
    if flip.former_id is not None:
        former = flip.former_id
        await connection.execute(_TAKE_BACK, former, moment, timeout=_SWEEP_SECONDS)
        for drop in (_DROP_JOURNEYS, _DROP_SNAPSHOTS):
            await connection.execute(drop, former, timeout=_SWEEP_SECONDS)


async def drop_rows(
    connection: asyncpg.Connection, model_id: int, customer_ids: Sequence[UUID]
) -> None:
    """Drop what was kept of some customers for a model that was never in force meanwhile."""
    of_theirs = " AND customer_id = ANY($2)"
    for drop in (_DROP_JOURNEYS, _DROP_SNAPSHOTS, _FORGET):
        await connection.execute(drop + of_theirs, model_id, customer_ids)


async def sweep_dropped(connection: asyncpg.Connection, model_id: int) -> None:
    """Do what ``drop_rows`` does for all rows that are left."""
    await connection.execute(_BE_PATIENT)
    for drop in (_DROP_JOURNEYS, _DROP_SNAPSHOTS, _FORGET):
        await connection.execute(drop, model_id, timeout=_SWEEP_SECONDS)
