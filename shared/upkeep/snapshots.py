"""Snapshots: earlier states of long journeys, so that late data refolds a little and not all.

A snapshot is the state right after a touchpoint was applied. It is only a cache: any spacing gives
the same journey, and any of them may be dropped.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from shared.instants import datetime_of
from shared.journey.fold import FoldState
from shared.touchpoints import Place
from shared.upkeep.journeys import JourneyKey

SPACING: Final = 256
"""Touchpoints of a customer from one lasting snapshot to the next."""

RECENT: Final = 32
"""Touchpoints from one passing snapshot to the next: what is late is mostly late by little."""

_NEAREST: Final = """
SELECT wanted.customer_id, wanted.model_id, near.state
  FROM unnest($1::uuid[], $2::smallint[], $3::timestamptz[], $4::text[], $5::text[])
    AS wanted (customer_id, model_id, effective_at, source, event_id),
  LATERAL (
    SELECT s.state FROM snapshots s
     WHERE s.customer_id = wanted.customer_id AND s.model_id = wanted.model_id
       AND (s.effective_at, s.source, s.event_id)
         < (wanted.effective_at, wanted.source COLLATE "C", wanted.event_id COLLATE "C")
     ORDER BY s.effective_at DESC, s.source DESC, s.event_id DESC
     LIMIT 1) AS near
"""
_DROP: Final = """
DELETE FROM snapshots s
 USING unnest($1::uuid[], $2::smallint[], $3::timestamptz[], $4::text[], $5::text[])
    AS late (customer_id, model_id, effective_at, source, event_id)
 WHERE s.customer_id = late.customer_id AND s.model_id = late.model_id
   AND (s.effective_at, s.source, s.event_id)
    >= (late.effective_at, late.source COLLATE "C", late.event_id COLLATE "C")
"""
_DROP_ALL: Final = "DELETE FROM snapshots WHERE customer_id = ANY($1)"
_KEEP: Final = """
INSERT INTO snapshots (customer_id, model_id, effective_at, source, event_id, lasting, state)
SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::timestamptz[], $4::text[], $5::text[],
                     $6::boolean[], $7::bytea[])
ON CONFLICT DO NOTHING
"""
_DROP_PASSED: Final = """
DELETE FROM snapshots s
 USING unnest($1::uuid[], $2::smallint[]) AS wanted (customer_id, model_id)
 WHERE s.customer_id = wanted.customer_id AND s.model_id = wanted.model_id AND NOT s.lasting
   AND s.effective_at < (
        SELECT max(newest.effective_at) FROM snapshots newest
         WHERE newest.customer_id = s.customer_id AND newest.model_id = s.model_id
           AND NOT newest.lasting)
"""


class Snapshot(NamedTuple):
    """A state of one journey, right after a touchpoint.

    Lasting ones stay; of the others, each journey keeps the newest two.
    """

    key: JourneyKey
    state: FoldState
    lasting: bool


async def nearest_snapshots(
    connection: asyncpg.Connection, late: Mapping[JourneyKey, Place]
) -> dict[JourneyKey, FoldState]:
    """Return for each journey the last snapshot before a place, where there is one."""
    rows = await connection.fetch(_NEAREST, *_columns(late))
    return {
        JourneyKey(row["customer_id"], row["model_id"]): FoldState.decode(row["state"])
        for row in rows
    }


async def drop_snapshots(connection: asyncpg.Connection, late: Mapping[JourneyKey, Place]) -> None:
    """Forget the snapshots that a touchpoint at that place makes wrong."""
    await connection.execute(_DROP, *_columns(late))


async def drop_all_snapshots(connection: asyncpg.Connection, customers: Iterable[UUID]) -> None:
    """Forget every snapshot of *customers*."""
    await connection.execute(_DROP_ALL, list(customers))


async def keep_snapshots(connection: asyncpg.Connection, snapshots: Sequence[Snapshot]) -> None:
    """Store *snapshots*."""
    rows = [
        (
            *snapshot.key,
            datetime_of(place.at),
            place.source,
            place.event_id,
            snapshot.lasting,
            snapshot.state.encode(),
        )
        for snapshot in snapshots
        if (place := snapshot.state.last) is not None
    ]
    passing = [snapshot.key for snapshot in snapshots if not snapshot.lasting]
    if passing:
        customers, model_ids = zip(*passing, strict=True)
        await connection.execute(_DROP_PASSED, list(customers), list(model_ids))
    if rows:
        await connection.execute(_KEEP, *(list(column) for column in zip(*rows, strict=True)))


def _columns(late: Mapping[JourneyKey, Place]) -> list[list[object]]:
    rows = [
        (*key, datetime_of(place.at), place.source, place.event_id) for key, place in late.items()
    ]
    return [list(column) for column in zip(*rows, strict=True)]
